#include "penstock/exec/process_peer.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "penstock/base/clock.h"

namespace penstock::exec {
namespace {

/// Our ends of the life lines of this process's workers. A copy of the process that held them too
/// would keep the workers alive after the run's own end. Thread-safe.
class LifeLines {
 public:
  static LifeLines& instance() {
    // Never destroyed: runs may outlive every static object.
    static LifeLines* const lines = new LifeLines;
    return *lines;
  }
  void add(int fd) {
    const std::lock_guard lock(mutex_);
    fds_.push_back(fd);
  }
  void remove(int fd) {
    const std::lock_guard lock(mutex_);
    std::erase(fds_, fd);
  }

 private:
  LifeLines() {
    std::ignore =
        ::pthread_atfork([] { instance().mutex_.lock(); }, [] { instance().mutex_.unlock(); },
                         [] {
                           instance().let_go();
                           instance().mutex_.unlock();
                         });
  }

  /// The numbers stay taken, since their owners in this copy would close them once more.
  void let_go() {
    const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (const int fd : fds_) {
      ::dup3(nothing, fd, O_CLOEXEC);
    }
    fds_.clear();
    ::close(nothing);
  }

  std::mutex mutex_;
  std::vector<int> fds_;  ///< guarded by mutex_
};

}  // namespace

namespace {

constexpr std::int32_t kEndMs = 100;  // from the close of its socket to the end of a process

}  // namespace

base::Result<std::unique_ptr<Peer>> Peer::start(const PeerSetup& setup, std::int32_t worker) {
  PENSTOCK_ASSIGN_OR_RETURN(auto sockets, ChannelSocket::make_pair());
  PENSTOCK_ASSIGN_OR_RETURN(auto life_lines, ChannelSocket::make_pair());
  PENSTOCK_ASSIGN_OR_RETURN(auto channel, Channel::create(setup.ring_bytes));
  UniqueFd bell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!bell.is_valid()) {
    return base::fail(base::ErrorCode::kResourceExhausted,
                      fmt::format("cannot make an eventfd: {}", std::strerror(errno)));
  }
  channel->set_bells(setup.bell.get(), bell.get());
  PENSTOCK_ASSIGN_OR_RETURN(Child child, Child::spawn(setup.command, sockets.second.get()));
  const Hello hello{.worker = worker,
                    .ring_bytes = setup.ring_bytes,
                    .plan_bytes = setup.plan_bytes,
                    .plan_digest = setup.plan_digest};
  const int fds[Hello::kNumFds] = {channel->memory_fd(), bell.get(), setup.bell.get(),
                                   life_lines.second.get(), setup.plan.get()};
  std::unique_ptr<Peer> peer(new Peer(std::move(child), std::move(channel),
                                      std::move(sockets.first), std::move(bell),
                                      std::move(life_lines.first)));
  const base::Status greeted = peer->link_.socket().send_hello(hello, fds);
  // If the child has ended already, its pidfd tells that better.
  if (!greeted.has_value() && !peer->child_.wait_end(kEndMs)) {
    return base::fail(greeted.error());
  }
  return peer;
}

Peer::Peer(Child child, std::unique_ptr<Channel> channel, UniqueFd socket, UniqueFd bell,
           UniqueFd life_line)
    : child_(std::move(child)),
      bell_(std::move(bell)),
      life_line_(std::move(life_line)),
      link_(std::move(channel), ChannelSocket(std::move(socket))),
      started_ns_(base::monotonic_ns()) {
  LifeLines::instance().add(life_line_.get());
}

Peer::~Peer() {
  LifeLines::instance().remove(life_line_.get());
}

void Peer::set_ready() {
  state_ = State::kReady;
  front_since_ns_ = in_flight_.empty() ? 0 : base::monotonic_ns();
}

void Peer::push(std::uint32_t slot) {
  if (in_flight_.empty()) {
    front_since_ns_ = base::monotonic_ns();
  }
  in_flight_.push_back(slot);
}

void Peer::pop() {
  in_flight_.pop_front();
  front_since_ns_ = in_flight_.empty() ? 0 : base::monotonic_ns();
}

void Peer::kill() {
  child_.kill(SIGKILL);
  child_.wait_end(-1);
  state_ = State::kGone;
}

void Peer::ask_to_stop() {
  // A full ring means that it does not listen; the caller's patience ends soon.
  std::ignore = link_.send(FrameType::kStop, {});
  link_.channel().wake_peer(Sleep::kForFrames);
}

}  // namespace penstock::exec
