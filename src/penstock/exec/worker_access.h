// WorkerAccess: one task's data on the worker's side, as flow::run_task() wants it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "penstock/core/operator.h"
#include "penstock/core/value.h"
#include "penstock/exec/process_wire.h"
#include "penstock/flow/executor.h"
#include "penstock/flow/lifecycles.h"
#include "penstock/flow/wiring.h"

namespace penstock::exec {

/// Holds the present task and the states of the nodes that live here. Owner thread only.
class WorkerAccess final : public flow::TaskAccess {
 public:
  /// `cancel` and `sink` outlive this.
  WorkerAccess(std::shared_ptr<const flow::Plan> plan, const core::CancelToken* cancel,
               core::LogSink* sink);

  /// Reads a task frame and makes it the present task. kDataLoss when it cannot be one.
  base::Status load(std::span<const std::byte> frame, BufferExchange& exchange);
  /// A call without inputs becomes the present task.
  base::Status load_call(std::int32_t node, std::int64_t epoch, std::uint64_t seed);
  /// Runs the present task.
  void run(std::int32_t worker, flow::Completion& out);
  /// Lets go of inputs and outputs.
  void clear();

  /// Makes the state of `node` and starts it, or stops it.
  base::Status start_node(std::int32_t node);
  base::Status stop_node(std::int32_t node);

  const TaskHead& head() const { return head_; }
  /// True when the present task's node has a state.
  bool is_stateful() const { return plan_->nodes()[static_cast<std::size_t>(head_.node)].stateful; }

  const flow::Plan& plan() const override { return *plan_; }
  std::span<const core::Value* const> inputs(
      const flow::Task& task, std::vector<const core::Value*>& scratch) const override;
  std::span<core::Value> outputs(const flow::Task& task) const override;
  core::State* state(std::int32_t node) const override;
  std::int64_t epoch(const flow::Task& task, std::vector<std::int64_t>& path) const override;
  std::uint64_t seed() const override { return head_.seed; }
  const core::CancelToken* cancel() const override { return cancel_; }
  core::LogSink* log_sink() const override { return sink_; }
  core::HostLoop* loop() const override { return loop_.get(); }
  const core::Wiring* wiring() const override { return &wiring_; }

 private:
  base::Status begin(const TaskHead& head);
  base::Status ensure_state(std::int32_t node);

  const std::shared_ptr<const flow::Plan> plan_;
  const core::CancelToken* const cancel_;
  core::LogSink* const sink_;
  const std::shared_ptr<core::HostLoop> loop_;
  const flow::PlanWiring wiring_;
  flow::Lifecycles lifecycles_;

  std::vector<std::unique_ptr<core::State>> states_;  ///< by node
  std::vector<bool> has_state_;                       ///< by node: make_state() was called

  TaskHead head_;
  std::vector<std::int64_t> path_;
  std::vector<core::Value> inputs_;
  std::vector<const core::Value*> input_pointers_;
  mutable std::vector<core::Value> outputs_;
};

}  // namespace penstock::exec
