#include "penstock/flow/structural.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "penstock/core/host.h"
#include "penstock/core/tensor.h"

namespace penstock::flow {
namespace {

using Items = std::vector<std::pair<std::int32_t, core::Value>>;

/// A list or tuple's members appended, anything else as it is.
base::Status append_flat(std::vector<core::Value>& out, const core::Value& value) {
  if (value.is(core::Kind::kList) || value.is(core::Kind::kTuple)) {
    out.insert(out.end(), value.as_list().begin(), value.as_list().end());
    return {};
  }
  if (value.is(core::Kind::kHost)) {
    const core::HostLock lock;
    const core::HostBridge* bridge = core::host_bridge();
    if (bridge->is_list_or_tuple(*value.as_host())) {
      PENSTOCK_ASSIGN_OR_RETURN(auto members, bridge->to_elements(*value.as_host()));
      std::ranges::move(members, std::back_inserter(out));
      return {};
    }
  }
  out.push_back(value);
  return {};
}

base::Result<core::Value> emit_list(std::vector<core::Value> items, bool flatten) {
  if (!flatten) {
    return core::Value::list(std::move(items));
  }
  std::vector<core::Value> flat;
  for (const core::Value& item : items) {
    PENSTOCK_RETURN_IF_ERROR(append_flat(flat, item));
  }
  return core::Value::list(std::move(flat));
}

base::Result<std::int64_t> wired_count(const core::Value& value) {
  PENSTOCK_ASSIGN_OR_RETURN(const core::Value native, core::to_native(value));
  if (native.is(core::Kind::kInt)) {
    return native.as_int();
  }
  return base::fail(
      base::Error(base::ErrorCode::kInvalidArgument,
                  fmt::format("gather's input n must be an int, seen {}", to_string(native.kind())))
          .with_id("PS0204"));
}

/// The parts along the first axis: views, nothing is copied.
base::Result<std::vector<core::Value>> rows_of(const core::Tensor& tensor) {
  const std::vector<std::int64_t> shape(tensor.shape().begin() + 1, tensor.shape().end());
  const std::vector<std::int64_t> strides(tensor.strides().begin() + 1, tensor.strides().end());
  const std::int64_t first = tensor.data() - tensor.buffer()->data();
  std::vector<core::Value> out;
  out.reserve(static_cast<std::size_t>(tensor.shape().front()));
  for (std::int64_t i = 0; i < tensor.shape().front(); ++i) {
    const std::int64_t offset = first + i * tensor.strides().front();
    PENSTOCK_ASSIGN_OR_RETURN(
        auto row, core::Tensor::create(tensor.dtype(), shape, strides, tensor.buffer(), offset));
    out.push_back(core::Value::tensor(std::move(row)));
  }
  return out;
}

}  // namespace

base::Result<std::vector<core::Value>> elements_of(const core::Value& value) {
  if (value.is(core::Kind::kList) || value.is(core::Kind::kTuple)) {
    return value.as_list();
  }
  if (value.is(core::Kind::kHost)) {
    const core::HostLock lock;
    return core::host_bridge()->to_elements(*value.as_host());
  }
  if (value.is(core::Kind::kTensor) && !value.as_tensor()->shape().empty()) {
    return rows_of(*value.as_tensor());  // as an array of the host gives its elements
  }
  return base::fail(base::Error(base::ErrorCode::kInvalidArgument,
                                fmt::format("map needs a list or another sized sequence, seen {}",
                                            to_string(value.kind())))
                        .with_id("PS0404"));
}

namespace {

/// The value of a return's edge: of a node in a map, the list over the elements.
core::Value result_part(const Plan& plan, const Scheduler& scheduler, const Activation& activation,
                        const InEdge& edge) {
  if (!edge.collects) {
    return scheduler.input(activation, edge);
  }
  const Region& region = plan.regions()[static_cast<std::size_t>(
      plan.nodes()[static_cast<std::size_t>(edge.map)].child)];
  // Open: another signal of the elements may still be on its way, this one is complete.
  const Expansion::State state = activation.expansions[region.ordinal].state;
  if (state != Expansion::State::kRan && state != Expansion::State::kOpen) {
    return {};
  }
  std::vector<core::Value> list;
  for (auto& [index, item] : scheduler.collect(activation, edge)) {
    list.push_back(std::move(item));
  }
  return core::Value::list(std::move(list));
}

}  // namespace

void open_tube(const Plan& plan, const Scheduler& scheduler, const Task& task) {
  const PlanNode& node = plan.nodes()[static_cast<std::size_t>(task.node)];
  const auto& activation = *static_cast<const Activation*>(task.activation);
  const auto outputs = scheduler.outputs(task);
  const auto edges = plan.input_edges(node);  // one per input; the last signal says "open"
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (i < edges.size()) {
      outputs[i] = scheduler.input(activation, edges[i]);
    }
    if (outputs[i].is_absent()) {
      outputs[i] = node.defaults[i];
    }
  }
}

void close_tube(const Plan& plan, const Scheduler& scheduler, const Task& task) {
  const PlanNode& node = plan.nodes()[static_cast<std::size_t>(task.node)];
  const auto& activation = *static_cast<const Activation*>(task.activation);
  const auto outputs = scheduler.outputs(task);
  if (node.form != DependsForm::kKeyword) {
    outputs[0] = build_result(plan, scheduler, task);
    return;
  }
  const auto edges = plan.input_edges(node);
  for (std::size_t i = 0; i < edges.size(); ++i) {
    outputs[i] = result_part(plan, scheduler, activation, edges[i]);
  }
}

core::Value build_result(const Plan& plan, const Scheduler& scheduler, const Task& task) {
  const PlanNode& node = plan.nodes()[static_cast<std::size_t>(task.node)];
  const auto& activation = *static_cast<const Activation*>(task.activation);
  std::vector<core::Value> positional;
  std::vector<core::MapEntry> keyword;
  const auto edges = plan.input_edges(node);
  for (std::size_t i = 0; i < edges.size(); ++i) {
    core::Value value = result_part(plan, scheduler, activation, edges[i]);
    if (node.form == DependsForm::kScalar) {
      return value;
    }
    if (value.is_absent()) {
      continue;
    }
    if (node.bindings[i].position >= 0) {
      positional.push_back(std::move(value));
    } else {
      keyword.emplace_back(node.bindings[i].name, std::move(value));
    }
  }
  if (positional.empty() && keyword.empty()) {
    return {};
  }
  if (node.form == DependsForm::kPositional) {
    return core::Value::tuple(std::move(positional));
  }
  if (node.form == DependsForm::kKeyword) {
    return core::Value::map(std::move(keyword));
  }
  std::vector<core::Value> both;
  both.push_back(core::Value::tuple(std::move(positional)));
  both.push_back(core::Value::map(std::move(keyword)));
  return core::Value::tuple(std::move(both));
}

base::Result<core::Value> Gathers::run(const Plan& plan, const Scheduler& scheduler,
                                       const Task& task) {
  const PlanNode& node = plan.nodes()[static_cast<std::size_t>(task.node)];
  const auto& activation = *static_cast<const Activation*>(task.activation);
  const auto edges = plan.in_edges(node);
  Items items;
  if (edges[0].collects) {
    items = scheduler.collect(activation, edges[0]);
  } else {
    items.emplace_back(0, scheduler.input(activation, edges[0]));
  }

  auto& held = held_[static_cast<std::size_t>(task.node)];
  const auto hold = [&](std::size_t first, std::size_t last) {
    for (std::size_t i = first; i < last; ++i) {
      held.push_back(std::move(items[i].second));
    }
  };
  if (node.gather_mode == GatherMode::kClose) {
    hold(0, items.size());
    return emit_list(std::exchange(held, {}), node.flatten);
  }
  if (node.gather_mode == GatherMode::kCount) {
    std::int64_t wanted = node.gather_n;
    if (edges[1].signal != kNone) {
      PENSTOCK_ASSIGN_OR_RETURN(wanted, wired_count(scheduler.input(activation, edges[1])));
    }
    hold(0, items.size());
    if (static_cast<std::int64_t>(held.size()) < wanted) {
      return core::Value();
    }
    return emit_list(std::exchange(held, {}), node.flatten);
  }
  // Trigger. From the map's own elements it cuts after the last element that fired.
  if (edges[2].collects) {
    std::int32_t last_fired = -1;
    for (const auto& [index, value] : scheduler.collect(activation, edges[2])) {
      last_fired = value.is_null() ? last_fired : index;
    }
    std::size_t cut = 0;
    while (cut < items.size() && items[cut].first <= last_fired) {
      ++cut;
    }
    if (last_fired < 0) {
      hold(0, items.size());
      return core::Value();
    }
    hold(0, cut);
    std::vector<core::Value> emitted = std::exchange(held, {});
    hold(cut, items.size());
    return emit_list(std::move(emitted), node.flatten);
  }
  hold(0, items.size());
  const core::Value& trigger = scheduler.input(activation, edges[2]);
  if (trigger.is_absent() || trigger.is_null()) {
    return core::Value();
  }
  return emit_list(std::exchange(held, {}), node.flatten);
}

}  // namespace penstock::flow
