// Registry: native operators by name, and the node types they give.
#include <fmt/format.h>

#include <algorithm>

#include "penstock/core/identity.h"
#include "penstock/core/operator.h"

namespace penstock::core {
namespace {

using base::ErrorCode;
using base::fail;

/// What parameter type names accept. "any" accepts everything.
bool matches(std::string_view type, const Value& value) {
  const auto is_text_list = [&] {
    return value.is(Kind::kList) &&
           std::ranges::all_of(value.as_list(), [](const Value& v) { return v.is(Kind::kText); });
  };
  if (type == "text") {
    return value.is(Kind::kText);
  }
  if (type == "int") {
    return value.is(Kind::kInt);
  }
  if (type == "float") {
    return value.is(Kind::kFloat) || value.is(Kind::kInt);
  }
  if (type == "bool") {
    return value.is(Kind::kBool);
  }
  if (type == "list of text") {
    return is_text_list();
  }
  if (type == "map") {
    return value.is(Kind::kMap);
  }
  return type == "any";
}

/// A native operator as a node type: the spec gives the wiring, the factory the bound object.
class RegisteredType : public NodeType {
 public:
  RegisteredType(const Registry::Entry& entry, Value params)
      : entry_(entry), params_(std::move(params)) {
    const OperatorSpec& spec = entry.spec;
    for (const PortSpec& port : spec.inputs) {
      signature_.slots.push_back({.name = port.name,
                                  .required = !port.optional,
                                  .has_default = port.optional,
                                  .positional = true,
                                  .type = port.type});
    }
    signature_.any_keyword = !spec.variadic.empty();
    signature_.fixed_ports = spec.variadic.empty();
    signature_.signals.clear();
    for (const PortSpec& port : spec.outputs) {
      signature_.signals.push_back(port.name);
    }
    signature_.stateful = spec.stateful || spec.source;
    signature_.source = spec.source;
  }

  const Signature& signature() const override { return signature_; }

  base::Result<std::shared_ptr<const Operator>> bind(
      std::span<const Binding> bindings) const override {
    return entry_.factory(params_, bindings);
  }

  std::string identity() const override {
    auto params = encode(params_);
    return fmt::format("{}@{}:", entry_.spec.name, entry_.spec.version) +
           (params.has_value() ? *params : params.error().message());
  }

 private:
  const Registry::Entry& entry_;
  Value params_;
  Signature signature_;
};

}  // namespace

base::Status Registry::add(OperatorSpec spec, OperatorFactory factory) {
  const auto missing = [&](std::string_view what) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("operator '{}' has an incomplete spec: no {}", spec.name, what));
  };
  if (spec.name.empty() || spec.summary.empty() || spec.example.empty()) {
    return missing(spec.name.empty() ? "name" : spec.summary.empty() ? "summary" : "example");
  }
  if (spec.outputs.empty() || spec.cost.empty()) {
    return missing(spec.outputs.empty() ? "outputs" : "cost");
  }
  const auto at = std::ranges::lower_bound(entries_, spec.name, {},
                                           [](const Entry& e) { return e.spec.name; });
  if (at != entries_.end() && at->spec.name == spec.name) {
    return fail(ErrorCode::kAlreadyExists,
                fmt::format("operator '{}' is registered twice", spec.name));
  }
  entries_.insert(at, Entry{std::move(spec), std::move(factory)});
  return {};
}

const Registry::Entry* Registry::find(std::string_view name) const {
  const auto at = std::ranges::lower_bound(entries_, name, {},
                                           [](const Entry& e) -> const std::string& { return e.spec.name; });
  return at != entries_.end() && at->spec.name == name ? &*at : nullptr;
}

base::Result<std::unique_ptr<NodeType>> Registry::make_type(std::string_view name,
                                                            const Value& params) const {
  const Entry* entry = find(name);
  if (entry == nullptr) {
    return fail(base::Error(ErrorCode::kNotFound, fmt::format("unknown operator '{}'", name))
                    .with_id("PS0201"));
  }
  std::vector<std::string> names;
  for (const ParameterSpec& parameter : entry->spec.parameters) {
    names.push_back(parameter.name);
  }
  std::vector<MapEntry> complete;
  if (params.is(Kind::kMap)) {
    for (const auto& [key, value] : params.as_map()) {
      if (std::ranges::find(names, key) == names.end()) {
        const std::string nearest = nearest_name(key, names);
        return fail(base::Error(ErrorCode::kInvalidArgument,
                                fmt::format("unknown parameter '{}' of '{}'; it takes: {}", key,
                                            name, names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))))
                        .with_id("PS0202")
                        .with_help(nearest.empty() ? "" : fmt::format("did you mean '{}'?", nearest)));
      }
    }
  }
  for (const ParameterSpec& parameter : entry->spec.parameters) {
    const Value* given = params.is(Kind::kMap) ? params.find(parameter.name) : nullptr;
    if (given == nullptr) {
      if (!parameter.default_value.has_value()) {
        return fail(base::Error(ErrorCode::kInvalidArgument,
                                fmt::format("missing parameter '{}' ({}) of '{}'", parameter.name,
                                            parameter.type, name))
                        .with_id("PS0203")
                        .with_help(fmt::format("add to params: {}: ...", parameter.name)));
      }
      complete.emplace_back(parameter.name, *parameter.default_value);
      continue;
    }
    const bool is_default = parameter.default_value.has_value() && *given == *parameter.default_value;
    if (!is_default && !matches(parameter.type, *given)) {
      return fail(base::Error(ErrorCode::kInvalidArgument,
                              fmt::format("parameter '{}' of '{}' must be {}, seen {}",
                                          parameter.name, name, parameter.type,
                                          to_string(given->kind())))
                      .with_id("PS0204"));
    }
    if (!parameter.choices.empty() && given->is(Kind::kText) &&
        std::ranges::find(parameter.choices, given->as_text()) == parameter.choices.end()) {
      const std::string nearest = nearest_name(given->as_text(), parameter.choices);
      return fail(base::Error(ErrorCode::kInvalidArgument,
                              fmt::format("parameter '{}' of '{}' is '{}'; wanted one of: {}",
                                          parameter.name, name, given->as_text(),
                                          fmt::join(parameter.choices, ", ")))
                      .with_id("PS0205")
                      .with_help(nearest.empty() ? "" : fmt::format("did you mean '{}'?", nearest)));
    }
    complete.emplace_back(parameter.name, *given);
  }
  return std::unique_ptr<NodeType>(
      std::make_unique<RegisteredType>(*entry, Value::map(std::move(complete))));
}

std::string nearest_name(std::string_view name, std::span<const std::string> candidates) {
  std::string best;
  std::size_t best_cost = std::max<std::size_t>(name.size() / 3, 1) + 1;
  std::vector<std::size_t> row;
  for (const std::string& candidate : candidates) {
    const std::size_t longer = std::max(candidate.size(), name.size());
    const std::size_t shorter = std::min(candidate.size(), name.size());
    if (longer - shorter >= best_cost || longer > 256) {
      continue;
    }
    // Levenshtein distance by rows (Wagner and Fischer 1974).
    row.resize(candidate.size() + 1);
    for (std::size_t j = 0; j < row.size(); ++j) {
      row[j] = j;
    }
    for (std::size_t i = 0; i < name.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i + 1;
      for (std::size_t j = 0; j < candidate.size(); ++j) {
        const std::size_t substitute = diagonal + (name[i] == candidate[j] ? 0 : 1);
        diagonal = row[j + 1];
        row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, substitute});
      }
    }
    if (row.back() < best_cost) {
      best_cost = row.back();
      best = candidate;
    }
  }
  return best;
}

}  // namespace penstock::core
