// Plan::compile: inputs, node types and parameters. Wiring, regions and layout have their own
// files.
#include <algorithm>
#include <iterator>
#include <new>

#include <fmt/format.h>

#include "penstock/flow/plan_builder.h"
#include "penstock/flow/spec_link.h"

namespace penstock::flow {
namespace {

constexpr std::string_view kInputPrefix = "input.";

bool is_truthy(const core::Value& value) {
  switch (value.kind()) {
    case core::Kind::kAbsent:
    case core::Kind::kNull:
      return false;
    case core::Kind::kBool:
      return value.as_bool();
    case core::Kind::kInt:
      return value.as_int() != 0;
    case core::Kind::kFloat:
      return value.as_float() != 0.0;
    case core::Kind::kText:
      return !value.as_text().empty();
    default:
      return true;
  }
}

}  // namespace

base::Result<std::unique_ptr<core::NodeType>> RegistryResolver::resolve(
    const NodeSpec& node, const core::Value& params) const {
  if (registry_.find(node.type) == nullptr) {
    return std::unique_ptr<core::NodeType>();
  }
  return registry_.make_type(node.type, params);
}

std::vector<std::string> RegistryResolver::known_names() const {
  std::vector<std::string> names;
  for (const core::Registry::Entry& entry : registry_.entries()) {
    names.push_back(entry.spec.name);
  }
  return names;
}

std::expected<std::shared_ptr<const Plan>, Diagnostics> Plan::compile(
    std::shared_ptr<const Spec> spec, std::span<const Resolver* const> resolvers,
    const core::Value& tube_inputs) try {
  if (needs_link(*spec)) {
    auto linked = std::make_shared<Spec>(*spec);
    if (Diagnostics problems = link_spec(*linked); !problems.empty()) {
      return std::unexpected(std::move(problems));
    }
    spec = std::move(linked);
  }
  return PlanBuilder(std::move(spec), resolvers, tube_inputs).build();
} catch (const std::bad_alloc&) {
  return std::unexpected(out_of_memory_diagnostics());
}

std::expected<std::shared_ptr<const Plan>, Diagnostics> Plan::compile(
    const Spec& spec, std::span<const Resolver* const> resolvers,
    const core::Value& tube_inputs) try {
  return compile(std::make_shared<const Spec>(spec), resolvers, tube_inputs);
} catch (const std::bad_alloc&) {
  return std::unexpected(out_of_memory_diagnostics());
}

std::int32_t Plan::find_node(std::string_view id) const {
  for (std::size_t i = 1; i < nodes_.size(); ++i) {
    if (nodes_[i].id == id) {
      return static_cast<std::int32_t>(i);
    }
  }
  return kNone;
}

std::int32_t Plan::signal_region(std::int32_t signal) const {
  const PlanNode& node = nodes_[static_cast<std::size_t>(producer(signal))];
  return signal == node.map_value ? node.child : node.region;
}

void PlanBuilder::report(Mark mark, std::string_view id, std::string message, std::string help) {
  diagnostics_.push_back(diagnose(*scope_->spec, mark, id, std::move(message), std::move(help)));
}

void PlanBuilder::report(Mark mark, const base::Error& error, std::string_view fallback_id) {
  report(mark, error.id().empty() ? fallback_id : std::string_view(error.id()), error.message(),
         error.help());
  diagnostics_.back().is_interrupt = error.code() == base::ErrorCode::kCancelled;
}

std::expected<std::shared_ptr<const Plan>, Diagnostics> PlanBuilder::build() {
  plan_ = std::shared_ptr<Plan>(new Plan());
  plan_->spec_ = owned_spec_;
  scopes_.push_back(std::make_unique<TubeScope>());
  scope_ = scopes_.front().get();
  scope_->spec = owned_spec_.get();
  collect_inputs();
  collect_nodes(*scope_);
  for (std::size_t i = 1; i < scopes_.size(); ++i) {  // grows: tubes nested in these
    open_nested(*scopes_[i]);
  }
  wire_edges();
  wire_assets();
  order_nodes();
  if (diagnostics_.empty()) {
    place_in_regions();
    order_asset_users();
    resolve_reuse();
  }
  if (diagnostics_.empty()) {
    bind_operators();
    hash_recipes();
    check_timeouts();
  }
  if (!diagnostics_.empty()) {
    return std::unexpected(std::move(diagnostics_));
  }
  hash_nodes();
  lay_out();
  return std::shared_ptr<const Plan>(std::move(plan_));
}

const core::Value* PlanBuilder::tube_value(std::string_view name) const {
  const auto found = scope_->input_index.find(name);
  if (found == scope_->input_index.end()) {
    return nullptr;
  }
  const auto i = static_cast<std::size_t>(found->second);
  return scope_->spec->inputs[i].scope == Scope::kProcess ? nullptr : &scope_->tube_values[i];
}

std::string PlanBuilder::full_id(const Draft& draft) const {
  if (draft.kind == NodeKind::kTube) {
    return draft.nested->id + ".input";
  }
  if (draft.kind == NodeKind::kTubeReturn) {
    return draft.nested->id;
  }
  if (draft.asset_spec != nullptr) {
    const std::string around = draft.scope->id.empty() ? "" : draft.scope->id + ".";
    return fmt::format("{}assets.{}{}", around, draft.asset_spec->id,
                       draft.kind == NodeKind::kAssetEnd ? ".end" : "");
  }
  return draft.scope->id.empty() ? draft.spec->id : draft.scope->id + "." + draft.spec->id;
}

void PlanBuilder::collect_inputs() {
  Draft input;
  input.kind = NodeKind::kInput;
  input.scope = scope_;
  for (const InputSpec& spec : scope_->spec->inputs) {
    const auto index = static_cast<std::int32_t>(plan_->inputs_.size());
    scope_->input_index.emplace(spec.id, index);
    input.signals.push_back(spec.id);
    plan_->inputs_.push_back(
        {.id = spec.id,
         .scope = spec.scope == Scope::kProcess ? Scope::kProcess : Scope::kTube,
         .required = spec.required,
         .default_value = spec.default_value,
         .signal = kNone});
    core::Value value;
    if (spec.scope != Scope::kProcess) {
      if (const core::Value* given =
              tube_inputs_.is(core::Kind::kMap) ? tube_inputs_.find(spec.id) : nullptr) {
        value = *given;
      } else if (!spec.default_value.is_absent()) {
        value = spec.default_value;
      } else if (!spec.required) {
        value = core::Value::null();
      } else {
        report(
            spec.mark, "PS0301",
            fmt::format("missing value for the required tube input '{}'", spec.id),
            fmt::format("give it when the tube is loaded, for example --input {}=VALUE", spec.id));
      }
    }
    plan_->tube_values_.push_back(std::move(value));
  }
  scope_->tube_values = plan_->tube_values_;
  drafts_.push_back(std::move(input));
}

void PlanBuilder::collect_nodes(TubeScope& scope) {
  scope_ = &scope;
  if (scope.depth == 0) {
    drafts_.reserve(scope.spec->nodes.size() + 1);
  }
  scope.index.reserve(scope.spec->nodes.size());
  for (const NodeSpec& node : scope.spec->nodes) {
    if (node.type == "tube") {
      refuse_policies(node);
      add_nested(scope, node);
      continue;
    }
    if (node.type == "return" && scope.result != kNone) {
      refuse_policies(node);
      use_as_result(scope, node);
      continue;
    }
    scope.index.insert(node.id, static_cast<std::int32_t>(drafts_.size()));
    drafts_.push_back(Draft{.spec = &node, .scope = &scope});
    resolve_type(drafts_.back());
  }
  collect_assets(scope);
}

std::string PlanBuilder::nearest_input(std::string_view name) const {
  const std::string nearest = core::nearest_name(name, input_names());
  return nearest.empty() ? "" : fmt::format("did you mean 'input.{}'?", nearest);
}

core::Value PlanBuilder::resolve_params(const NodeSpec& node) {
  return resolve_params(fmt::format("node '{}'", node.id), node.params);
}

core::Value PlanBuilder::resolve_params(const std::string& owner,
                                        std::span<const ParameterValue> params) {
  bool broken = false;
  std::vector<core::MapEntry> entries;
  entries.reserve(params.size());
  for (const ParameterValue& param : params) {
    core::Value value = param.value;
    if (value.is(core::Kind::kText) && value.as_text().starts_with(kInputPrefix)) {
      const std::string name = value.as_text().substr(kInputPrefix.size());
      const core::Value* given = tube_value(name);
      if (given == nullptr) {
        const bool is_process = scope_->input_index.contains(name);
        report(param.mark, is_process ? "PS0302" : "PS0108",
               is_process ? fmt::format("parameter '{}' of {} refers to the process input '{}'; "
                                        "parameters take tube inputs only",
                                        param.name, owner, name)
                          : fmt::format("parameter '{}' of {} refers to an unknown input '{}'",
                                        param.name, owner, name),
               is_process ? fmt::format("wire it: depends: - {}: input.{}", param.name, name)
                          : nearest_input(name));
        broken = true;
        continue;
      }
      broken = broken || given->is_absent();  // missing, and reported as such
      value = *given;
    }
    entries.emplace_back(param.name, std::move(value));
  }
  return broken ? core::Value() : core::Value::map(std::move(entries));
}

std::vector<std::string> PlanBuilder::input_names() const {
  std::vector<std::string> names;
  for (const InputSpec& input : scope_->spec->inputs) {
    names.push_back(input.id);
  }
  return names;
}

void PlanBuilder::resolve_enabled(Draft& draft, const NodeSpec& node) {
  draft.enabled = node.enabled;
  if (!node.enabled_input.empty()) {
    const core::Value* given = tube_value(node.enabled_input);
    if (given == nullptr) {
      report(node.mark, "PS0108",
             fmt::format("node '{}' is enabled by an unknown tube input '{}'", node.id,
                         node.enabled_input),
             nearest_input(node.enabled_input));
    } else {
      draft.enabled = is_truthy(*given);
    }
  }
}

void PlanBuilder::resolve_type(Draft& draft) {
  const NodeSpec& node = *draft.spec;
  resolve_enabled(draft, node);
  if (node.type == "map") {
    draft.kind = NodeKind::kMap;
    draft.signals = {"n", "value"};
  } else if (node.type == "gather") {
    draft.kind = NodeKind::kGather;
    draft.signals = {"value"};
    refuse_policies(node);
    resolve_gather(draft);
    return;
  } else if (node.type == "return") {
    draft.kind = NodeKind::kReturn;
  } else {
    resolve_operator(draft);
    take_policy(draft);
    return;
  }
  refuse_policies(node);
  refuse_params(node);
}

void PlanBuilder::refuse_params(const NodeSpec& node) {
  for (const ParameterValue& param : node.params) {
    report(param.mark, "PS0202",
           fmt::format("unknown parameter '{}' of node '{}': a {} takes none", param.name, node.id,
                       node.type));
  }
}

void PlanBuilder::resolve_operator(Draft& draft) {
  const NodeSpec& node = *draft.spec;
  if (const auto shared = node.params.empty() ? shared_types_.find(node.type) : shared_types_.end();
      shared != shared_types_.end()) {
    draft.type = shared->second;
  } else if (!find_type(draft)) {
    draft.broken = true;
    return;
  }
  const core::Signature& signature = draft.type->signature();
  draft.signals = signature.signals;
  draft.stateful = node.stateful.value_or(signature.stateful);
  draft.source = signature.source;
  draft.needs_host = signature.needs_host;
  draft.native = signature.native;
  draft.fixed_ports = signature.fixed_ports;
}

bool PlanBuilder::find_type(Draft& draft) {
  const NodeSpec& node = *draft.spec;
  const core::Value params = resolve_params(node);
  if (params.is_absent()) {
    return false;
  }
  for (const Resolver* resolver : resolvers_) {
    auto type = resolver->resolve(node, params);
    if (!type.has_value()) {
      // A pack that cannot be loaded is one problem, however many nodes need it.
      const bool said = type.error().id() == "PS0207" &&
                        std::ranges::any_of(diagnostics_, [&](const Diagnostic& d) {
                          return d.message == type.error().message();
                        });
      if (!said) {
        report(node.type_mark, type.error(), "PS0206");
      }
      return false;
    }
    if (*type != nullptr) {
      draft.type = std::move(*type);
      break;
    }
  }
  if (draft.type == nullptr) {
    std::vector<std::string> names{"map", "gather", "return", "tube"};
    for (const Resolver* resolver : resolvers_) {
      std::ranges::move(resolver->known_names(), std::back_inserter(names));
    }
    const std::string nearest = core::nearest_name(node.type, names);
    report(node.type_mark, "PS0201",
           fmt::format("unknown type '{}' of node '{}'", node.type, node.id),
           nearest.empty() ? "'penstock ops list' shows the native operators"
                           : fmt::format("did you mean '{}'?", nearest));
    return false;
  }
  if (node.params.empty() && draft.type->is_shareable()) {
    shared_types_.emplace(node.type, draft.type);
  }
  return true;
}

void PlanBuilder::resolve_gather(Draft& draft) {
  const NodeSpec& node = *draft.spec;
  const core::Value params = resolve_params(node);
  for (const ParameterValue& param : node.params) {
    const core::Value* value = params.is_absent() ? nullptr : params.find(param.name);
    if (value == nullptr) {
      continue;  // reported by resolve_params
    }
    if (param.name == "n") {
      if (value->is_null()) {
        continue;
      }
      if (!value->is(core::Kind::kInt) || value->as_int() < 1) {
        report(param.mark, "PS0204",
               fmt::format("parameter 'n' of gather '{}' must be an int >= 1, or null", node.id));
        continue;
      }
      draft.gather_mode = GatherMode::kCount;
      draft.gather_n = value->as_int();
    } else if (param.name == "flatten") {
      if (!value->is(core::Kind::kBool)) {
        report(param.mark, "PS0204",
               fmt::format("parameter 'flatten' of gather '{}' must be a bool", node.id));
        continue;
      }
      draft.flatten = value->as_bool();
    } else {
      const std::vector<std::string> known{"n", "flatten"};
      const std::string nearest = core::nearest_name(param.name, known);
      report(param.mark, "PS0202",
             fmt::format("unknown parameter '{}' of gather '{}'; wanted n or flatten", param.name,
                         node.id),
             nearest.empty() ? "" : fmt::format("did you mean '{}'?", nearest));
    }
  }
}

}  // namespace penstock::flow
