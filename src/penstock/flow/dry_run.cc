// See dry_run.h; the loop's part of it too.
#include "penstock/flow/dry_run.h"

#include <algorithm>
#include <utility>

#include "penstock/flow/runner_impl.h"

namespace penstock::flow {

const core::Value& DryRun::unknown() {
  static const core::Value marker = core::Value::extension("penstock.unknown", core::Value::null());
  return marker;
}

bool DryRun::is_unknown(const core::Value& value) {
  if (value.is(core::Kind::kList)) {
    return std::ranges::any_of(value.as_list(), is_unknown);
  }
  return value.is_same_object(unknown());
}

namespace {

/// `node`, or where it takes what it hands on from when it computes nothing.
void add_computing(const Plan& plan, std::int32_t node, std::vector<std::int32_t>& out) {
  const PlanNode& facts = plan.nodes()[static_cast<std::size_t>(node)];
  if (facts.kind == NodeKind::kOperator) {
    if (std::ranges::find(out, node) == out.end()) {
      out.push_back(node);
    }
    return;
  }
  for (const InEdge& edge : plan.in_edges(facts)) {
    if (edge.signal != kNone) {
      add_computing(plan, plan.producer(edge.signal), out);
    }
    if (facts.kind == NodeKind::kGather) {
      return;  // its first edge brings the values
    }
  }
}

}  // namespace

std::vector<std::int32_t> DryRun::unknown_producers(const RunState& state, const Task& task) {
  const Plan& plan = state.plan();
  const PlanNode& node = plan.nodes()[static_cast<std::size_t>(task.node)];
  std::vector<const core::Value*> scratch;
  const auto inputs = state.inputs(task, scratch);
  const auto edges = plan.input_edges(node);
  std::vector<std::int32_t> out;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (is_unknown(*inputs[i])) {
      add_computing(plan, plan.producer(edges[i].signal), out);
    }
  }
  return out;
}

base::Result<std::vector<PlannedCall>> Runner::Impl::dry_run(const core::Value& inputs) {
  PENSTOCK_ASSIGN_OR_RETURN(const auto values, input_values(inputs));
  dry_ = std::make_unique<DryRun>();
  begin(values);
  PENSTOCK_ASSIGN_OR_RETURN(Activation* const root, drive());
  PENSTOCK_RETURN_IF_ERROR(close(root));
  return dry_->take();
}

base::Status Runner::Impl::run_dry(const Task& task) {
  Scheduler& scheduler = state_.scheduler;
  const PlanNode& node = plan->nodes()[static_cast<std::size_t>(task.node)];
  const auto give_unknown = [&] {
    for (core::Value& output : scheduler.outputs(task)) {
      output = DryRun::unknown();
    }
    scheduler.complete(task);
  };
  switch (node.kind) {
    case NodeKind::kMap: {
      const core::Value& list =
          scheduler.input(*static_cast<Activation*>(task.activation), plan->in_edges(node)[0]);
      if (!DryRun::is_unknown(list)) {
        return run_map(task);
      }
      scheduler.complete_map(task, {DryRun::unknown()});
      return {};
    }
    case NodeKind::kGather: {
      const auto emitted = state_.gathers.run(*plan, scheduler, task);
      if (emitted.has_value() && !DryRun::is_unknown(*emitted)) {
        scheduler.outputs(task)[0] = *emitted;
        scheduler.complete(task);
      } else {
        give_unknown();
      }
      return {};
    }
    case NodeKind::kAssetEnd:
      scheduler.complete(task);
      return {};
    case NodeKind::kAsset:
      give_unknown();
      return {};
    case NodeKind::kOperator:
      break;
    default:
      return run_structural(task);
  }
  PlannedCall call{.node = task.node};
  (void)state_.epoch(task, call.path);
  if (node.is_kept && reuse_ != nullptr) {
    call.waits_for = DryRun::unknown_producers(state_, task);
    if (call.waits_for.empty()) {
      PENSTOCK_ASSIGN_OR_RETURN(const bool is_known, run_reused(task));
      call.parts = reuse_->fact().parts;
      call.verdict = is_known ? PlannedCall::Verdict::kReused : PlannedCall::Verdict::kRuns;
      dry_->add(std::move(call));
      if (!is_known) {
        reuse_->forget(task);
        give_unknown();
      }
      return {};
    }
    call.verdict = PlannedCall::Verdict::kDepends;
  }
  dry_->add(std::move(call));
  give_unknown();
  return {};
}

}  // namespace penstock::flow
