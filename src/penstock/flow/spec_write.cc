// Spec -> YAML: keys in one order, defaults left out, every value as it reads back.
#include <algorithm>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "penstock/base/out_of_memory.h"
#include "penstock/flow/spec_yaml.h"
#include "penstock/flow/yaml_write.h"

namespace penstock::flow {
namespace {

using core::Value;

std::string_view scope_name(Scope scope) {
  switch (scope) {
    case Scope::kTube:
      return "tube";
    case Scope::kProcess:
      return "process";
    case Scope::kRunner:
      return "runner";
    case Scope::kNode:
      break;
  }
  return "node";
}

/// Builds a map in order, leaving out what is at its default.
class Entries {
 public:
  void text(std::string_view key, const std::string& value) {
    if (!value.empty()) {
      always(key, Value::text(value));
    }
  }
  void value(std::string_view key, const Value& value) {
    if (!value.is_absent()) {
      always(key, value);
    }
  }
  void always(std::string_view key, Value value) {
    entries_.emplace_back(std::string(key), std::move(value));
  }
  Value take() { return Value::map(std::move(entries_)); }

 private:
  std::vector<core::MapEntry> entries_;
};

Value reference(const Dependency& dependency) {
  return Value::text(fmt::format("{}.{}", dependency.node, dependency.signal));
}

Value depends_value(const NodeSpec& node) {
  if (node.depends_form == DependsForm::kScalar && !node.depends.empty()) {
    return reference(node.depends.front());
  }
  std::vector<Value> items;
  for (const Dependency& dependency : node.depends) {
    items.push_back(dependency.slot.empty()
                        ? reference(dependency)
                        : Value::map({{dependency.slot, reference(dependency)}}));
  }
  return Value::list(std::move(items));
}

/// A map of names, or a list when the parameters have none (assets).
Value params_value(const std::vector<ParameterValue>& params) {
  std::vector<core::MapEntry> named;
  std::vector<Value> listed;
  for (const ParameterValue& parameter : params) {
    if (parameter.name.empty()) {
      listed.push_back(parameter.value);
    } else {
      named.emplace_back(parameter.name, parameter.value);
    }
  }
  return listed.empty() ? Value::map(std::move(named)) : Value::list(std::move(listed));
}

Value node_value(const NodeSpec& node) {
  Entries out;
  out.text("type", node.type);
  out.text("description", node.description);
  if (!node.depends.empty()) {
    out.always("depends", depends_value(node));
  }
  if (node.tube != nullptr) {
    // What was linked, not its name: the text must mean the same elsewhere.
    std::vector<ParameterValue> params = node.params;
    std::ranges::find(params, "tube", &ParameterValue::name)->value = to_value(*node.tube);
    out.always("params", params_value(params));
  } else if (!node.params.empty()) {
    out.always("params", params_value(node.params));
  }
  if (!node.enabled_input.empty()) {
    out.always("enabled", Value::text("input." + node.enabled_input));
  } else if (!node.enabled) {
    out.always("enabled", Value::boolean(false));
  }
  if (node.stateful) {
    out.always("stateful", Value::boolean(*node.stateful));
  }
  out.value("retry", node.policy.retry);
  out.value("timeout_ms", node.policy.timeout_ms);
  out.value("resources", node.policy.resources);
  out.value("cache", node.policy.cache);
  out.value("where", node.policy.where);
  return out.take();
}

Value input_value(const InputSpec& input) {
  Entries out;
  out.always("type", Value::text(input.type));
  if (input.scope != Scope::kTube) {
    out.text("scope", std::string(scope_name(input.scope)));
  }
  if (!input.required) {
    out.always("required", Value::boolean(false));
  }
  out.value("default", input.default_value);
  out.text("description", input.description);
  return out.take();
}

Value asset_value(const AssetSpec& asset) {
  Entries out;
  out.text("type", asset.type);
  out.text("scope", std::string(scope_name(asset.scope)));
  if (!asset.params.empty()) {
    out.always("params", params_value(asset.params));
  }
  if (asset.depends) {
    out.always("depends", reference(*asset.depends));
  }
  out.text("description", asset.description);
  return out.take();
}

}  // namespace

core::Value to_value(const Spec& spec) {
  Entries out;
  out.text("noob_id", spec.noob_id);
  out.text("noob_model", spec.noob_model);
  out.text("noob_version", spec.noob_version);
  out.text("description", spec.description);
  if (!spec.extends.empty()) {
    std::vector<Value> bases;
    for (const std::string& base : spec.extends) {
      bases.push_back(Value::text(base));
    }
    out.always("extends", Value::list(std::move(bases)));
  }
  const auto section = [&out](std::string_view key, const auto& parts, auto to_value) {
    Entries entries;
    for (const auto& part : parts) {
      entries.always(part.id, to_value(part));
    }
    if (!parts.empty()) {
      out.always(key, entries.take());
    }
  };
  section("input", spec.inputs, input_value);
  section("assets", spec.assets, asset_value);
  section("nodes", spec.nodes, node_value);
  out.value("report", spec.report);
  return out.take();
}

base::Result<std::string> to_yaml(const Spec& spec) try {
  const Value tube = to_value(spec);
  std::string out;
  PENSTOCK_RETURN_IF_ERROR(append_yaml(out, tube, 0));
  // The document starts at its first key, not with the blank that follows "key:".
  out.erase(0, 1);
  return out;
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

}  // namespace penstock::flow
