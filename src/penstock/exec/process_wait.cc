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
      was_idle_ = false;
      if (free_slots_.size() == slots_.size()) {
        copies_.clear();
      }
      return {};
    }
    if (now >= deadline) {
      was_idle_ = true;
      return {};
    }
    // After a wait for nothing it is something long, and the loop comes by for its own reasons.
    if (was_idle_ || !may_spin() || !spin_until([&] { return has_frames(); })) {
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

// How long `task` may run before its worker is ended; 0: for ever.
std::int64_t ProcessExecutor::time_limit_ms(const flow::Task& task) const {
  const std::int64_t limit_ms = options_.task_timeout_ms;
  const flow::PlanNode& node = access_->plan().nodes()[static_cast<std::size_t>(task.node)];
  if (node.policy == nullptr || node.policy->timeout_ms == 0) {
    return limit_ms;
  }
  // What looks at the clock ends by itself, if it is let.
  const std::int64_t own_ms =
      node.policy->timeout_ms + (flow::needs_isolation(node) ? 0 : options_.cancel_grace_ms);
  return limit_ms > 0 ? std::min(limit_ms, own_ms) : own_ms;
}

// When the first task in flight must be over; far away when nothing limits it.
std::int64_t ProcessExecutor::deadline_ns(const Peer& peer) const {
  constexpr std::int64_t kFar = std::numeric_limits<std::int64_t>::max();
  if (peer.state() != Peer::State::kReady || peer.in_flight().empty() ||
      peer.in_flight().front() == kNoSlot) {
    return kFar;
  }
  const std::int64_t limit_ms = time_limit_ms(slots_[peer.in_flight().front()].task);
  return limit_ms > 0 ? peer.front_since_ns() + limit_ms * 1'000'000 : kFar;
}

std::int64_t ProcessExecutor::next_deadline_ns() const {
  std::int64_t next = std::numeric_limits<std::int64_t>::max();
  for (const auto& peer : peers_) {
    if (peer != nullptr) {
      next = std::min(next, deadline_ns(*peer));
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
