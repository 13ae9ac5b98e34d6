// RunState: everything a run owns, seen by executors through TaskAccess. Internal to flow.
//
// The runner's thread owns it. Executors may call the TaskAccess part from their threads, for tasks
// that are out: it reads inputs that were written before the task was handed over (the executor's
// queue orders that) and each task writes only its own outputs.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "penstock/flow/call_node.h"
#include "penstock/flow/executor.h"
#include "penstock/flow/isolation.h"
#include "penstock/flow/plan.h"
#include "penstock/flow/runner.h"
#include "penstock/flow/scheduler.h"
#include "penstock/flow/structural.h"
#include "penstock/flow/wiring.h"

namespace penstock::flow {

/// Keeps log lines until the runner's thread takes them. Thread-safe; drops beyond 10,000 lines
/// between two takes (the number dropped is said in a line).
class LogQueue : public core::LogSink {
 public:
  void log(const core::Context& context, std::string_view line) override;
  /// Swaps out what has come in; (node, line) pairs in order of arrival.
  std::vector<std::pair<std::int32_t, std::string>> take();

 private:
  static constexpr std::size_t kCapacity = 10'000;
  std::mutex mutex_;
  std::vector<std::pair<std::int32_t, std::string>> lines_;  // guarded by mutex_
  std::int64_t dropped_ = 0;                                 // guarded by mutex_
};

class RunState final : public TaskAccess {
 public:
  RunState(std::shared_ptr<const Plan> plan, const RunnerOptions& options);

  /// Makes the states of the enabled stateful operators, once.
  base::Status make_states();
  /// The same for a node that was disabled then.
  base::Status make_state(std::int32_t node);
  bool is_enabled(std::int32_t node) const override;

  const Plan& plan() const override { return *plan_; }
  std::span<const core::Value* const> inputs(
      const Task& task, std::vector<const core::Value*>& scratch) const override;
  std::span<core::Value> outputs(const Task& task) const override {
    return scheduler.outputs(task);
  }
  core::State* state(std::int32_t node) const override {
    return targets_[static_cast<std::size_t>(node)].state;
  }
  std::int64_t epoch(const Task& task, std::vector<std::int64_t>& path) const override;
  std::uint64_t seed() const override { return seed_; }
  const core::CancelToken* cancel() const override { return cancel_; }
  core::LogSink* log_sink() const override { return &logs; }
  core::HostLoop* loop() const override { return loop_.get(); }
  const core::Wiring* wiring() const override { return &wiring_; }
  Isolation* isolation() const override { return isolation_.get(); }

  const std::string& node_id(std::int32_t node) const {
    return plan_->nodes()[static_cast<std::size_t>(node)].id;
  }
  const CallTarget& target(std::int32_t node) const {
    return targets_[static_cast<std::size_t>(node)];
  }
  /// Map ids and indices of an activation, for events and messages.
  Epoch epoch_of(const Task& task) const;

  Scheduler scheduler;
  Gathers gathers;
  mutable LogQueue logs;

 private:
  /// An in-edge as a pointer recipe: `up` activations up, then slot `offset`.
  struct HotEdge {
    std::int32_t offset;  ///< kNone: not connected
    std::int32_t up;
  };

  std::shared_ptr<const Plan> plan_;
  PlanWiring wiring_;
  std::uint64_t seed_;
  const core::CancelToken* cancel_;
  std::shared_ptr<core::HostLoop> loop_;
  std::shared_ptr<Isolation> isolation_;
  std::vector<CallTarget> targets_;
  std::vector<std::int32_t> first_edge_;  ///< per node, into edges_; one more entry at the end
  std::vector<HotEdge> edges_;
  std::vector<std::unique_ptr<core::State>> states_;
  bool states_made_ = false;
};

inline std::span<const core::Value* const> RunState::inputs(
    const Task& task, std::vector<const core::Value*>& scratch) const {
  static const core::Value absent;
  const auto* activation = static_cast<const Activation*>(task.activation);
  const auto first = static_cast<std::size_t>(first_edge_[static_cast<std::size_t>(task.node)]);
  const auto last = static_cast<std::size_t>(first_edge_[static_cast<std::size_t>(task.node) + 1]);
  const std::size_t count = last - first;
  if (scratch.size() < count) [[unlikely]] {
    scratch.resize(count);
  }
  for (std::size_t i = 0; i < count; ++i) {
    const HotEdge edge = edges_[first + i];
    const Activation* at = activation;
    for (std::int32_t up = edge.up; up > 0; --up) {
      at = at->parent;
    }
    scratch[i] = edge.offset == kNone ? &absent : at->values + edge.offset;
  }
  return {scratch.data(), count};
}

inline std::int64_t RunState::epoch(const Task& task, std::vector<std::int64_t>& path) const {
  const auto* activation = static_cast<const Activation*>(task.activation);
  if (activation->parent == nullptr) [[likely]] {
    path.clear();
  } else {
    scheduler.path_of(*activation, path);
  }
  return activation->epoch;
}

}  // namespace penstock::flow
