// The loop for native nodes that take less than their own bookkeeping: one clock per window of
// calls, no counters, and, from the start of an epoch, no countdowns either.
#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

#include "penstock/base/clock.h"
#include "penstock/flow/runner_impl.h"

namespace penstock::flow {
namespace {

constexpr std::int64_t kTinyNs = 1'000;  // a hand-over to another thread and back costs more
constexpr std::size_t kFastWindow = 64;
constexpr std::size_t kStraightWindow = 256;

}  // namespace

// Calls FastNodes of one root epoch.
class Runner::Impl::FastCaller {
 public:
  explicit FastCaller(Impl& runner)
      : state_(runner.state_),
        context_(runner.scratch_.context),
        edges_(runner.state_.scheduler.fast_edges()) {
    context_.path = {};
    call_.context = &context_;
  }
  void enter(const Activation* root) {
    values_ = root->values;
    context_.epoch = root->epoch;
  }
  /// `edges`: where the inputs are among the root's values.
  base::Result<core::Step> call(const core::Operator* op, std::int32_t node,
                                const std::int32_t* edges, std::uint16_t num_edges,
                                std::int32_t signal) {
    for (std::uint16_t i = 0; i < num_edges; ++i) {
      inputs_[i] = values_ + edges[i];
    }
    call_.inputs = {inputs_, num_edges};
    call_.outputs = {values_ + signal, 1};
    context_.node = node;
    context_.node_id = &state_.node_id(node);
    return op->call(call_);
  }
  base::Result<core::Step> call(const StraightStep& step) {
    return call(step.op, step.node, step.num_edges == 1 ? &step.edge : edges_ + step.edge,
                step.num_edges, step.signal);
  }
  base::Result<core::Step> call(std::int32_t node, const FastNode& fast) {
    return call(fast.op, node, edges_ + fast.first_edge, fast.num_edges, fast.signal);
  }

 private:
  const RunState& state_;
  core::Context& context_;
  const std::int32_t* edges_;
  core::Value* values_ = nullptr;
  core::Call call_;
  const core::Value* inputs_[64];
};

namespace {

base::Error not_a_source() {
  return {base::ErrorCode::kInternal, "ended, but it is no source"};
}

}  // namespace

bool Runner::Impl::may_run_fast() const {
  return detail_ == 0 && reuse_ == nullptr && dry_ == nullptr && !plan->needs_host() &&
         !host_inputs_ && executor_->lets_loop_run_tiny_nodes();
}

void Runner::Impl::learn_tiny(const Completion& completion) {
  state_.scheduler.set_tiny(completion.task.node,
                            completion.duration_ns > 0 && completion.duration_ns < kTinyNs);
}

// An epoch of which nothing has run yet: its nodes in the order known beforehand, as long as each
// gives its signal. What stopped it, if anything did, is the next node of the queue.
base::Status Runner::Impl::run_straight() {
  Scheduler& scheduler = state_.scheduler;
  Activation* const root = scheduler.straight_root();
  if (root == nullptr) {
    return {};
  }
  const std::span<const StraightStep> steps = scheduler.straight();
  base::Status clock;
  std::optional<base::Error> failure;
  bool stopped = false;
  std::size_t done = 0;
  {
    const core::HostUnlock unlock;
    FastCaller caller(*this);
    caller.enter(root);
    while (done < steps.size() && !stopped && !root->failed && clock.has_value()) {
      const std::size_t begin = done;
      const std::size_t end = std::min(done + kStraightWindow, steps.size());
      try {
        for (; done < end; ++done) {
          const StraightStep& step = steps[done];
          const auto outcome = caller.call(step);
          if (!outcome.has_value() || *outcome != core::Step::kDone) [[unlikely]] {
            failure = outcome.has_value() ? not_a_source() : outcome.error();
            stopped = true;
            break;
          }
          const core::Value& value = root->values[step.signal];
          if (value.is_absent() || (is_on_heap(value) && may_be_large(value))) [[unlikely]] {
            stopped = true;
            break;
          }
        }
      } catch (...) {
        failure = describe_exception(std::current_exception());
        stopped = true;
      }
      if (took_long(done - begin)) {
        for (std::size_t i = begin; i < done; ++i) {
          scheduler.set_tiny(steps[i].node, false);
        }
      }
      clock = tick_if_due();
    }
  }
  scheduler.catch_up(root, done);
  if (stopped) {
    Task task;
    PENSTOCK_CHECK(scheduler.pop(task));
    if (failure.has_value()) {
      ++metrics.node(task.node).failed;
      fail_node(task, *failure);
    } else {
      scheduler.complete(task);
    }
  }
  return clock;
}

// Calls ready nodes that are known to be tiny. Returns false when nothing is ready; else `next` is
// a node for the ordinary path, or has no activation when the window is full and the clock is due.
bool Runner::Impl::run_fast(Task& next) {
  Scheduler& scheduler = state_.scheduler;
  const core::HostUnlock unlock;
  FastCaller caller(*this);
  std::array<std::int32_t, kFastWindow> called;
  std::size_t num_called = 0;
  bool more = true;
  while (num_called < kFastWindow) {
    next.activation = nullptr;
    more = scheduler.pop(next);
    if (!more) {
      break;
    }
    auto* const root = static_cast<Activation*>(next.activation);
    const FastNode& fast = scheduler.fast(next.node);
    if (!fast.is_tiny || root->failed) [[unlikely]] {
      break;
    }
    called[num_called++] = next.node;
    caller.enter(root);
    std::optional<base::Error> failure;
    try {
      const auto step = caller.call(next.node, fast);
      if (step.has_value() && *step == core::Step::kDone) [[likely]] {
        if (scheduler.releases() || is_on_heap(root->values[fast.signal])) [[unlikely]] {
          scheduler.complete(next);
        } else {
          scheduler.complete_fast(root, next.node, fast);
        }
        next.activation = nullptr;
        continue;
      }
      failure = step.has_value() ? not_a_source() : step.error();
    } catch (...) {
      failure = describe_exception(std::current_exception());
    }
    ++metrics.node(next.node).failed;
    fail_node(next, *failure);
    next.activation = nullptr;
  }
  if (took_long(num_called)) {
    for (std::size_t i = 0; i < num_called; ++i) {
      scheduler.set_tiny(called[i], false);
    }
  }
  return more;
}

// Which node of a window is not tiny any more shows when they are timed one by one again. The
// inline executor has no one to hand a node to.
bool Runner::Impl::took_long(std::size_t num_calls) {
  const std::int64_t now_ns = base::fast_ns();
  const std::int64_t spent_ns = now_ns - std::exchange(fast_window_ns_, now_ns);
  return !executor_->is_inline() && spent_ns > kTinyNs * static_cast<std::int64_t>(num_calls);
}

base::Status Runner::Impl::tick_if_due() {
  return fast_window_ns_ - last_tick_ns_ > kTickNs ? tick(fast_window_ns_) : base::Status();
}

}  // namespace penstock::flow
