#include "penstock/flow/runner.h"

#include <algorithm>
#include <cstdio>
#include <new>
#include <random>
#include <utility>

#include <fmt/format.h>

#include "penstock/base/clock.h"
#include "penstock/base/out_of_memory.h"
#include "penstock/base/process_memory.h"
#include "penstock/flow/plan_reduce.h"
#include "penstock/flow/runner_impl.h"

namespace penstock::flow {
namespace {

// Above this many nodes calls are neither timed nor counted one by one: the counters would not fit
// the cache, and cost more than the calls. Runs per node are then known at the end of an epoch.
constexpr std::size_t kLargePlan = 4096;

std::string new_run_id() {
  std::random_device random;
  return fmt::format("{:014x}-{:08x}", base::unix_us(), random());
}

/// Marks a runner as running for a scope.
class Running {
 public:
  explicit Running(bool& flag) : flag_(flag) { flag_ = true; }
  ~Running() { flag_ = false; }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  bool& flag_;
};

}  // namespace

Runner::Impl::Impl(std::shared_ptr<const Plan> plan_in, std::unique_ptr<Executor> executor,
                   RunnerOptions options)
    : plan(std::move(plan_in)),
      metrics(plan->nodes().size()),
      executor_(std::move(executor)),
      options_(std::move(options)),
      state_(plan, options_),
      lifecycles_(state_, options_.name),
      large_(plan->nodes().size() > kLargePlan),
      clock_(options_.clock != nullptr ? *options_.clock : base::real_clock()),
      next_event_id_(base::unix_us() << 10) {
  scratch_.context.seed = options_.seed;
  scratch_.context.cancel = options_.cancel;
  scratch_.context.sink = &state_.logs;
  scratch_.context.loop = state_.loop();
  scratch_.context.wiring = state_.wiring();
  for (const auto& observer : options_.observers) {
    detail_ |= observer->detail();
  }
  if (plan->reuse() != nullptr && options_.cache != nullptr) {
    reuse_ = std::make_unique<Reuse>(*plan, options_.cache);
  }
  if (executor_->is_inline() && large_) {
    for (std::size_t i = 0; i < plan->nodes().size(); ++i) {
      state_.scheduler.set_tiny(static_cast<std::int32_t>(i), true);
    }
  }
}

void Runner::Impl::add_observer(std::shared_ptr<Observer> observer) {
  detail_ |= observer->detail();
  if (started_) {
    observer->on_start(*plan, info_);
  }
  options_.observers.push_back(std::move(observer));
}

std::unique_ptr<Runner::Impl> Runner::Impl::without_known(const core::Value& inputs) {
  if (started_ || reuse_ == nullptr || (detail_ & Observer::kEvents) != 0) {
    return nullptr;
  }
  const auto values = input_values(inputs);
  if (!values.has_value()) {
    return nullptr;  // the run says so
  }
  auto reduced = PlanReducer(plan, *values, *options_.cache).reduce();
  return std::make_unique<Impl>(std::move(reduced), std::move(executor_), std::move(options_));
}

base::Result<std::unique_ptr<Runner::Impl>> Runner::Impl::only(std::int32_t node, KeptCalls calls,
                                                               const core::Value& inputs) {
  if (reuse_ == nullptr) {
    return base::fail(base::Error(base::ErrorCode::kFailedPrecondition,
                                  "one node cannot run alone: no node keeps results, or the cache "
                                  "is off")
                          .with_id("PS0422"));
  }
  PENSTOCK_ASSIGN_OR_RETURN(const auto values, input_values(inputs));
  PENSTOCK_ASSIGN_OR_RETURN(auto reduced,
                            PlanReducer(plan, values, *options_.cache).only(node, calls));
  auto out = std::make_unique<Impl>(std::move(reduced), std::move(executor_), std::move(options_));
  out->reuse_->replay(node, std::move(calls));
  return out;
}

base::Status Runner::Impl::init() {
  if (std::exchange(interrupted_, false)) {
    options_.cancel->reset();  // that Ctrl-C ended the call before this one
  }
  coroutines_cancelled_ = false;  // those of the call before this one
  if (started_) {
    return {};
  }
  PENSTOCK_RETURN_IF_ERROR(state_.make_states());
  PENSTOCK_RETURN_IF_ERROR(start_policies());
  if (auto status = start_parts(); !status.has_value()) {
    (void)stop_isolation();
    return status;
  }
  started_ = true;
  status_ = "ok";
  run_start_ns_ = last_tick_ns_ = base::fast_ns();
  return start_observers();
}

base::Status Runner::Impl::start_observers() {
  std::size_t told = 0;
  base::Status status = base::within_memory([&]() -> base::Status {
    info_ = {.run_id = new_run_id(),
             .runner = options_.name,
             .num_workers = executor_->num_workers(),
             .seed = options_.seed,
             .started_unix_us = base::unix_us()};
    for (; told < options_.observers.size(); ++told) {
      options_.observers[told]->on_start(*plan, info_);
    }
    return {};
  });
  if (!status.has_value()) {
    // The others know of no run, so they must not hear of its end.
    options_.observers.resize(told);
    status = base::fail(ran_out_of_memory());
  }
  return status;
}

base::Status Runner::Impl::start_parts() {
  if (auto assets = base::within_memory([&] { return assets_.start(*plan, state_); });
      !assets.has_value()) {
    (void)assets_.stop();
    return assets;
  }
  if (auto status = base::within_memory([&] { return executor_->start(state_); });
      !status.has_value()) {
    executor_->stop();
    (void)assets_.stop();
    return status;
  }
  if (auto nodes = base::within_memory([&] { return start_nodes(); }); !nodes.has_value()) {
    (void)lifecycles_.stop_all();
    executor_->stop();
    (void)assets_.stop();
    return nodes;
  }
  return {};
}

base::Error Runner::Impl::ran_out_of_memory() {
  out_of_memory_ = true;
  return base::out_of_memory();
}

base::Status Runner::Impl::check_usable() const {
  if (!out_of_memory_) [[likely]] {
    return {};
  }
  return base::fail(base::Error(base::ErrorCode::kFailedPrecondition,
                                "the runner has run out of memory before and can only be ended")
                        .with_id("PS0441")
                        .with_help("make a new one"));
}

base::Status Runner::Impl::stop_isolation() {
  if (state_.isolation() != nullptr) {
    state_.isolation()->stop();
  }
  return {};
}

base::Status Runner::Impl::start_nodes() {
  if (!executor_->hosts_nodes()) {
    return lifecycles_.start_all();
  }
  PENSTOCK_RETURN_IF_ERROR(lifecycles_.start_local());
  auto status = executor_->start_nodes();
  if (!status.has_value()) {
    (void)lifecycles_.stop_all();
  }
  return status;
}

base::Status Runner::Impl::stop_nodes() {
  if (!executor_->hosts_nodes()) {
    return lifecycles_.stop_all();
  }
  const base::Status stopped = executor_->stop_nodes();
  const base::Status stopped_here = lifecycles_.stop_all();
  return stopped.has_value() ? stopped_here : stopped;
}

base::Status Runner::Impl::deinit() {
  if (!started_) {
    return {};
  }
  base::Status first;
  // Each step is made, whatever becomes of those before it.
  const auto step = [&](auto body) {
    base::Status status;
    try {
      status = body();
    } catch (const std::bad_alloc&) {
      status = base::fail(ran_out_of_memory());
    }
    if (!status.has_value()) {
      status_ = "failed";
      if (first.has_value()) {
        first = std::move(status);
      }
    }
  };
  const auto told = [&](base::Status status) {
    for (const auto& observer : options_.observers) {
      if (!status.has_value()) {
        observer->on_error(status.error());
      }
    }
    return status;
  };
  step([&] { return end_open_epochs(); });
  if (std::exchange(interrupted_, false)) {
    options_.cancel->reset();  // what nodes do at their end is not to be cut short
  }
  step([&] { return told(stop_nodes()); });
  step([&] { return stop_executor(); });
  step([&] { return stop_isolation(); });
  step([&] { return told(assets_.release_all()); });
  step([&] { return told(assets_.stop()); });
  step([&] { return end_counts(); });
  started_ = false;
  for (const auto& observer : options_.observers) {
    step([&]() -> base::Status {
      observer->on_finish(summary(), metrics);
      return {};
    });
  }
  return first;
}

base::Status Runner::Impl::end_open_epochs() {
  if (out_of_memory_) {
    cancel_coroutines();  // what the epochs wait for is not known any more
  } else {
    drop_open_epochs();
  }
  return {};
}

base::Status Runner::Impl::stop_executor() {
  executor_->stop();
  return {};
}

base::Status Runner::Impl::end_counts() {
  (void)tick(base::fast_ns());
  if (reuse_ != nullptr) {
    reuse_->end_run();
  }
  count_instances();
  return {};
}

RunSummary Runner::Impl::summary() const {
  RunSummary out;
  out.status = status_;
  out.elapsed_s = static_cast<double>(base::fast_ns() - run_start_ns_) * 1e-9;
  out.epochs = metrics.epochs_finished;
  out.results = metrics.results;
  for (const NodeMetrics& node : metrics.nodes()) {
    out.retries += node.retries;
  }
  out.peak_rss_bytes = base::peak_rss_bytes();
  if (executor_ != nullptr) {  // a runner that gave way to another has none
    out.peak_rss_bytes += executor_->workers_peak_rss_bytes();
  }
  return out;
}

base::Result<std::vector<core::Value>> Runner::Impl::input_values(const core::Value& inputs) const {
  std::vector<core::Value> values(plan->tube_values().begin(), plan->tube_values().end());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const PlanInput& input = plan->inputs()[i];
    if (input.scope == Scope::kTube) {
      continue;
    }
    const core::Value* given = inputs.is(core::Kind::kMap) ? inputs.find(input.id) : nullptr;
    if (given != nullptr) {
      values[i] = *given;
    } else if (!input.default_value.is_absent()) {
      values[i] = input.default_value;
    } else if (!input.required) {
      values[i] = core::Value::null();
    } else {
      return base::fail(
          base::Error(base::ErrorCode::kInvalidArgument,
                      fmt::format("missing value for the required input '{}'", input.id))
              .with_id("PS0301")
              .with_help(fmt::format("give it to process(), for example {}=...", input.id)));
    }
  }
  return values;
}

std::int64_t Runner::Impl::begin(std::span<const core::Value> inputs) {
  ++metrics.epochs_started;
  for (const core::Value& value : inputs) {
    host_inputs_ |= value.is(core::Kind::kHost);
  }
  return state_.scheduler.begin_epoch(inputs);
}

base::Result<EpochResult> Runner::Impl::close(Activation* root) {
  EpochResult out{.epoch = root->epoch,
                  .value = take_result(root->epoch),
                  .exhausted = state_.scheduler.is_finished()};
  if (auto status = assets_.release(out.epoch); !status.has_value()) {
    errors_.try_emplace(out.epoch, status.error());
  }
  state_.scheduler.recycle(root);
  if (reuse_ != nullptr) {
    reuse_->close(out.epoch);
  }
  ++metrics.epochs_finished;
  if (errors_.empty()) [[likely]] {
    // Nothing to look up.
  } else if (const auto node = errors_.extract(out.epoch); !node.empty()) {
    status_ = node.mapped().code() == base::ErrorCode::kCancelled ? "interrupted" : "failed";
    for (const auto& observer : options_.observers) {
      observer->on_error(node.mapped());
    }
    return base::fail(node.mapped());
  }
  if ((detail_ & Observer::kEvents) != 0) {
    event_epoch_ = {.root = out.epoch, .path = {}};
    PENSTOCK_RETURN_IF_ERROR(send_event("meta", "EpochEnded", core::Value::integer(out.epoch)));
  }
  if (!out.value.is_absent()) {
    ++metrics.results;
    for (const auto& observer : options_.observers) {
      observer->on_result(out.epoch, out.value);
    }
  }
  return out;
}

// Few epochs are open at a time, and one is common: no map.
core::Value Runner::Impl::take_result(std::int64_t epoch) {
  const auto at = std::ranges::find(results_, epoch, &std::pair<std::int64_t, core::Value>::first);
  if (at == results_.end()) {
    return {};
  }
  core::Value result = std::move(at->second);
  std::swap(*at, results_.back());
  results_.pop_back();
  return result;
}

void Runner::Impl::count_instances() {
  const auto skipped = state_.scheduler.skipped();
  for (std::size_t i = 1; i < plan->nodes().size(); ++i) {
    NodeMetrics& node = metrics.node(static_cast<std::int32_t>(i));
    node.skipped = skipped[i];
    const bool may_be_fast = detail_ == 0 && reuse_ == nullptr &&
                             state_.scheduler.fast(static_cast<std::int32_t>(i)).is_eligible;
    if (large_ || may_be_fast) {  // not counted call by call
      node.runs = state_.scheduler.num_activations(plan->nodes()[i].region) - skipped[i];
    }
  }
}

void Runner::Impl::cancel_coroutines() {
  if (state_.loop() != nullptr && num_out_ > 0) {
    state_.loop()->cancel();
  }
}

void Runner::Impl::drop_open_epochs() {
  fail_open_epochs({base::ErrorCode::kCancelled, "the run has stopped"});
  if (state_.scheduler.num_open_epochs() > 0) {
    cancel_coroutines();
  }
  while (state_.scheduler.num_open_epochs() > 0) {
    auto root = drive();
    if (!root.has_value()) {
      // The executor is gone or our bookkeeping is wrong: what is out will not come back.
      std::fprintf(stderr, "penstock: %s\n", root.error().to_string().c_str());
      return;
    }
    errors_.erase((*root)->epoch);
    take_result((*root)->epoch);
    (void)assets_.release((*root)->epoch);
    state_.scheduler.recycle(*root);
    ++metrics.epochs_finished;
  }
}

base::Result<EpochResult> Runner::Impl::process(const core::Value& inputs) {
  const Running running(running_);
  PENSTOCK_RETURN_IF_ERROR(init());
  PENSTOCK_ASSIGN_OR_RETURN(const auto values, input_values(inputs));
  const core::HostBridge* const bridge = core::host_bridge();
  scratch_.holds_host = bridge != nullptr && bridge->is_locked();
  begin(values);
  auto root = drive();
  if (!root.has_value()) {
    status_ = "failed";
    drop_open_epochs();
    return base::fail(root.error());
  }
  return close(*root);
}

base::Status Runner::Impl::run(std::optional<std::int64_t> num_epochs, const core::Value& inputs,
                               const std::function<base::Status(EpochResult)>& sink) {
  const Running running(running_);
  PENSTOCK_RETURN_IF_ERROR(init());
  PENSTOCK_ASSIGN_OR_RETURN(const auto values, input_values(inputs));
  const core::HostBridge* const bridge = core::host_bridge();
  scratch_.holds_host = bridge != nullptr && bridge->is_locked();
  Scheduler& scheduler = state_.scheduler;
  std::int64_t begun = 0;
  std::int64_t next = scheduler.next_epoch();
  std::map<std::int64_t, base::Result<EpochResult>> waiting;  // closed before an earlier one
  base::Status status;
  while (status.has_value()) {
    while (begun < num_epochs.value_or(begun + 1) && scheduler.can_begin_epoch() &&
           scheduler.num_open_epochs() + waiting.size() <
               static_cast<std::size_t>(options_.max_epochs_in_flight)) {
      begin(values);
      ++begun;
      status = run_ready();
      if (!status.has_value()) {
        break;
      }
    }
    if (scheduler.num_open_epochs() == 0 || !status.has_value()) {
      break;
    }
    // The sources may be done with this epoch long before it closes.
    auto root = drive(begun < num_epochs.value_or(begun + 1) &&
                      scheduler.num_open_epochs() + waiting.size() <
                          static_cast<std::size_t>(options_.max_epochs_in_flight));
    if (!root.has_value()) {
      status = base::fail(root.error());
      break;
    }
    if (*root == nullptr) {
      continue;
    }
    if (const std::int64_t epoch = (*root)->epoch; epoch != next) {
      waiting.emplace(epoch, close(*root));
      continue;
    }
    auto result = close(*root);
    status = result.has_value() ? sink(std::move(*result)) : base::fail(result.error());
    ++next;
    for (auto at = waiting.find(next); at != waiting.end() && status.has_value();
         at = waiting.find(++next)) {
      if (!at->second.has_value()) {
        status = base::fail(at->second.error());
      } else {
        status = sink(std::move(*at->second));
      }
      waiting.erase(at);
    }
  }
  if (!status.has_value()) {
    status_ = status.error().code() == base::ErrorCode::kCancelled ? "interrupted" : "failed";
    drop_open_epochs();
  }
  return status;
}

Runner::Runner(std::shared_ptr<const Plan> plan, std::unique_ptr<Executor> executor,
               RunnerOptions options)
    : impl_(std::make_unique<Impl>(std::move(plan), std::move(executor), std::move(options))) {
}

Runner::~Runner() {
  if (const auto stopped = deinit(); !stopped.has_value()) {
    std::fprintf(stderr, "penstock: %s\n", stopped.error().message().c_str());
  }
}

// What the loop throws for want of memory leaves its bookkeeping half done: the runner can only be
// ended after that. (An operator's is caught where it is called, and is a failed node.)
void Runner::skip_known(const core::Value& inputs) try {
  if (auto without = impl_->without_known(inputs); without != nullptr) {
    impl_ = std::move(without);
  }
} catch (const std::bad_alloc&) {
  (void)impl_->ran_out_of_memory();  // the next call says so
}
base::Status Runner::run_only(std::int32_t node, KeptCalls calls, const core::Value& inputs) try {
  PENSTOCK_ASSIGN_OR_RETURN(impl_, impl_->only(node, std::move(calls), inputs));
  return {};
} catch (const std::bad_alloc&) {
  return base::fail(impl_->ran_out_of_memory());
}
base::Result<std::vector<PlannedCall>> Runner::dry_run(const core::Value& inputs) try {
  skip_known(inputs);
  PENSTOCK_RETURN_IF_ERROR(impl_->check_usable());
  return impl_->dry_run(inputs);
} catch (const std::bad_alloc&) {
  return base::fail(impl_->ran_out_of_memory());
}
base::Status Runner::init() try {
  PENSTOCK_RETURN_IF_ERROR(impl_->check_usable());
  return impl_->init();
} catch (const std::bad_alloc&) {
  return base::fail(impl_->ran_out_of_memory());
}
base::Status Runner::deinit() try { return impl_->deinit(); } catch (const std::bad_alloc&) {
  return base::fail(impl_->ran_out_of_memory());
}
base::Result<EpochResult> Runner::process(const core::Value& inputs) try {
  PENSTOCK_RETURN_IF_ERROR(impl_->check_usable());
  return impl_->process(inputs);
} catch (const std::bad_alloc&) {
  return base::fail(impl_->ran_out_of_memory());
}
base::Status Runner::run(std::optional<std::int64_t> num_epochs, const core::Value& inputs,
                         const std::function<base::Status(EpochResult)>& sink) try {
  PENSTOCK_RETURN_IF_ERROR(impl_->check_usable());
  return impl_->run(num_epochs, inputs, sink);
} catch (const std::bad_alloc&) {
  return base::fail(impl_->ran_out_of_memory());
}
base::Status Runner::enable_node(std::string_view id) try {
  PENSTOCK_RETURN_IF_ERROR(impl_->check_usable());
  return impl_->set_enabled(id, true);
} catch (const std::bad_alloc&) {
  return base::fail(impl_->ran_out_of_memory());
}
base::Status Runner::disable_node(std::string_view id) try {
  PENSTOCK_RETURN_IF_ERROR(impl_->check_usable());
  return impl_->set_enabled(id, false);
} catch (const std::bad_alloc&) {
  return base::fail(impl_->ran_out_of_memory());
}
const Plan& Runner::plan() const {
  return *impl_->plan;
}
const RunMetrics& Runner::metrics() const {
  impl_->count_instances();
  return impl_->metrics;
}
RunSummary Runner::summary() const {
  return impl_->summary();
}
void Runner::add_observer(std::shared_ptr<Observer> observer) {
  impl_->add_observer(std::move(observer));
}

}  // namespace penstock::flow
