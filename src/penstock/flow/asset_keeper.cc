#include "penstock/flow/asset_keeper.h"

#include <new>
#include <utility>

#include <fmt/format.h>

#include "penstock/core/host.h"

namespace penstock::flow {
namespace {

const core::Asset& asset_of(const PlanNode& node) {
  return static_cast<const core::Asset&>(*node.op);
}

/// What went wrong in `node`, as an error of a run.
base::Error named(const base::Error& error, const PlanNode& node) {
  const base::Error full = error.with_context(fmt::format("asset '{}'", node.id));
  return full.id().empty() ? full.with_id("PS0401") : full;
}

void keep_first(base::Status& first, base::Status status) {
  if (first.has_value() && !status.has_value()) {
    first = std::move(status);
  }
}

}  // namespace

base::Status AssetKeeper::start(const Plan& plan, const RunState& state) {
  const core::HostLock lock;
  started_.reserve(plan.nodes().size());  // what has started must be known, to be stopped
  for (std::size_t i = 0; i < plan.nodes().size(); ++i) {
    const PlanNode& node = plan.nodes()[i];
    if (node.kind != NodeKind::kAsset || node.asset_scope != Scope::kRunner) {
      continue;
    }
    core::State* const own = state.state(static_cast<std::int32_t>(i));
    if (auto status = asset_of(node).start(own); !status.has_value()) {
      (void)stop();
      return base::fail(named(status.error(), node));
    }
    started_.emplace_back(&asset_of(node), own);
  }
  return {};
}

base::Status AssetKeeper::stop() {
  base::Status first;
  if (started_.empty()) {
    return first;
  }
  const core::HostLock lock;
  while (!started_.empty()) {
    const auto [asset, state] = started_.back();
    started_.pop_back();
    keep_first(first, asset->stop(state));
  }
  return first;
}

void AssetKeeper::keep(const Plan& plan, const Scheduler& scheduler, const Task& task) {
  const PlanNode& node = plan.nodes()[static_cast<std::size_t>(task.node)];
  if (node.asset_scope == Scope::kProcess) {
    const core::Value& object = scheduler.outputs(task)[0];
    try {
      made_.push_back({.root_epoch = static_cast<const Activation*>(task.activation)->epoch,
                       .asset = &asset_of(node),
                       .object = object});
    } catch (const std::bad_alloc&) {
      const core::HostLock lock;
      (void)asset_of(node).release(object);  // nobody else will know of it
      throw;
    }
  }
}

base::Status AssetKeeper::release_all() {
  base::Status first;
  if (made_.empty()) {
    return first;
  }
  const core::HostLock lock;
  while (!made_.empty()) {
    const Made last = std::move(made_.back());
    made_.pop_back();
    keep_first(first, last.asset->release(last.object));
  }
  return first;
}

base::Status AssetKeeper::release(std::int64_t root_epoch) {
  base::Status first;
  if (made_.empty()) [[likely]] {
    return first;
  }
  const core::HostLock lock;
  for (std::size_t i = made_.size(); i-- > 0;) {
    if (made_[i].root_epoch == root_epoch) {
      keep_first(first, made_[i].asset->release(made_[i].object));
      made_.erase(made_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  return first;
}

base::Status AssetKeeper::end_use(const Plan& plan, const RunState& state, const Task& task) {
  const PlanNode& end = plan.nodes()[static_cast<std::size_t>(task.node)];
  const auto edges = plan.input_edges(end);
  if (edges.empty()) {
    return {};
  }
  const auto& activation = *static_cast<const Activation*>(task.activation);
  core::Value value;
  if (edges[0].collects) {
    auto all = state.scheduler.collect(activation, edges[0]);
    if (!all.empty()) {
      value = std::move(all.back().second);
    }
  } else {
    value = state.scheduler.input(activation, edges[0]);
  }
  if (value.is_absent()) {
    return {};
  }
  const core::HostLock lock;
  return asset_of(plan.nodes()[static_cast<std::size_t>(end.asset)])
      .replace(state.state(end.asset), value, end.copies);
}

}  // namespace penstock::flow
