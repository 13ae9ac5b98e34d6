#include "penstock/flow/lifecycles.h"

#include <algorithm>
#include <exception>
#include <utility>

#include <fmt/format.h>

#include "penstock/core/host.h"
#include "penstock/flow/call_node.h"

namespace penstock::flow {
namespace {

core::Value tube_inputs(const Plan& plan) {
  std::vector<core::MapEntry> entries;
  for (std::size_t i = 0; i < plan.inputs().size(); ++i) {
    if (plan.inputs()[i].scope == Scope::kTube && !plan.tube_values()[i].is_absent()) {
      entries.emplace_back(plan.inputs()[i].id, plan.tube_values()[i]);
    }
  }
  return core::Value::map(std::move(entries));
}

}  // namespace

bool has_lifecycle(const PlanNode& node) {
  return node.op != nullptr && node.op->lifecycle() != nullptr;
}

Lifecycles::Lifecycles(const TaskAccess& access, std::string runner)
    : access_(access), runner_(std::move(runner)), inputs_(tube_inputs(access.plan())) {
}

base::Status Lifecycles::call(std::int32_t node, bool is_start) {
  const PlanNode& plan_node = access_.plan().nodes()[static_cast<std::size_t>(node)];
  core::Context context;
  context.node_id = &plan_node.id;
  context.node = node;
  context.seed = access_.seed();
  context.cancel = access_.cancel();
  context.sink = access_.log_sink();
  context.loop = access_.loop();
  context.wiring = access_.wiring();
  const core::Session session{
      .node_id = &plan_node.id, .runner = runner_, .inputs = &inputs_, .context = &context};
  const core::Lifecycle& lifecycle = *plan_node.op->lifecycle();
  core::State* const state = access_.state(node);
  base::Status status;
  try {
    if (plan_node.needs_host) {
      const core::HostLock lock;
      status = is_start ? lifecycle.start(state, session) : lifecycle.stop(state, session);
    } else {
      const core::HostUnlock unlock;
      status = is_start ? lifecycle.start(state, session) : lifecycle.stop(state, session);
    }
  } catch (...) {
    status = base::fail(describe_exception(std::current_exception()));
  }
  if (status.has_value()) {
    return {};
  }
  const base::Error error = status.error().with_context(
      fmt::format("{} of node '{}'", is_start ? "init" : "deinit", plan_node.id));
  return base::fail(error.id().empty() ? error.with_id(is_start ? "PS0411" : "PS0412") : error);
}

base::Status Lifecycles::start(std::int32_t node) {
  started_.reserve(started_.size() + 1);  // what has started must be known, to be stopped
  PENSTOCK_RETURN_IF_ERROR(call(node, true));
  started_.push_back(node);
  return {};
}

base::Status Lifecycles::stop(std::int32_t node) {
  if (std::erase(started_, node) == 0) {
    return {};
  }
  return call(node, false);
}

base::Status Lifecycles::start_all() {
  return start_those(false);
}

base::Status Lifecycles::start_local() {
  return start_those(true);
}

base::Status Lifecycles::start_those(bool only_local) {
  const auto nodes = access_.plan().nodes();
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto node = static_cast<std::int32_t>(i);
    if (!has_lifecycle(nodes[i]) || !access_.is_enabled(node) ||
        (only_local && !nodes[i].is_local)) {
      continue;
    }
    if (auto started = start(node); !started.has_value()) {
      (void)stop_all();  // the first error is the one to tell
      return started;
    }
  }
  return {};
}

base::Status Lifecycles::stop_all() {
  base::Status first;
  while (!started_.empty()) {
    base::Status stopped = stop(started_.back());
    if (first.has_value()) {
      first = std::move(stopped);
    }
  }
  return first;
}

}  // namespace penstock::flow
