#include "penstock/flow/spec_merge.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace penstock::flow {
namespace {

/// Calls `shift` for each mark of `spec`.
template <class Shift>
void for_each_mark(Spec& spec, Shift shift) {
  shift(spec.extends_mark);
  const auto params = [&](std::vector<ParameterValue>& all) {
    for (ParameterValue& param : all) {
      shift(param.mark);
    }
  };
  const auto dependency = [&](Dependency& edge) {
    shift(edge.mark);
    shift(edge.slot_mark);
  };
  for (InputSpec& input : spec.inputs) {
    shift(input.mark);
  }
  for (AssetSpec& asset : spec.assets) {
    shift(asset.mark);
    params(asset.params);
    if (asset.depends) {
      dependency(*asset.depends);
    }
  }
  for (NodeSpec& node : spec.nodes) {
    shift(node.mark);
    shift(node.type_mark);
    params(node.params);
    std::ranges::for_each(node.depends, dependency);
  }
}

/// Moves what `from` gives into `to`.
void replace(std::string& to, std::string&& from) {
  if (!from.empty()) {
    to = std::move(from);
  }
}
void replace(core::Value& to, core::Value&& from) {
  if (!from.is_absent()) {
    to = std::move(from);
  }
}

void merge_params(std::vector<ParameterValue>& to, std::vector<ParameterValue>&& from) {
  const bool named = std::ranges::none_of(to, &std::string::empty, &ParameterValue::name) &&
                     std::ranges::none_of(from, &std::string::empty, &ParameterValue::name);
  if (!named && !from.empty()) {
    to = std::move(from);  // a list is replaced whole
    return;
  }
  for (ParameterValue& param : from) {
    const auto same = std::ranges::find(to, param.name, &ParameterValue::name);
    if (same != to.end()) {
      *same = std::move(param);
    } else {
      to.push_back(std::move(param));
    }
  }
}

void merge(InputSpec& to, InputSpec&& from) {
  if (from.type_given) {
    to.type = std::move(from.type);
    to.type_given = true;
  }
  if (from.scope_given) {
    to.scope = from.scope;
  }
  if (from.required_given) {
    to.required = from.required;
  }
  replace(to.default_value, std::move(from.default_value));
  replace(to.description, std::move(from.description));
  to.mark = from.mark;
}

void merge(AssetSpec& to, AssetSpec&& from) {
  if (from.type_given) {
    to.type = std::move(from.type);
    to.type_given = true;
  }
  if (from.scope_given) {
    to.scope = from.scope;
    to.scope_given = true;
  }
  merge_params(to.params, std::move(from.params));
  if (from.depends) {
    to.depends = std::move(from.depends);
  }
  replace(to.description, std::move(from.description));
  to.mark = from.mark;
}

void merge(NodeSpec& to, NodeSpec&& from) {
  if (!from.type.empty()) {
    to.type = std::move(from.type);
    to.type_mark = from.type_mark;
  }
  if (from.depends_form != DependsForm::kNone) {
    to.depends_form = from.depends_form;
    to.depends = std::move(from.depends);
  }
  if (std::ranges::find(from.params, "tube", &ParameterValue::name) != from.params.end()) {
    to.tube = nullptr;  // another one than the base was linked with
  }
  merge_params(to.params, std::move(from.params));
  if (from.enabled_given) {
    to.enabled = from.enabled;
    to.enabled_input = std::move(from.enabled_input);
    to.enabled_given = true;
  }
  if (from.stateful) {
    to.stateful = from.stateful;
  }
  replace(to.description, std::move(from.description));
  replace(to.policy.retry, std::move(from.policy.retry));
  replace(to.policy.timeout_ms, std::move(from.policy.timeout_ms));
  replace(to.policy.resources, std::move(from.policy.resources));
  replace(to.policy.cache, std::move(from.policy.cache));
  replace(to.policy.where, std::move(from.policy.where));
  to.mark = from.mark;
}

template <class Part>
void merge_parts(std::vector<Part>& to, std::vector<Part>&& from) {
  std::unordered_map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < to.size(); ++i) {
    places.emplace(to[i].id, i);
  }
  for (Part& part : from) {
    if (const auto at = places.find(part.id); at != places.end()) {
      merge(to[at->second], std::move(part));
    } else {
      to.push_back(std::move(part));
    }
  }
}

}  // namespace

Spec merge_specs(Spec base, Spec over) {
  // The sources of `over` keep their numbers, those of `base` follow.
  const auto shift = static_cast<std::int32_t>(over.bases.size()) + 1;
  for_each_mark(base, [&](Mark& mark) { mark.source += shift; });
  over.bases.push_back({base.file, base.source});
  std::ranges::move(base.bases, std::back_inserter(over.bases));

  const auto is_return = [](const NodeSpec& node) { return node.type == "return"; };
  const auto own = std::ranges::find_if(over.nodes, is_return);
  if (own != over.nodes.end()) {
    std::erase_if(base.nodes,
                  [&](const NodeSpec& node) { return is_return(node) && node.id != own->id; });
  }
  merge_parts(base.inputs, std::move(over.inputs));
  merge_parts(base.assets, std::move(over.assets));
  merge_parts(base.nodes, std::move(over.nodes));
  over.inputs = std::move(base.inputs);
  over.assets = std::move(base.assets);
  over.nodes = std::move(base.nodes);
  if (over.description.empty()) {
    over.description = std::move(base.description);
  }
  if (over.report.is_absent()) {
    over.report = std::move(base.report);
  }
  return over;
}

}  // namespace penstock::flow
