// The one loop of all runners.
#include <algorithm>

#include <fmt/format.h>

#include "penstock/base/clock.h"
#include "penstock/flow/runner_impl.h"

namespace penstock::flow {
namespace {

constexpr std::int64_t kSlowCallNs = 2'000;
constexpr std::uint32_t kCallsPerSample = 8;

}  // namespace

base::Result<Activation*> Runner::Impl::drive(bool may_begin) {
  while (true) {
    PENSTOCK_RETURN_IF_ERROR(run_ready());
    if (Activation* root = state_.scheduler.pop_closed()) {
      return root;
    }
    if (may_begin && state_.scheduler.can_begin_epoch()) {
      return nullptr;
    }
    if (num_out_ == 0) {
      if (state_.scheduler.num_ready() == 0) {
        if (!waiting_.has_value() || waiting_->is_empty()) {
          return base::fail(no_progress());
        }
        PENSTOCK_RETURN_IF_ERROR(sleep_until_due());
      }
      continue;
    }
    PENSTOCK_RETURN_IF_ERROR(wait_for_completions());
  }
}

base::Status Runner::Impl::run_ready() {
  Scheduler& scheduler = state_.scheduler;
  const bool is_inline = executor_->is_inline();
  const std::int64_t capacity = is_inline ? 1 : executor_->capacity();
  if (waiting_.has_value()) [[unlikely]] {
    PENSTOCK_RETURN_IF_ERROR(run_waiting(is_inline, capacity));
  }
  const bool fast = may_run_fast();
  if (fast) {
    fast_window_ns_ = base::fast_ns();
    PENSTOCK_RETURN_IF_ERROR(run_straight());
  }
  while (is_inline || num_out_ + static_cast<std::int64_t>(batch_.size()) < capacity) {
    Task task;
    if (fast) {
      const bool more = run_fast(task);
      PENSTOCK_RETURN_IF_ERROR(tick_if_due());
      if (!more) {
        break;
      }
      if (task.activation == nullptr) {
        continue;  // only the clock was due
      }
    } else if (!scheduler.pop(task)) {
      break;
    }
    PENSTOCK_RETURN_IF_ERROR(run_any(task, is_inline));
  }
  return flush_batch();
}

base::Status Runner::Impl::run_any(const Task& task, bool is_inline) {
  if (state_.scheduler.is_failed(task)) [[unlikely]] {
    state_.scheduler.complete_absent(task);
    return {};
  }
  if (dry_ != nullptr) [[unlikely]] {
    return run_dry(task);
  }
  const CallTarget& target = state_.target(task.node);
  if (target.op == nullptr) {
    return run_structural(task);
  }
  if (target.is_kept && reuse_ != nullptr) [[unlikely]] {
    PENSTOCK_ASSIGN_OR_RETURN(const bool is_known, run_reused(task));
    if (is_known) {
      return {};
    }
  }
  if (target.policy != nullptr) [[unlikely]] {
    return run_governed(task, *target.policy, is_inline);
  }
  if (is_inline || target.is_local) {
    return run_inline(task);
  }
  batch_.push_back(task);
  if (executor_->keeps_order()) {
    state_.scheduler.pass_turn_on(task);
  }
  return {};
}

base::Result<bool> Runner::Impl::run_reused(const Task& task) {
  const std::int64_t start_ns = base::fast_ns();
  const bool is_given = plan->reuse()->nodes[static_cast<std::size_t>(task.node)].is_given;
  if (is_given) {
    core::Call call;
    call.outputs = state_.scheduler.outputs(task);
    PENSTOCK_RETURN_IF_ERROR(state_.target(task.node).op->call(call));
    reuse_->given(task);
  } else {
    const auto found = reuse_->find(state_, task);
    if (!found.has_value()) {
      PENSTOCK_RETURN_IF_ERROR(fail_structural(task, found.error()));
      return true;
    }
    if (!*found) {
      return false;
    }
  }
  ++metrics.node(task.node).reused;
  tell_reuse(task);
  const Completion completion{
      .task = task, .start_ns = start_ns, .duration_ns = base::fast_ns() - start_ns, .status = {}};
  record(completion, NodeStatus::kReused);
  if ((detail_ & Observer::kEvents) != 0) {
    emit_events(task);
  }
  state_.scheduler.complete(task);
  return true;
}

void Runner::Impl::tell_reuse(const Task& task) {
  ReuseFact fact = reuse_->fact();
  std::vector<std::int64_t> path;
  fact.root_epoch = state_.epoch(task, path);
  fact.path = path;
  for (const auto& observer : options_.observers) {
    observer->on_reuse(fact);
  }
}

base::Status Runner::Impl::run_inline(const Task& task) {
  NodeMetrics& counts = metrics.node(task.node);
  // The clock and the histogram cost a tenth of a tiny Python call: those are sampled.
  const bool timed = counts.is_slow || detail_ != 0 || reuse_ != nullptr ||
                     ++num_calls_ % kCallsPerSample == 0 ||
                     counts.duration.count() < kCallsPerSample;
  const std::int64_t start_ns = timed ? base::fast_ns() : 0;
  auto step = call_node(state_, state_.target(task.node), task, scratch_);
  if (!scratch_.converted.empty()) {
    scratch_.converted.clear();  // they may be large
  }
  if (!timed && !target_is_asset(task) && step.has_value() && *step == core::Step::kDone)
      [[likely]] {
    const auto outputs = state_.scheduler.outputs(task);
    ++counts.runs;
    if (outputs.size() == 1 && outputs[0].is_absent()) {
      ++counts.no_event;
    }
    state_.scheduler.complete(task);
    return {};
  }
  const std::int64_t end_ns = base::fast_ns();
  Completion completion{.task = task,
                        .step = step.value_or(core::Step::kDone),
                        .worker = 0,
                        .start_ns = timed ? start_ns : end_ns,
                        .duration_ns = timed ? end_ns - start_ns : 0,
                        .retries = 0,
                        .status = {}};
  if (!step.has_value()) {
    completion.status = base::fail(std::move(step.error()));
  }
  PENSTOCK_RETURN_IF_ERROR(finish(completion));
  return end_ns - last_tick_ns_ > kTickNs ? tick(end_ns) : base::Status();
}

base::Status Runner::Impl::run_structural(const Task& task) {
  Scheduler& scheduler = state_.scheduler;
  const PlanNode& node = plan->nodes()[static_cast<std::size_t>(task.node)];
  ++metrics.node(task.node).runs;
  switch (node.kind) {
    case NodeKind::kMap:
      return run_map(task);
    case NodeKind::kGather:
      return run_gather(task);
    case NodeKind::kReturn:
      if (core::Value result = build_result(*plan, scheduler, task); !result.is_absent()) {
        results_.emplace_back(static_cast<Activation*>(task.activation)->epoch, std::move(result));
      }
      break;
    case NodeKind::kAssetEnd:
      if (auto status = assets_.end_use(*plan, state_, task); !status.has_value()) {
        return fail_structural(task, status.error());
      }
      break;
    case NodeKind::kTube:
      open_tube(*plan, scheduler, task);
      break;
    case NodeKind::kTubeReturn:
      close_tube(*plan, scheduler, task);
      if ((detail_ & Observer::kEvents) != 0) {
        emit_events(task);
      }
      break;
    case NodeKind::kInput:
    case NodeKind::kOperator:
    case NodeKind::kAsset:
      PENSTOCK_CHECK(false);  // the input is never ready, and the others have an operator
  }
  scheduler.complete(task);
  return {};
}

base::Status Runner::Impl::fail_structural(const Task& task, const base::Error& error) {
  ++metrics.node(task.node).failed;
  fail_node(task, error);
  return {};
}

base::Status Runner::Impl::run_map(const Task& task) {
  Scheduler& scheduler = state_.scheduler;
  const PlanNode& node = plan->nodes()[static_cast<std::size_t>(task.node)];
  const InEdge& edge = plan->in_edges(node)[0];
  auto elements = elements_of(scheduler.input(*static_cast<Activation*>(task.activation), edge));
  if (!elements.has_value()) {
    return fail_structural(task, elements.error());
  }
  const bool is_empty = elements->empty();
  std::vector<core::Value> kept;
  if ((detail_ & Observer::kEvents) != 0) {
    kept = *elements;
  }
  scheduler.complete_map(task, std::move(*elements));
  metrics.node(task.node).no_event += is_empty ? 1 : 0;
  if (kept.empty()) {
    return {};
  }
  emit_events(task);
  const Epoch outer = state_.epoch_of(task);
  for (std::size_t i = 0; i < kept.size() && !scheduler.is_failed(task); ++i) {
    event_epoch_ = outer;
    event_epoch_.path.emplace_back(node.id, static_cast<std::int64_t>(i));
    if (auto sent = send_event(node.id, "value", kept[i]); !sent.has_value()) {
      fail_watched(task, sent.error());
    }
  }
  return {};
}

base::Status Runner::Impl::run_gather(const Task& task) {
  Scheduler& scheduler = state_.scheduler;
  auto emitted = state_.gathers.run(*plan, scheduler, task);
  if (!emitted.has_value()) {
    return fail_structural(task, emitted.error());
  }
  metrics.node(task.node).no_event += emitted->is_absent() ? 1 : 0;
  scheduler.outputs(task)[0] = std::move(*emitted);
  if ((detail_ & Observer::kEvents) != 0) {
    emit_events(task);
  }
  scheduler.complete(task);
  return {};
}

base::Status Runner::Impl::flush_batch() {
  if (batch_.empty()) {
    return {};
  }
  num_out_ += static_cast<std::int64_t>(batch_.size());
  for (const Task& task : batch_) {
    ++metrics.node(task.node).running;
  }
  const base::Status status = executor_->submit(batch_);
  batch_.clear();
  return status;
}

base::Status Runner::Impl::wait_for_completions() {
  completions_.clear();
  base::Status waited;
  {
    const core::HostUnlock unlock;
    waited = executor_->wait(completions_, wait_limit_ms());
  }
  const std::int64_t now_ns = base::fast_ns();
  for (Completion& completion : completions_) {
    --num_out_;
    --metrics.node(completion.task.node).running;
    if (completion.status.has_value()) {
      learn_tiny(completion);
    }
    PENSTOCK_RETURN_IF_ERROR(finish(completion));
  }
  PENSTOCK_RETURN_IF_ERROR(waited);
  return tick_if_cancelled(now_ns);
}

base::Status Runner::Impl::finish(Completion& completion) {
  Scheduler& scheduler = state_.scheduler;
  const Task& task = completion.task;
  NodeMetrics& counts = metrics.node(task.node);
  counts.retries += completion.retries;
  std::int32_t attempts = 1;
  if (const Policy* const policy = state_.target(task.node).policy; policy != nullptr)
      [[unlikely]] {
    if (!settle(*policy, completion, attempts)) {
      ++counts.retries;
      return {};
    }
  }
  const bool gave_asset = completion.status.has_value() &&
                          completion.step != core::Step::kExhausted && target_is_asset(task);
  if (gave_asset) {
    assets_.keep(*plan, scheduler, task);  // first, so that it is let go of whatever comes next
  }
  ++counts.runs;
  if (completion.duration_ns > 0 && !large_) {
    counts.duration.add(completion.duration_ns);
    counts.is_slow = completion.duration_ns > kSlowCallNs;
  }
  if (!completion.status.has_value()) {
    if (completion.status.error().code() == base::ErrorCode::kCancelled &&
        scheduler.is_failed(task)) {
      --counts.runs;  // not called: its epoch had failed
      if (reuse_ != nullptr) {
        reuse_->forget(task);
      }
      scheduler.complete_absent(task);
      return {};
    }
    ++counts.failed;
    if (reuse_ != nullptr) {
      reuse_->forget(task);
    }
    record(completion, NodeStatus::kFailed);
    fail_node(task, completion.status.error(), attempts);
    return {};
  }
  if (completion.step == core::Step::kExhausted) {
    --counts.runs;  // it did not run: it said that it has ended
    record(completion, NodeStatus::kExhausted);
    scheduler.complete_exhausted(task);
    return {};
  }
  if (gave_asset) {
    scheduler.complete(task);
    return {};
  }
  if (reuse_ != nullptr && state_.target(task.node).is_kept &&
      reuse_->keep(state_, task, completion.duration_ns)) {
    tell_reuse(task);
  }
  const bool emitted = std::ranges::any_of(
      scheduler.outputs(task), [](const core::Value& value) { return !value.is_absent(); });
  counts.no_event += emitted ? 0 : 1;
  record(completion, emitted ? NodeStatus::kRan : NodeStatus::kNoEvent);
  if ((detail_ & Observer::kEvents) != 0 && emitted) {
    emit_events(task);
  }
  scheduler.complete(task);
  return {};
}

void Runner::Impl::record(const Completion& completion, NodeStatus status) {
  if ((detail_ & Observer::kNodeRuns) == 0) {
    return;
  }
  std::vector<std::int64_t> path;
  const std::int64_t epoch = state_.epoch(completion.task, path);
  const NodeRun run{.node = completion.task.node,
                    .root_epoch = epoch,
                    .path = path,
                    .worker = completion.worker,
                    .start_us = (completion.start_ns - run_start_ns_) / 1000,
                    .duration_ns = completion.duration_ns,
                    .status = status};
  for (const auto& observer : options_.observers) {
    observer->on_node_run(run);
  }
}

void Runner::Impl::fail_node(const Task& task, const base::Error& error, std::int32_t attempts) {
  const Epoch epoch = state_.epoch_of(task);
  base::Error full = error.with_context(
      fmt::format("node '{}', epoch {}{}", state_.node_id(task.node), epoch.to_string(),
                  attempts > 1 ? fmt::format(", after {} attempts", attempts) : ""));
  if (full.id().empty()) {
    full = full.with_id("PS0401");
  }
  // A node that was told to end says so in words of its own; what happened is that the run ended.
  if (error.code() == base::ErrorCode::kCancelled && is_cancelled()) {
    full = interrupted();
  }
  errors_.try_emplace(epoch.root, std::move(full));
  epoch_failed_ = true;
  state_.scheduler.fail_epoch(task);
  state_.scheduler.complete_absent(task);
}

void Runner::Impl::fail_open_epochs(const base::Error& error) {
  epoch_failed_ = true;
  state_.scheduler.for_each_open([&](Activation& root) {
    root.failed = true;
    errors_.try_emplace(root.epoch, error);
  });
}

base::Status Runner::Impl::send_event(std::string_view node_id, std::string_view signal,
                                      const core::Value& value) {
  // Ids increase and differ between the runners of a process without shared state: each counts up
  // from its own start time in 1/1024 us.
  const Event event{.id = next_event_id_++,
                    .timestamp_us = base::unix_us(),
                    .node_id = node_id,
                    .signal = signal,
                    .epoch = &event_epoch_,
                    .value = &value};
  for (const auto& observer : options_.observers) {
    if ((observer->detail() & Observer::kEvents) != 0) {
      PENSTOCK_RETURN_IF_ERROR(observer->on_event(event));
    }
  }
  return {};
}

void Runner::Impl::emit_events(const Task& task) {
  if (state_.scheduler.is_failed(task)) [[unlikely]] {
    return;  // an observer has said no to this epoch, or a node has failed
  }
  const PlanNode& node = plan->nodes()[static_cast<std::size_t>(task.node)];
  const auto outputs = state_.scheduler.outputs(task);
  event_epoch_ = state_.epoch_of(task);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].is_absent()) {
      continue;
    }
    const auto signal = static_cast<std::size_t>(node.first_signal) + i;
    if (auto sent = send_event(node.id, plan->signal_names()[signal], outputs[i]);
        !sent.has_value()) {
      fail_watched(task, sent.error());
      return;
    }
  }
}

void Runner::Impl::fail_watched(const Task& task, const base::Error& error) {
  errors_.try_emplace(event_epoch_.root, error);
  state_.scheduler.fail_epoch(task);
}

base::Status Runner::Impl::tick(std::int64_t now_ns) {
  last_tick_ns_ = now_ns;
  if (!options_.observers.empty()) {
    count_instances();
  }
  for (const auto& [node, line] : state_.logs.take()) {
    for (const auto& observer : options_.observers) {
      observer->on_log(node, line);
    }
  }
  if (reuse_ != nullptr) {
    send_reuse_notes();
  }
  for (const auto& observer : options_.observers) {
    observer->on_tick(metrics);
  }
  if (core::host_bridge() != nullptr) {
    const core::HostLock lock;
    if (auto status = core::host_bridge()->check_signals(); !status.has_value()) {
      // Operators and executors look at the token: what runs ends soon.
      if (options_.cancel != nullptr) {
        options_.cancel->cancel();
        interrupted_ = true;
      }
      fail_open_epochs(status.error());
    }
  }
  const bool is_over = is_cancelled();
  if (is_over) {
    fail_open_epochs(interrupted());
    if (!coroutines_cancelled_) {  // once: what they do at their end is not to be cut short
      cancel_coroutines();
    }
  }
  coroutines_cancelled_ = is_over;
  return {};
}

void Runner::Impl::send_reuse_notes() {
  for (const auto& [node, line] : reuse_->take_notes()) {
    for (const auto& observer : options_.observers) {
      observer->on_log(node, line);
    }
  }
}

base::Error Runner::Impl::no_progress() const {
  std::string waiting;
  for (const auto& [node, count] : state_.scheduler.blocked(8)) {
    waiting += fmt::format("{}'{}' waits for {} input(s)", waiting.empty() ? "" : ", ",
                           state_.node_id(node), count);
  }
  return base::Error(base::ErrorCode::kInternal, "no progress: " + waiting).with_id("PS0405");
}

}  // namespace penstock::flow
