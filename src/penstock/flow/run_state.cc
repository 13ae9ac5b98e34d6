#include "penstock/flow/run_state.h"

#include <fmt/format.h>

namespace penstock::flow {

void LogQueue::log(const core::Context& context, std::string_view line) {
  const std::lock_guard lock(mutex_);
  if (lines_.size() >= kCapacity) {
    ++dropped_;
    return;
  }
  lines_.emplace_back(context.node, std::string(line));
}

std::vector<std::pair<std::int32_t, std::string>> LogQueue::take() {
  const std::lock_guard lock(mutex_);
  if (dropped_ > 0) {
    lines_.emplace_back(Plan::kInputNode,
                        fmt::format("... {} log lines dropped: they came faster than they could be "
                                    "taken",
                                    dropped_));
    dropped_ = 0;
  }
  return std::exchange(lines_, {});
}

RunState::RunState(std::shared_ptr<const Plan> plan, const RunnerOptions& options)
    : scheduler(*plan, options.shuffle),
      gathers(*plan),
      plan_(std::move(plan)),
      wiring_(*plan_),
      seed_(options.seed),
      cancel_(options.cancel),
      loop_(options.loop),
      isolation_(options.isolation),
      targets_(plan_->nodes().size()),
      states_(plan_->nodes().size()) {
  if (loop_ == nullptr && core::host_bridge() != nullptr) {
    loop_ = core::host_bridge()->make_loop(cancel_);
  }
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    const PlanNode& node = plan_->nodes()[i];
    targets_[i] = {.op = node.op.get(),
                   .state = nullptr,
                   .needs_host = node.needs_host,
                   .native = node.native,
                   .may_see_host = core::host_bridge() != nullptr,
                   .is_local = node.is_local,
                   .policy = node.policy.get(),
                   .is_kept = node.is_kept,
                   .own_assets = node.own_assets};
    first_edge_.push_back(static_cast<std::int32_t>(edges_.size()));
    for (const InEdge& edge : plan_->input_edges(node)) {
      HotEdge hot{kNone, 0};
      if (edge.signal != kNone && !edge.collects) {
        const std::int32_t region = plan_->signal_region(edge.signal);
        hot.offset = edge.signal - plan_->regions()[static_cast<std::size_t>(region)].first_signal;
        hot.up = edge.up;
      }
      edges_.push_back(hot);
    }
  }
  first_edge_.push_back(static_cast<std::int32_t>(edges_.size()));
}

base::Status RunState::make_states() {
  if (states_made_) {
    return {};
  }
  states_made_ = true;
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    if (plan_->nodes()[i].op == nullptr || !scheduler.is_enabled(static_cast<std::int32_t>(i))) {
      continue;
    }
    if (auto made = make_state(static_cast<std::int32_t>(i)); !made.has_value()) {
      states_made_ = false;
      return made;
    }
  }
  return {};
}

base::Status RunState::make_state(std::int32_t node) {
  const auto i = static_cast<std::size_t>(node);
  const PlanNode& plan_node = plan_->nodes()[i];
  if (!states_made_ || plan_node.op == nullptr || states_[i] != nullptr) {
    return {};
  }
  auto state = plan_node.op->make_state();
  if (!state.has_value()) {
    return base::fail(state.error().with_context(fmt::format("node '{}'", plan_node.id)));
  }
  states_[i] = std::move(*state);
  targets_[i].state = states_[i].get();
  return {};
}

bool RunState::is_enabled(std::int32_t node) const {
  if (!scheduler.is_enabled(node)) {
    return false;
  }
  // "outer.inner.node" lies in the tubes that "outer.input" and "outer.inner.input" open.
  const std::string& id = node_id(node);
  for (auto dot = id.find('.'); dot != std::string::npos; dot = id.find('.', dot + 1)) {
    const std::int32_t opening = plan_->find_node(id.substr(0, dot) + ".input");
    if (opening != kNone && !scheduler.is_enabled(opening)) {
      return false;
    }
  }
  return true;
}

Epoch RunState::epoch_of(const Task& task) const {
  Epoch epoch;
  const auto* activation = static_cast<const Activation*>(task.activation);
  epoch.root = activation->epoch;
  for (const Activation* at = activation; at->parent != nullptr; at = at->parent) {
    const Region& region = plan_->regions()[static_cast<std::size_t>(at->region)];
    epoch.path.emplace(epoch.path.begin(), node_id(region.map), at->index);
  }
  return epoch;
}

}  // namespace penstock::flow
