// Registry: native operators by name, and the node types they give.
#include <algorithm>
#include <array>
#include <numeric>

#include <fmt/format.h>

#include "penstock/base/out_of_memory.h"
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
      signature_.signal_types.push_back(port.type);
    }
    signature_.stateful = spec.stateful || spec.source;
    signature_.source = spec.source;
  }

  const Signature& signature() const override { return signature_; }
  bool is_shareable() const override { return true; }

  base::Result<std::shared_ptr<const Operator>> bind(
      std::span<const Binding> bindings) const override {
    return entry_.factory(params_, bindings);
  }

  std::string identity() const override {
    auto params = encode(params_);
    if (!params.has_value()) {
      base::rethrow_out_of_memory(params.error());  // else it would be another type
    }
    return fmt::format("{}@{}:", entry_.spec.name, entry_.spec.version) +
           (params.has_value() ? *params : params.error().message());
  }

  Purity purity() const override {
    const OperatorSpec& spec = entry_.spec;
    if (spec.stateful || spec.source || !spec.deterministic || spec.has_effects) {
      return Purity::kNever;
    }
    return spec.keeps_results ? Purity::kKept : Purity::kPure;
  }

  base::Result<std::vector<Part>> parts() const override {
    std::vector<Part> out{
        {"operator", fmt::format("{} version {}", entry_.spec.name, entry_.spec.version)}};
    for (const auto& [name, value] : params_.as_map()) {
      PENSTOCK_ASSIGN_OR_RETURN(Part part, part_of("parameter " + name, value));
      out.push_back(std::move(part));
    }
    return out;
  }

  std::vector<FileInput> files() const override {
    std::vector<FileInput> out;
    for (const std::string& slot : entry_.spec.reads_files) {
      const Value* path = params_.find(slot);
      const bool is_fixed = path != nullptr && path->is(Kind::kText) && !path->as_text().empty();
      out.push_back({slot, is_fixed ? path->as_text() : std::string()});
    }
    return out;
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
  const auto at =
      std::ranges::lower_bound(entries_, spec.name, {}, [](const Entry& e) { return e.spec.name; });
  if (at != entries_.end() && at->spec.name == spec.name) {
    return fail(ErrorCode::kAlreadyExists,
                fmt::format("operator '{}' is registered twice", spec.name));
  }
  entries_.insert(at, Entry{std::move(spec), std::move(factory)});
  return {};
}

const Registry::Entry* Registry::find(std::string_view name) const {
  const auto at = std::ranges::lower_bound(
      entries_, name, {}, [](const Entry& e) -> const std::string& { return e.spec.name; });
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
        return fail(
            base::Error(
                ErrorCode::kInvalidArgument,
                fmt::format("unknown parameter '{}' of '{}'; it takes: {}", key, name,
                            names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))))
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
    const bool is_default =
        parameter.default_value.has_value() && *given == *parameter.default_value;
    if (!is_default && !matches(parameter.type, *given)) {
      return fail(
          base::Error(ErrorCode::kInvalidArgument,
                      fmt::format("parameter '{}' of '{}' must be {}, seen {}", parameter.name,
                                  name, parameter.type, to_string(given->kind())))
              .with_id("PS0204"));
    }
    if (!parameter.choices.empty() && given->is(Kind::kText) &&
        std::ranges::find(parameter.choices, given->as_text()) == parameter.choices.end()) {
      const std::string nearest = nearest_name(given->as_text(), parameter.choices);
      return fail(
          base::Error(
              ErrorCode::kInvalidArgument,
              fmt::format("parameter '{}' of '{}' is '{}'; wanted one of: {}", parameter.name, name,
                          given->as_text(), fmt::join(parameter.choices, ", ")))
              .with_id("PS0205")
              .with_help(nearest.empty() ? "" : fmt::format("did you mean '{}'?", nearest)));
    }
    complete.emplace_back(parameter.name, *given);
  }
  return std::unique_ptr<NodeType>(
      std::make_unique<RegisteredType>(*entry, Value::map(std::move(complete))));
}

namespace {

/// Edits that make `b` of `a`: insert, delete, replace, swap two neighbours (optimal string
/// alignment; Wagner and Fischer 1974 with the swap, because that is how people mistype).
std::size_t edit_distance(std::string_view a, std::string_view b,
                          std::array<std::vector<std::size_t>, 3>& rows) {
  for (auto& row : rows) {
    row.resize(b.size() + 1);
  }
  std::iota(rows[0].begin(), rows[0].end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    auto& row = rows[i % 3];
    const auto& above = rows[(i - 1) % 3];
    const auto& higher = rows[(i + 1) % 3];  // two rows up
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replace = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({row[j - 1] + 1, above[j] + 1, replace});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], higher[j - 2] + 1);
      }
    }
  }
  return rows[a.size() % 3][b.size()];
}

}  // namespace

std::string nearest_name(std::string_view name, std::span<const std::string> candidates) {
  std::string best;
  std::size_t best_cost = std::max<std::size_t>(name.size() / 3, 1) + 1;
  std::array<std::vector<std::size_t>, 3> rows;
  for (const std::string& candidate : candidates) {
    const std::size_t longer = std::max(candidate.size(), name.size());
    const std::size_t shorter = std::min(candidate.size(), name.size());
    if (longer - shorter >= best_cost || longer > 256) {
      continue;
    }
    if (const std::size_t cost = edit_distance(name, candidate, rows); cost < best_cost) {
      best_cost = cost;
      best = candidate;
    }
  }
  return best;
}

}  // namespace penstock::core
