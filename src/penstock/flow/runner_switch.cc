// Nodes enabled and disabled between epochs.
#include <algorithm>
#include <ranges>
#include <tuple>

#include <fmt/format.h>

#include "penstock/core/operator.h"
#include "penstock/flow/runner_impl.h"

namespace penstock::flow {
namespace {

/// Nodes of ours, which no file names, have no switch.
bool has_switch(const PlanNode& node) {
  return node.kind != NodeKind::kInput && node.kind != NodeKind::kTube &&
         node.kind != NodeKind::kAsset && node.kind != NodeKind::kAssetEnd;
}

}  // namespace

base::Error Runner::switch_while_running(std::string_view id) {
  return base::Error(
             base::ErrorCode::kFailedPrecondition,
             fmt::format("node '{}' cannot be enabled or disabled now: the runner is running, "
                         "wanted a call between epochs",
                         id))
      .with_id("PS0430")
      .with_help(
          "call it between two process() or two results of iter(), not from a node or a "
          "callback");
}

base::Result<std::int32_t> Runner::Impl::find_switch(std::string_view id) const {
  const std::int32_t node = plan->find_node(id);
  if (node != kNone && has_switch(plan->nodes()[static_cast<std::size_t>(node)])) {
    // A nested tube is off when the node that opens it is.
    const bool is_tube =
        plan->nodes()[static_cast<std::size_t>(node)].kind == NodeKind::kTubeReturn;
    return is_tube ? plan->find_node(fmt::format("{}.input", id)) : node;
  }
  std::vector<std::string> known;
  for (const PlanNode& other : plan->nodes()) {
    if (has_switch(other)) {
      known.push_back(other.id);
    }
  }
  const std::string nearest = core::nearest_name(id, known);
  return base::fail(
      base::Error(
          base::ErrorCode::kNotFound,
          fmt::format("unknown node '{}', wanted one of the tube's {} nodes", id, known.size()))
          .with_id("PS0431")
          .with_help(nearest.empty() ? "" : fmt::format("did you mean '{}'?", nearest)));
}

/// The node itself, or the nodes in the nested tube that it opens, in plan order.
std::vector<std::int32_t> Runner::Impl::switched_by(std::int32_t node, std::string_view id) const {
  if (plan->nodes()[static_cast<std::size_t>(node)].kind != NodeKind::kTube) {
    return {node};
  }
  std::vector<std::int32_t> nodes;
  const std::string prefix = fmt::format("{}.", id);
  for (std::size_t i = 0; i < plan->nodes().size(); ++i) {
    if (plan->nodes()[i].op != nullptr && plan->nodes()[i].id.starts_with(prefix)) {
      nodes.push_back(static_cast<std::int32_t>(i));
    }
  }
  return nodes;
}

base::Status Runner::Impl::set_enabled(std::string_view id, bool enabled) {
  if (running_) {
    return base::fail(switch_while_running(id));
  }
  PENSTOCK_ASSIGN_OR_RETURN(const std::int32_t node, find_switch(id));
  Scheduler& scheduler = state_.scheduler;
  if (scheduler.is_enabled(node) == enabled) {
    return {};
  }
  const std::vector<std::int32_t> nodes = switched_by(node, id);
  scheduler.set_enabled(node, enabled);
  if (!enabled) {
    return stop_switched(nodes);
  }
  auto started = start_switched(nodes);
  if (!started.has_value()) {
    scheduler.set_enabled(node, false);
  }
  return started;
}

base::Status Runner::Impl::start_switched(std::span<const std::int32_t> nodes) {
  for (const std::int32_t node : nodes) {
    if (!state_.is_enabled(node)) {
      continue;
    }
    base::Status status = state_.make_state(node);
    if (status.has_value()) {
      status = start_one(node);
    }
    if (!status.has_value()) {
      std::ignore = stop_switched(nodes);  // the first error is the one to tell
      return status;
    }
  }
  return {};
}

base::Status Runner::Impl::stop_switched(std::span<const std::int32_t> nodes) {
  base::Status first;
  for (const std::int32_t node : std::views::reverse(nodes)) {
    base::Status stopped = stop_one(node);
    if (first.has_value()) {
      first = std::move(stopped);
    }
  }
  return first;
}

base::Status Runner::Impl::start_one(std::int32_t node) {
  const PlanNode& plan_node = plan->nodes()[static_cast<std::size_t>(node)];
  if (!started_ || !has_lifecycle(plan_node)) {
    return {};
  }
  return executor_->hosts_nodes() && !plan_node.is_local ? executor_->start_node(node)
                                                         : lifecycles_.start(node);
}

base::Status Runner::Impl::stop_one(std::int32_t node) {
  const PlanNode& plan_node = plan->nodes()[static_cast<std::size_t>(node)];
  if (!started_ || !has_lifecycle(plan_node)) {
    return {};
  }
  return executor_->hosts_nodes() && !plan_node.is_local ? executor_->stop_node(node)
                                                         : lifecycles_.stop(node);
}

}  // namespace penstock::flow
