// What happens when a worker ends, a task takes too long, or the run is cancelled.
#include <algorithm>
#include <csignal>
#include <tuple>
#include <utility>

#include <fmt/core.h>

#include "penstock/base/clock.h"
#include "penstock/exec/process_executor.h"

namespace penstock::exec {
namespace {

using base::ErrorCode;

constexpr std::int64_t kHealthNs = 10'000'000;
constexpr std::int64_t kMemoryNs = 500'000'000;  // a look costs some 20 us
constexpr std::int32_t kMaxFailedStarts = 3;

base::Error cancelled() {
  return {ErrorCode::kCancelled, "interrupted"};
}

/// What a user can do about workers that ended so.
std::string_view advice(std::string_view reason) {
  return reason.contains("SIGKILL")
             ? "the kernel does so when memory runs out: give the run fewer workers, or the node "
               "resources: {memory: ...}"
             : "run it with --runner sync to see the failure in one process";
}

}  // namespace

void ProcessExecutor::check_health() {
  const std::int64_t now = base::monotonic_ns();
  next_health_ns_ = now + kHealthNs;
  if (now >= next_memory_ns_) {
    next_memory_ns_ = now + kMemoryNs;
    note_memory();
  }
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    if (peers_[i] != nullptr && peers_[i]->child().wait_end(0)) {
      replace(static_cast<std::int32_t>(i), peers_[i]->child().exit_status().to_string());
    }
  }
}

void ProcessExecutor::replace(std::int32_t worker, std::string_view reason) {
  Peer& peer = *peers_[static_cast<std::size_t>(worker)];
  const bool was_ready = peer.state() == Peer::State::kReady;
  peer.kill();
  // What it finished before its end counts. A second failure to read it changes nothing.
  std::ignore = read_frames(worker);
  ++num_replaced_;
  if (broken_) {
    break_off(*broken_);
    return;
  }
  const bool in_task =
      was_ready && !peer.in_flight().empty() && peer.in_flight().front() != kNoSlot;
  if (in_task) {
    const std::uint32_t slot = peer.in_flight().front();
    if (++slots_[slot].deaths >= options_.max_deaths) {
      const std::int32_t deaths = slots_[slot].deaths;
      peer.pop();
      fail(slot, base::Error(ErrorCode::kUnavailable,
                             fmt::format("its worker process {}, each of the {} times it ran",
                                         reason, deaths))
                     .with_id("PS0501")
                     .with_help(advice(reason)));
    }
  } else if (!was_ready || !peer.in_flight().empty()) {
    ++failed_starts_;
  }
  requeue_in_flight(worker);
  drop_peer(worker);
  if (failed_starts_ >= kMaxFailedStarts) {
    break_off(start_error(worker, reason));
  } else if (cancelled_since_ns_ == 0) {
    if (const base::Status started = start_peer(worker); !started.has_value()) {
      break_off(started.error());
    }
  }
}

void ProcessExecutor::requeue_in_flight(std::int32_t worker) {
  const auto index = static_cast<std::size_t>(worker);
  const std::deque<std::uint32_t>& in_flight = peers_[index]->in_flight();
  for (auto slot = in_flight.rbegin(); slot != in_flight.rend(); ++slot) {
    if (*slot != kNoSlot) {
      const bool any = placement_->pinned(slots_[*slot].task.node) == Placement::kAny;
      (any ? shared_queue_ : pinned_queues_[index]).push_front(*slot);
    }
  }
  for (const std::int32_t node : placement_->pinned_nodes(worker)) {
    history_.lose(node);
  }
}

void ProcessExecutor::drop_peer(std::int32_t worker) {
  const auto index = static_cast<std::size_t>(worker);
  for (const SegmentId segment : peers_[index]->link().exchange().received_segments()) {
    for (std::size_t i = 0; i < peers_.size(); ++i) {
      if (i == index || peers_[i] == nullptr || !peers_[i]->link().exchange().unsend(segment)) {
        continue;
      }
      // A worker that has ended does not mind.
      std::ignore = peers_[i]->link().send(
          FrameType::kForget, {reinterpret_cast<const char*>(&segment), sizeof segment});
    }
  }
  peers_[index].reset();
  placement_->lost(worker);
}

// By value: `error` may be broken_ itself.
void ProcessExecutor::break_off(base::Error error) {
  broken_ = error;
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    if (peers_[i] != nullptr) {
      peers_[i]->kill();
      requeue_in_flight(static_cast<std::int32_t>(i));
      drop_peer(static_cast<std::int32_t>(i));
    }
  }
  fail_queued(error);
}

void ProcessExecutor::fail_queued(const base::Error& error) {
  for (; !shared_queue_.empty(); shared_queue_.pop_front()) {
    fail(shared_queue_.front(), error);
  }
  for (std::deque<std::uint32_t>& queue : pinned_queues_) {
    for (; !queue.empty(); queue.pop_front()) {
      fail(queue.front(), error);
    }
  }
}

void ProcessExecutor::check_deadlines() {
  const std::int64_t now_ns = base::monotonic_ns();
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    Peer* const peer = peers_[i].get();
    if (peer == nullptr || deadline_ns(*peer) > now_ns) {
      continue;
    }
    const std::uint32_t slot = peer->in_flight().front();
    peer->kill();
    std::ignore = read_frames(static_cast<std::int32_t>(i));
    // It may have finished just now; otherwise it fails, and the others behind it run again.
    if (!peer->in_flight().empty() && peer->in_flight().front() == slot) {
      peer->pop();
      fail(slot, late_error(slots_[slot].task));
    }
    requeue_in_flight(static_cast<std::int32_t>(i));
    drop_peer(static_cast<std::int32_t>(i));
    ++num_replaced_;
    if (const base::Status started = start_peer(static_cast<std::int32_t>(i));
        !started.has_value()) {
      break_off(started.error());
      return;
    }
  }
}

base::Error ProcessExecutor::late_error(const flow::Task& task) const {
  const flow::PlanNode& node = access_->plan().nodes()[static_cast<std::size_t>(task.node)];
  const bool is_own =
      node.policy != nullptr && node.policy->timeout_ms > 0 &&
      (options_.task_timeout_ms <= 0 || node.policy->timeout_ms <= options_.task_timeout_ms);
  if (is_own) {
    return flow::timeout_error(*node.policy);
  }
  return base::Error(ErrorCode::kDeadlineExceeded,
                     fmt::format("took longer than the task timeout: timeout={} s",
                                 static_cast<double>(options_.task_timeout_ms) / 1000))
      .with_id("PS0503")
      .with_help("give the runner a longer task_timeout (0: none)");
}

void ProcessExecutor::check_cancelled() {
  const core::CancelToken* const token = access_->cancel();
  const bool is_cancelled = token != nullptr && token->is_cancelled();
  if (is_cancelled != (cancelled_since_ns_ != 0)) {
    cancelled_since_ns_ = is_cancelled ? base::monotonic_ns() : 0;
    for (const auto& peer : peers_) {
      if (peer != nullptr && is_cancelled) {
        peer->link().channel().cancel().cancel();
      } else if (peer != nullptr) {
        peer->link().channel().cancel().reset();
      }
    }
  }
  if (!is_cancelled) {
    return;
  }
  fail_queued(cancelled());
  if (base::monotonic_ns() - cancelled_since_ns_ < options_.cancel_grace_ms * 1'000'000) {
    return;
  }
  // Foreign code that does not look at the flag is ended with its process.
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    if (peers_[i] != nullptr && !peers_[i]->in_flight().empty()) {
      peers_[i]->kill();
      std::ignore = read_frames(static_cast<std::int32_t>(i));
      requeue_in_flight(static_cast<std::int32_t>(i));
      drop_peer(static_cast<std::int32_t>(i));
    }
  }
  fail_queued(cancelled());
}

}  // namespace penstock::exec
