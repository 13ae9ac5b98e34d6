#include "penstock/exec/worker.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>

#include <fmt/core.h>

#include "penstock/base/out_of_memory.h"
#include "penstock/core/host.h"
#include "penstock/exec/channel_link.h"
#include "penstock/exec/worker_loop.h"

namespace penstock::exec {
namespace {

using base::ErrorCode;

constexpr int kExitOk = 0;
constexpr int kExitFailed = 1;

/// The kernel kills this process when the other end of `life_line` closes, also while it is stopped
/// or deep in foreign code. (PR_SET_PDEATHSIG would fire when the thread that started us ends.)
base::Status follow(int life_line) {
  const int flags = ::fcntl(life_line, F_GETFL);
  if (::fcntl(life_line, F_SETOWN, ::getpid()) != 0 || ::fcntl(life_line, F_SETSIG, SIGKILL) != 0 ||
      ::fcntl(life_line, F_SETFL, flags | O_ASYNC) != 0) {
    return base::fail(ErrorCode::kUnavailable,
                      fmt::format("cannot follow the run's process: {}", std::strerror(errno)));
  }
  pollfd end{life_line, 0, 0};
  if (::poll(&end, 1, 0) > 0) {
    return base::fail(ErrorCode::kUnavailable, "the run's process is gone");
  }
  return {};
}

void leave_signals_to_the_run() {
  std::signal(SIGINT, SIG_IGN);
  sigset_t interrupt;
  sigemptyset(&interrupt);
  sigaddset(&interrupt, SIGINT);
  // Blocked since the start of the program; ignored from here on.
  ::pthread_sigmask(SIG_UNBLOCK, &interrupt, nullptr);
}

base::Result<std::string> read_plan(int fd, std::int64_t size_bytes) {
  std::string bytes(static_cast<std::size_t>(size_bytes), '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got =
        ::pread(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (got <= 0) {
      return base::fail(ErrorCode::kDataLoss,
                        fmt::format("the plan is cut short: read={} wanted={}", done, size_bytes));
    }
    done += static_cast<std::size_t>(got);
  }
  return bytes;
}

base::Result<std::shared_ptr<const flow::Plan>> make_plan(const WorkerHooks& hooks,
                                                          const Hello& hello, int fd) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::string bytes, read_plan(fd, hello.plan_bytes));
  PENSTOCK_ASSIGN_OR_RETURN(std::shared_ptr<const flow::Plan> plan, hooks.compile(bytes));
  if (plan->digest() != hello.plan_digest) {
    return base::fail(base::Error(ErrorCode::kFailedPrecondition,
                                  fmt::format("a worker compiled another plan than the run: "
                                              "digest={} wanted={}",
                                              plan->digest().to_hex(), hello.plan_digest.to_hex()))
                          .with_id("PS0505")
                          .with_help("a module that the tube uses gives different code when it is "
                                     "imported again; do not edit it while the run starts"));
  }
  return plan;
}

base::Status serve(int control_fd, const WorkerHooks& hooks) {
  ::fcntl(control_fd, F_SETFD, FD_CLOEXEC);
  ChannelSocket socket{UniqueFd(control_fd)};
  PENSTOCK_ASSIGN_OR_RETURN(auto received, socket.receive_hello());
  auto& [hello, fds] = received;
  // In the order that Hello names.
  UniqueFd memory = std::move(fds[0]);
  const UniqueFd own_bell = std::move(fds[1]);
  const UniqueFd run_bell = std::move(fds[2]);
  const UniqueFd life_line = std::move(fds[3]);
  const UniqueFd plan_fd = std::move(fds[4]);
  PENSTOCK_RETURN_IF_ERROR(follow(life_line.get()));
  PENSTOCK_ASSIGN_OR_RETURN(auto channel, Channel::attach(std::move(memory), hello.ring_bytes));
  channel->set_bells(own_bell.get(), run_bell.get());
  Link link(std::move(channel), std::move(socket));

  auto plan = make_plan(hooks, hello, plan_fd.get());
  FrameBuffer frame;
  WireWriter writer(frame);
  if (!plan.has_value()) {
    writer.put_error(plan.error());
  }
  PENSTOCK_RETURN_IF_ERROR(
      link.send(plan.has_value() ? FrameType::kReady : FrameType::kFailed, frame.view()));
  link.channel().wake_peer(Sleep::kForFrames);
  if (!plan.has_value()) {
    return base::fail(plan.error());
  }
  return WorkerLoop(&link, *plan, hello.worker, own_bell.get(), life_line.get()).run();
}

}  // namespace

int run_worker(int control_fd, const WorkerHooks& hooks) {
  const core::HostUnlock unlock;
  leave_signals_to_the_run();
  // A worker that has no memory for its own part ends; the run takes another in its place.
  const base::Status served = base::within_memory([&] { return serve(control_fd, hooks); });
  // The run has the error, or is gone: nobody is told twice.
  return served.has_value() ? kExitOk : kExitFailed;
}

}  // namespace penstock::exec
