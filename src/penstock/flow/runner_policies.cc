// What the loop does for nodes with a Policy: attempts, deadlines, resources, places. Plans without
// policies come here at the start of a run only.
#include <algorithm>

#include <fmt/format.h>

#include "penstock/base/clock.h"
#include "penstock/flow/runner_impl.h"

namespace penstock::flow {
namespace {

// How long a cancelled run, or one whose next attempt is due, may go unnoticed.
constexpr std::int32_t kLookMs = 4;
constexpr std::int64_t kNsPerMs = 1'000'000;

bool fits(const Resources& needs, const Resources& there) {
  return needs.cpu_milli <= there.cpu_milli && needs.io <= there.io &&
         needs.memory_bytes <= there.memory_bytes;
}

}  // namespace

base::Status Runner::Impl::start_policies() {
  if (!plan->has_policies()) {
    return {};
  }
  const Resources there = options_.resources.value_or(default_resources(executor_->num_workers()));
  bool isolates = false;
  for (const PlanNode& node : plan->nodes()) {
    if (node.policy != nullptr && node.enabled) {
      PENSTOCK_RETURN_IF_ERROR(check_policy(node, there));
      isolates |= needs_isolation(node) && !executor_->hosts_nodes();
    }
  }
  waiting_.emplace(there);
  return isolates ? options_.isolation->start(state_) : base::Status();
}

base::Status Runner::Impl::check_policy(const PlanNode& node, const Resources& there) const {
  const Policy& policy = *node.policy;
  for (const std::string& tag : policy.tags) {
    if (std::ranges::find(options_.tags, tag) == options_.tags.end()) {
      return base::fail(
          base::Error(
              base::ErrorCode::kFailedPrecondition,
              fmt::format("no place has the tag '{}' of node '{}'; this run has: {}", tag, node.id,
                          options_.tags.empty()
                              ? "none"
                              : fmt::format("{}", fmt::join(options_.tags, ", "))))
              .with_id("PS0416")
              .with_help("give the run its tags, or take the tag out of the node's where"));
    }
  }
  if (!fits(policy.needs, there)) {
    return base::fail(base::Error(base::ErrorCode::kResourceExhausted,
                                  fmt::format("node '{}' needs more than the run has: {} of {}",
                                              node.id, to_string(policy.needs), to_string(there)))
                          .with_id("PS0415")
                          .with_help("give the run more resources, or let the node ask for less"));
  }
  return check_timeout(node);
}

base::Status Runner::Impl::check_timeout(const PlanNode& node) const {
  if (!needs_isolation(node) || executor_->hosts_nodes()) {
    return {};
  }
  const bool has_memory = node.stateful || has_lifecycle(node);
  if (!has_memory && options_.isolation != nullptr) {
    return {};
  }
  return base::fail(
      base::Error(
          base::ErrorCode::kUnimplemented,
          fmt::format("the runner '{}' cannot keep the timeout_ms of node '{}': a Python "
                      "function ends early only with its process{}",
                      options_.name, node.id,
                      has_memory ? ", and what this one remembers is in the run's own" : ""))
          .with_id("PS0414")
          .with_help("use the processes runner, or make it a coroutine (async def)"));
}

base::Status Runner::Impl::run_governed(const Task& task, const Policy& policy, bool is_inline) {
  return waiting_->admit(task, policy) ? start_governed(task, policy, is_inline) : base::Status();
}

base::Status Runner::Impl::start_governed(const Task& task, const Policy& policy, bool is_inline) {
  if (state_.scheduler.is_failed(task)) {
    waiting_->release(policy);
    waiting_->forget(task);
    state_.scheduler.complete_absent(task);
    return {};
  }
  if (!is_inline && !state_.target(task.node).is_local) {
    batch_.push_back(task);
    return {};
  }
  return needs_isolation(plan->nodes()[static_cast<std::size_t>(task.node)])
             ? call_isolated(task)
             : call_governed(task, policy);
}

base::Status Runner::Impl::call_governed(const Task& task, const Policy& policy) {
  const std::int64_t start_ns = base::fast_ns();
  scratch_.context.deadline_ns = policy.deadline_ns(start_ns);
  auto step = call_node(state_, state_.target(task.node), task, scratch_);
  scratch_.context.deadline_ns = 0;
  const std::int64_t end_ns = base::fast_ns();
  Completion completion{.task = task,
                        .step = step.value_or(core::Step::kDone),
                        .worker = 0,
                        .start_ns = start_ns,
                        .duration_ns = end_ns - start_ns,
                        .retries = 0,
                        .status = {}};
  if (!step.has_value()) {
    completion.status = base::fail(std::move(step.error()));
  }
  PENSTOCK_RETURN_IF_ERROR(finish(completion));
  return tick_if_cancelled(end_ns);
}

base::Status Runner::Impl::call_isolated(const Task& task) {
  Completion completion{.task = task};
  base::Status ticked;
  state_.isolation()->run(task, completion, [&] {
    if (ticked.has_value()) {
      ticked = tick_if_cancelled(base::fast_ns());
    }
  });
  PENSTOCK_RETURN_IF_ERROR(finish(completion));
  return ticked;
}

bool Runner::Impl::settle(const Policy& policy, Completion& completion, std::int32_t& attempts) {
  const Task& task = completion.task;
  waiting_->release(policy);
  const bool is_over = is_cancelled();
  const bool is_late = policy.timeout_ms > 0 && !is_over &&
                       completion.step != core::Step::kExhausted &&
                       completion.duration_ns >= policy.timeout_ms * kNsPerMs;
  // A late value is no value, on every runner alike; an error of the node's own says more.
  if (is_late && (completion.status.has_value() ||
                  completion.status.error().code() == base::ErrorCode::kCancelled)) {
    completion.status = base::fail(timeout_error(policy));
  }
  const bool may_try_again = !completion.status.has_value() && policy.retry.attempts > 1 &&
                             !state_.scheduler.is_failed(task) &&
                             base::is_retryable(policy.retry, completion.status.error());
  if (!may_try_again) {
    attempts = 1 + waiting_->forget(task);
    return true;
  }
  attempts = waiting_->note_failure(task);
  if (attempts >= policy.retry.attempts || is_over) {
    if (attempts < policy.retry.attempts) {  // not the failure, but the end of the run ended it
      completion.status = base::fail(interrupted());
    }
    waiting_->forget(task);
    return true;
  }
  for (core::Value& output : state_.outputs(task)) {
    output.reset();
  }
  waiting_->put_aside(
      task, policy,
      clock_.now_ns() + base::next_delay_ns(policy.retry, attempts, chance_key(task)));
  return false;
}

std::uint64_t Runner::Impl::chance_key(const Task& task) const {
  constexpr std::uint64_t kPrime = 0x100'0000'01b3U;  // FNV-1a, over whole numbers
  std::vector<std::int64_t> path;
  std::uint64_t key = options_.seed ^ 0xcbf2'9ce4'8422'2325U;
  key = (key ^ static_cast<std::uint64_t>(task.node)) * kPrime;
  key = (key ^ static_cast<std::uint64_t>(state_.epoch(task, path))) * kPrime;
  for (const std::int64_t index : path) {
    key = (key ^ static_cast<std::uint64_t>(index)) * kPrime;
  }
  return key;
}

base::Status Runner::Impl::run_waiting(bool is_inline, std::int64_t capacity) {
  if (std::exchange(epoch_failed_, false)) {
    drop_waiting();
  }
  if (waiting_->is_empty()) {
    return {};
  }
  const std::int64_t now_ns = clock_.now_ns();
  Task task;
  while ((is_inline || num_out_ + static_cast<std::int64_t>(batch_.size()) < capacity) &&
         waiting_->pop(now_ns, task)) {
    PENSTOCK_RETURN_IF_ERROR(start_governed(task, *state_.target(task.node).policy, is_inline));
  }
  return {};
}

void Runner::Impl::drop_waiting() {
  std::vector<Task> dropped;
  waiting_->remove_if([&](const Task& task) { return state_.scheduler.is_failed(task); }, dropped);
  for (const Task& task : dropped) {
    waiting_->forget(task);
    state_.scheduler.complete_absent(task);
  }
}

base::Status Runner::Impl::sleep_until_due() {
  {
    const core::HostUnlock unlock;
    clock_.sleep_until(std::min(waiting_->next_due_ns(), clock_.now_ns() + kLookMs * kNsPerMs));
  }
  return tick_if_cancelled(base::fast_ns());
}

std::int32_t Runner::Impl::wait_limit_ms() const {
  const std::int64_t due_ns = waiting_.has_value() ? waiting_->next_due_ns() : PolicyQueue::kNever;
  if (due_ns == PolicyQueue::kNever) {
    return kLookMs;
  }
  const std::int64_t left_ns = std::max<std::int64_t>(due_ns - clock_.now_ns(), 0);
  return static_cast<std::int32_t>(
      std::min<std::int64_t>((left_ns + kNsPerMs - 1) / kNsPerMs, kLookMs));
}

base::Status Runner::Impl::tick_if_cancelled(std::int64_t now_ns) {
  // coroutines_cancelled_: the last tick has seen it.
  const bool is_news = is_cancelled() && !coroutines_cancelled_;
  return is_news || now_ns - last_tick_ns_ > kTickNs ? tick(now_ns) : base::Status();
}

}  // namespace penstock::flow
