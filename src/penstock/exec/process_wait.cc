// Waiting for completions without wasting the core that a worker may need.
#include <poll.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "penstock/base/clock.h"
#include "penstock/exec/channel_spin.h"
#include "penstock/exec/process_executor.h"

namespace penstock::exec {

base::Status ProcessExecutor::wait(std::vector<flow::Completion>& out, std::int32_t timeout_ms) {
  const std::int64_t deadline = base::monotonic_ns() + std::int64_t{timeout_ms} * 1'000'000;
  for (;;) {
    collect();
    check_cancelled();
    std::int64_t now = base::monotonic_ns();
    if (now >= next_health_ns_) {
      check_health();
      check_deadlines();
    }
    // First new work for the workers, then the results for the run.
    dispatch();
    if (!finished_.empty()) {
      out.insert(out.end(), std::make_move_iterator(finished_.begin()),
                 std::make_move_iterator(finished_.end()));
      finished_.clear();
      if (free_slots_.size() == slots_.size()) {
        copies_.clear();
      }
      return {};
    }
    if (now >= deadline) {
      return {};
    }
    if (!may_spin() || !spin_until([&] { return has_frames(); })) {
      sleep(std::min(deadline, next_deadline_ns()));
    }
  }
}

bool ProcessExecutor::has_frames() const {
  return std::ranges::any_of(peers_, [](const auto& peer) {
    return peer != nullptr && !peer->link().channel().reader().is_empty();
  });
}

bool ProcessExecutor::may_spin() const {
  const auto busy = std::ranges::count_if(
      peers_, [](const auto& peer) { return peer != nullptr && !peer->in_flight().empty(); });
  return busy < num_cores_;
}

std::int64_t ProcessExecutor::next_deadline_ns() const {
  std::int64_t next = std::numeric_limits<std::int64_t>::max();
  for (const auto& peer : peers_) {
    if (peer != nullptr && peer->front_since_ns() != 0 && options_.task_timeout_ms > 0) {
      next = std::min(next, peer->front_since_ns() + options_.task_timeout_ms * 1'000'000);
    }
  }
  if (cancelled_since_ns_ != 0) {
    next = std::min(next, cancelled_since_ns_ + options_.cancel_grace_ms * 1'000'000);
  }
  return next;
}

void ProcessExecutor::sleep(std::int64_t until_ns) {
  std::vector<pollfd> waits{{setup_.bell.get(), POLLIN, 0}};
  for (const auto& peer : peers_) {
    if (peer != nullptr) {
      peer->link().channel().announce_sleep(Sleep::kForFrames);
      waits.push_back({peer->child().pidfd(), POLLIN, 0});
    }
  }
  if (!has_frames()) {
    const std::int64_t left_ns = std::max<std::int64_t>(until_ns - base::monotonic_ns(), 0);
    const timespec limit{left_ns / 1'000'000'000, left_ns % 1'000'000'000};
    // A signal ends the sleep early; the run's loop looks after signals.
    if (::ppoll(waits.data(), waits.size(), &limit, nullptr) > 0) {
      Channel::clear_bell(waits[0].fd);
      if (std::any_of(waits.begin() + 1, waits.end(), [](const pollfd& p) { return p.revents; })) {
        next_health_ns_ = 0;
      }
    } else {
      next_health_ns_ = 0;
    }
  }
  for (const auto& peer : peers_) {
    if (peer != nullptr) {
      peer->link().channel().announce_awake();
    }
  }
}

}  // namespace penstock::exec
