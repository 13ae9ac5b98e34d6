// Starting and stopping the workers of a run.
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <numeric>
#include <tuple>
#include <utility>

#include <fmt/core.h>

#include "penstock/base/clock.h"
#include "penstock/base/machine.h"
#include "penstock/base/out_of_memory.h"
#include "penstock/base/process_memory.h"
#include "penstock/core/host.h"
#include "penstock/exec/process_executor.h"

namespace penstock::exec {
namespace {

using base::ErrorCode;

// How long idle workers may take to end when asked, and then when told.
constexpr std::int64_t kStopGraceNs = 500'000'000;
constexpr std::int64_t kTermGraceNs = 300'000'000;
constexpr std::int64_t kPollNs = 50'000'000;
// Copies of buffers that are sent to many tasks, kept while the run is busy.
constexpr std::int64_t kCopyBytes = 512LL << 20;

base::Result<UniqueFd> as_memfd(const std::string& bytes) {
  UniqueFd fd(::memfd_create("penstock-plan", MFD_CLOEXEC));
  std::size_t done = 0;
  while (fd.is_valid() && done < bytes.size()) {
    const ssize_t written = ::write(fd.get(), bytes.data() + done, bytes.size() - done);
    if (written <= 0) {
      break;
    }
    done += static_cast<std::size_t>(written);
  }
  if (!fd.is_valid() || done < bytes.size()) {
    return base::fail(ErrorCode::kResourceExhausted,
                      fmt::format("cannot hand the plan to the workers: {}", std::strerror(errno)));
  }
  return fd;
}

}  // namespace

ProcessExecutor::ProcessExecutor(ProcessOptions options)
    : options_(std::move(options)),
      copies_(kCopyBytes),
      history_(options_.history_limit_bytes),
      num_cores_(base::num_usable_cores()) {
  if (options_.num_workers <= 0) {
    options_.num_workers = num_cores_;
  }
}

ProcessExecutor::~ProcessExecutor() {
  stop();
}

base::Status ProcessExecutor::start(const flow::TaskAccess& access) {
  const core::HostUnlock unlock;
  access_ = &access;
  broken_.reset();
  failed_starts_ = 0;
  base::Status started = prepare();
  // All at once: most of a start is the interpreter importing modules, one core each.
  for (std::int32_t worker = 0; started.has_value() && worker < options_.num_workers; ++worker) {
    started = start_peer(worker);
  }
  if (started.has_value()) {
    started = await_ready();
  }
  if (!started.has_value()) {
    for (const auto& peer : peers_) {
      if (peer != nullptr) {
        peer->kill();
      }
    }
    stop();
  }
  return started;
}

base::Status ProcessExecutor::prepare() {
  setup_.command = options_.command;
  PENSTOCK_ASSIGN_OR_RETURN(setup_.plan, as_memfd(options_.plan));
  setup_.plan_bytes = static_cast<std::int64_t>(options_.plan.size());
  setup_.plan_digest = access_->plan().digest();
  setup_.ring_bytes = options_.ring_bytes;
  setup_.bell.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!setup_.bell.is_valid()) {
    return base::fail(ErrorCode::kResourceExhausted,
                      fmt::format("cannot make an eventfd: {}", std::strerror(errno)));
  }
  placement_.emplace(access_->plan(), options_.num_workers);
  peers_.resize(static_cast<std::size_t>(options_.num_workers));
  peak_rss_.assign(peers_.size(), 0);
  pinned_queues_.resize(static_cast<std::size_t>(options_.num_workers));
  return {};
}

base::Status ProcessExecutor::start_peer(std::int32_t worker) {
  PENSTOCK_ASSIGN_OR_RETURN(std::unique_ptr<Peer> peer, Peer::start(setup_, worker + 1));
  peer->link().exchange().set_copies(&copies_);
  for (const std::int32_t node : placement_->pinned_nodes(worker)) {
    PENSTOCK_RETURN_IF_ERROR(rebuild_node(node, *peer));
  }
  peer->link().channel().wake_peer(Sleep::kForFrames);
  peers_[static_cast<std::size_t>(worker)] = std::move(peer);
  return {};
}

base::Status ProcessExecutor::await_ready() {
  const std::int64_t deadline = base::monotonic_ns() + options_.start_timeout_ms * 1'000'000;
  for (std::int32_t worker = 0; worker < options_.num_workers;) {
    Peer& peer = *peers_[static_cast<std::size_t>(worker)];
    // First the end, then the frames: what it wrote before it ended explains it.
    const bool ended = peer.child().wait_end(0);
    PENSTOCK_RETURN_IF_ERROR(read_frames(worker));
    if (peer.state() == Peer::State::kReady) {
      ++worker;
      continue;
    }
    if (ended) {
      return base::fail(start_error(worker, peer.child().exit_status().to_string()));
    }
    const std::int64_t now = base::monotonic_ns();
    if (now > deadline) {
      return base::fail(start_error(
          worker, fmt::format("was not ready within {} s", options_.start_timeout_ms / 1000)));
    }
    sleep(now + kPollNs);
    if (const core::HostBridge* const bridge = core::host_bridge(); bridge != nullptr) {
      const core::HostLock lock;
      PENSTOCK_RETURN_IF_ERROR(bridge->check_signals());
    }
  }
  return {};
}

base::Error ProcessExecutor::start_error(std::int32_t worker, std::string_view detail) const {
  std::string command;
  for (const std::string& word : options_.command) {
    command += (command.empty() ? "" : " ") + word;
  }
  return base::Error(ErrorCode::kUnavailable,
                     fmt::format("worker {} {} before it could run a node", worker + 1, detail))
      .with_id("PS0502")
      .with_help(fmt::format("its own output may say why; it is started as: {} FD", command));
}

void ProcessExecutor::stop() {
  if (access_ == nullptr) {
    return;
  }
  const core::HostUnlock unlock;
  std::ignore = base::within_memory([&]() -> base::Status {
    note_memory();
    return {};
  });
  for (const auto& peer : peers_) {
    if (peer != nullptr && peer->in_flight().empty()) {
      // Who cannot be asked is told.
      std::ignore = base::within_memory([&]() -> base::Status {
        peer->ask_to_stop();
        return {};
      });
    } else if (peer != nullptr) {
      peer->child().kill(SIGTERM);
    }
  }
  const std::int64_t asked = base::monotonic_ns();
  const auto wait_all = [&](std::int64_t until_ns) {
    for (const auto& peer : peers_) {
      if (peer != nullptr) {
        const std::int64_t left = until_ns - base::monotonic_ns();
        peer->child().wait_end(
            static_cast<std::int32_t>(std::max<std::int64_t>(left, 0) / 1'000'000));
      }
    }
  };
  wait_all(asked + kStopGraceNs);
  for (const auto& peer : peers_) {
    if (peer != nullptr) {
      peer->child().kill(SIGTERM);
    }
  }
  wait_all(asked + kStopGraceNs + kTermGraceNs);
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    if (peers_[i] != nullptr) {
      peers_[i]->kill();
      // Log lines it wrote last; anything else has nobody waiting for it.
      std::ignore = base::within_memory([&] { return read_frames(static_cast<std::int32_t>(i)); });
    }
  }
  copies_.clear();
  started_nodes_.clear();
  peers_.clear();
  history_.lose_all();
  pinned_queues_.clear();
  shared_queue_.clear();
  slots_.clear();
  free_slots_.clear();
  finished_.clear();
  setup_ = {};
  access_ = nullptr;
}

void ProcessExecutor::note_memory() {
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    if (peers_[i] != nullptr) {
      peak_rss_[i] = std::max(peak_rss_[i], base::peak_rss_bytes(peers_[i]->child().pid()));
    }
  }
}

std::int64_t ProcessExecutor::workers_peak_rss_bytes() {
  note_memory();
  return std::accumulate(peak_rss_.begin(), peak_rss_.end(), std::int64_t{0});
}

std::vector<std::int32_t> ProcessExecutor::worker_pids() const {
  std::vector<std::int32_t> pids;
  for (const auto& peer : peers_) {
    if (peer != nullptr) {
      pids.push_back(peer->child().pid());
    }
  }
  return pids;
}

}  // namespace penstock::exec
