// Nested tubes: their nodes become nodes of the plan, between two nodes of ours.
//
//   sub.input  (kTube)        runs when the inputs are there; its signals are the nested tube's
//                             inputs and, last, one that only says "open"
//   sub        (kTubeReturn)  stands for the nested tube's return; its signals are what the tube
//                             around sees of it
//
// A nested node that waits for nothing else waits for "open", so without its inputs a nested tube
// does not run at all. So there is one scheduler, and a nested tube runs wherever a node does.
#include <algorithm>

#include <fmt/format.h>

#include "penstock/flow/plan_builder.h"

namespace penstock::flow {

void PlanBuilder::add_nested(TubeScope& around, const NodeSpec& node) {
  auto nested = std::make_unique<TubeScope>();
  nested->spec = node.tube.get();
  nested->around = &around;
  nested->id = around.id.empty() ? node.id : around.id + "." + node.id;
  nested->depth = around.depth + 1;
  nested->input = static_cast<std::int32_t>(drafts_.size());
  nested->result = nested->input + 1;
  Draft opening{.spec = &node, .scope = &around, .nested = nested.get()};
  opening.kind = NodeKind::kTube;
  resolve_enabled(opening, node);
  drafts_.push_back(std::move(opening));
  nested->no_return.mark = node.mark;
  Draft result{.spec = &nested->no_return, .scope = nested.get(), .nested = nested.get()};
  result.kind = NodeKind::kTubeReturn;
  result.signals = {"value"};
  drafts_.push_back(std::move(result));
  around.index.insert(node.id, nested->result);
  scopes_.push_back(std::move(nested));
}

void PlanBuilder::use_as_result(TubeScope& scope, const NodeSpec& node) {
  Draft& result = drafts_[static_cast<std::size_t>(scope.result)];
  scope.index.insert(node.id, scope.result);
  if (result.spec != &scope.no_return) {
    report(node.mark, "PS0107",
           fmt::format("a tube has one return at most; '{}' is the second", node.id));
    return;
  }
  result.spec = &node;
  resolve_enabled(result, node);
  refuse_params(node);
  if (node.depends_form == DependsForm::kKeyword) {
    result.signals.clear();
    for (const Dependency& dependency : node.depends) {
      result.signals.push_back(dependency.slot);
    }
  }
}

void PlanBuilder::open_nested(TubeScope& scope) {
  collect_nested_inputs(scope);
  collect_nodes(scope);
}

// A tube input's value: the node's parameter of that name, the value of the same input around, its
// default, nothing if it is not required.
void PlanBuilder::collect_nested_inputs(TubeScope& scope) {
  const auto opening = static_cast<std::size_t>(scope.input);
  const NodeSpec& node = *drafts_[opening].spec;
  scope_ = scope.around;
  const core::Value params = resolve_params(node);
  if (params.is_absent()) {
    drafts_[opening].broken = true;
    return;
  }
  std::vector<std::string> names;
  for (const InputSpec& input : scope.spec->inputs) {
    const auto index = static_cast<std::int32_t>(scope.tube_values.size());
    scope.input_index.emplace(input.id, index);
    core::Value otherwise = input.default_value;
    if (otherwise.is_absent() && !input.required) {
      otherwise = core::Value::null();
    }
    core::Value value;
    if (input.scope != Scope::kProcess) {
      names.push_back(input.id);
      const core::Value* const given = params.find(input.id);
      const core::Value* const around = tube_value(input.id);
      value = given != nullptr ? *given : around != nullptr ? *around : otherwise;
      if (value.is_absent()) {
        report(node.mark, "PS0301",
               fmt::format("missing value for the required tube input '{}' of the nested tube '{}'",
                           input.id, node.id),
               fmt::format("add to params: {}: ...", input.id));
        value = core::Value::null();
      }
    }
    Draft& draft = drafts_[opening];
    draft.signals.push_back(input.id);
    draft.defaults.push_back(input.scope == Scope::kProcess ? otherwise : value);
    scope.tube_values.push_back(std::move(value));
  }
  drafts_[opening].signals.emplace_back("open");
  drafts_[opening].defaults.push_back(core::Value::null());
  for (const ParameterValue& param : node.params) {
    if (param.name != "tube" && std::ranges::find(names, param.name) == names.end()) {
      const std::string nearest = core::nearest_name(param.name, names);
      report(param.mark, "PS0202",
             fmt::format("unknown parameter '{}' of node '{}'; its tube has the tube inputs: {}",
                         param.name, node.id,
                         names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))),
             nearest.empty() ? "" : fmt::format("did you mean '{}'?", nearest));
    }
  }
}

// One edge per input of the nested tube, in its order; those of tube inputs are never connected.
void PlanBuilder::wire_opening(Draft& draft) {
  const NodeSpec& node = *draft.spec;
  const std::vector<InputSpec>& inputs = draft.nested->spec->inputs;
  std::vector<std::size_t> slots;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].scope == Scope::kProcess) {
      slots.push_back(i);
      names.push_back(inputs[i].id);
    }
  }
  draft.edges.resize(inputs.size());
  std::vector<bool> bound(inputs.size(), false);
  bool mistyped = false;  // an input that is not connected may be the one that was meant
  for (const Dependency& dependency : node.depends) {
    DraftEdge edge;
    if (!find_producer(draft, dependency, edge)) {
      draft.broken = true;
      continue;
    }
    const auto slot =
        dependency.position >= 0
            ? static_cast<std::size_t>(dependency.position)
            : static_cast<std::size_t>(std::ranges::find(names, dependency.slot) - names.begin());
    if (slot >= slots.size()) {
      mistyped = true;
      const std::string nearest = core::nearest_name(dependency.slot, names);
      report(
          dependency.position >= 0 ? dependency.mark : dependency.slot_mark,
          dependency.position >= 0 ? "PS0113" : "PS0103",
          dependency.position >= 0
              ? fmt::format("too many positional inputs of node '{}': seen {}, its tube takes {}",
                            node.id, dependency.position + 1, slots.size())
              : fmt::format("unknown slot '{}' of node '{}'; its tube takes: {}", dependency.slot,
                            node.id,
                            names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))),
          nearest.empty() ? "" : fmt::format("did you mean '{}'?", nearest));
      continue;
    }
    const InputSpec& input = inputs[slots[slot]];
    if (bound[slots[slot]]) {
      report(dependency.mark, "PS0104",
             fmt::format("slot '{}' of node '{}' is connected twice", input.id, node.id));
      continue;
    }
    bound[slots[slot]] = true;
    edge.required = input.required && input.default_value.is_absent();
    edge.binding = {.position = -1, .name = input.id};
    draft.edges[slots[slot]] = std::move(edge);
  }
  for (const std::size_t i : slots) {
    if (!bound[i] && inputs[i].required && inputs[i].default_value.is_absent() && !draft.broken &&
        !mistyped) {
      report(node.mark, "PS0112",
             fmt::format("node '{}': its tube needs the input '{}', which is not connected",
                         node.id, inputs[i].id),
             fmt::format("add to depends: - {}: NODE.SIGNAL", inputs[i].id));
    }
  }
}

// Without a required edge of its own a nested node would run when its tube does not.
void PlanBuilder::hold_back(Draft& draft) {
  const bool waits = std::ranges::any_of(
      draft.edges, [](const DraftEdge& edge) { return edge.producer != kNone && edge.required; });
  if (waits) {
    return;
  }
  const Draft& opening = drafts_[static_cast<std::size_t>(draft.scope->input)];
  DraftEdge edge;
  edge.producer = draft.scope->input;
  edge.signal = static_cast<std::int32_t>(opening.signals.size()) - 1;
  edge.hidden = true;
  edge.mark = draft.spec != nullptr ? draft.spec->mark : draft.asset_spec->mark;
  draft.edges.push_back(std::move(edge));
}

}  // namespace penstock::flow
