// See tubes.h.
#include "penstock/cli/tubes.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>
#include <map>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "penstock/cli/hello.h"
#include "penstock/cli/python.h"
#include "penstock/cli/python_source.h"
#include "penstock/flow/packs.h"
#include "penstock/flow/spec_link.h"
#include "penstock/flow/spec_sources.h"
#include "penstock/report/plot_check.h"

namespace penstock::cli {
namespace {

using core::Value;

constexpr std::string_view kInputPrefix = "input.";

/// Names a bare `type:` may have: the builtin functions of Python 3.11. (Builtin classes are no
/// nodes.)
constexpr auto kBuiltins = std::to_array<std::string_view>(
    {"abs",        "aiter",      "all",     "anext",   "any",    "ascii",  "bin",   "breakpoint",
     "callable",   "chr",        "compile", "delattr", "dir",    "divmod", "eval",  "exec",
     "format",     "getattr",    "globals", "hasattr", "hash",   "hex",    "id",    "input",
     "isinstance", "issubclass", "iter",    "len",     "locals", "max",    "min",   "next",
     "oct",        "open",       "ord",     "pow",     "print",  "repr",   "round", "setattr",
     "sorted",     "sum",        "vars"});

/// A type that is checked and never run.
class CheckedType final : public core::NodeType {
 public:
  explicit CheckedType(core::Signature signature) : signature_(std::move(signature)) {}
  const core::Signature& signature() const override { return signature_; }
  base::Result<std::shared_ptr<const core::Operator>> bind(
      std::span<const core::Binding>) const override {
    return std::make_shared<const Nothing>();
  }
  std::string identity() const override { return "checked"; }

 private:
  class Nothing final : public core::Operator {
    base::Result<core::Step> call(core::Call&) const override { return core::Step::kDone; }
  };
  core::Signature signature_;
};

/// The texts are those of python/penstock/_nodes.py, so that `check` and `run` say the same.
base::Status check_parameters(const flow::NodeSpec& node, const PythonFunction& function) {
  std::vector<std::string> names;
  for (const core::Slot& slot : function.slots) {
    names.push_back(slot.name);
  }
  for (const flow::ParameterValue& parameter : node.params) {
    if (function.any_keyword || std::ranges::find(names, parameter.name) != names.end()) {
      continue;
    }
    const std::string guess = core::nearest_name(parameter.name, names);
    return base::fail(
        base::Error(
            base::ErrorCode::kInvalidArgument,
            fmt::format("unknown parameter '{}' of '{}'; it takes: {}", parameter.name, node.type,
                        names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))))
            .with_id("PS0202")
            .with_help(guess.empty() ? "" : fmt::format("did you mean '{}'?", guess)));
  }
  return {};
}

/// Parameters whose value an input will give have no value yet: a sample of the declared type
/// stands in, so that the others are still checked.
Value with_samples(const flow::NodeSpec& node, const core::OperatorSpec& spec,
                   const Value& params) {
  std::vector<core::MapEntry> out;
  for (const auto& [name, value] : params.as_map()) {
    const auto written = std::ranges::find(node.params, name, &flow::ParameterValue::name);
    const bool from_input = written != node.params.end() && written->value.is(core::Kind::kText) &&
                            written->value.as_text().starts_with(kInputPrefix);
    const auto declared = std::ranges::find(spec.parameters, name, &core::ParameterSpec::name);
    if (!from_input || declared == spec.parameters.end()) {
      out.emplace_back(name, value);
      continue;
    }
    const std::string& type = declared->type;
    Value sample = Value::text(declared->choices.empty() ? "x" : declared->choices.front());
    if (type == "int" || type == "float") {
      sample = Value::integer(1);
    } else if (type == "bool") {
      sample = Value::boolean(true);
    } else if (type == "list of text") {
      sample = Value::list({});
    } else if (type == "map") {
      sample = Value::map({});
    }
    out.emplace_back(name, declared->default_value.value_or(std::move(sample)));
  }
  return Value::map(std::move(out));
}

/// For checking: native operators as they are, other types unknown. Owner thread only.
class CheckResolver final : public flow::Resolver {
 public:
  CheckResolver(const flow::Spec& spec, const CliHost* host) : host_(host), sources_(spec.file) {
    note_signals(spec);
  }

  base::Result<std::unique_ptr<core::NodeType>> resolve(const flow::NodeSpec& node,
                                                        const Value& params) const override {
    if (node.type.empty() || node.type == "?") {
      return unknown(node);
    }
    if (flow::is_pack_type(node.type)) {
      const auto pack = flow::load_pack(node.type.substr(0, node.type.find('.')));
      const core::Registry::Entry* const entry =
          pack.has_value() ? (*pack)->find(node.type) : nullptr;
      return flow::PackResolver().resolve(
          node, entry == nullptr ? params : with_samples(node, entry->spec, params));
    }
    if (const core::Registry::Entry* const entry = hello_registry().find(node.type)) {
      return hello_registry().make_type(node.type, with_samples(node, entry->spec, params));
    }
    if (host_ != nullptr) {
      return std::unique_ptr<core::NodeType>();
    }
    if (node.type.contains('.')) {
      return python_type(node);
    }
    if (std::ranges::find(kBuiltins, node.type) == kBuiltins.end()) {
      return std::unique_ptr<core::NodeType>();
    }
    return unknown(node);
  }

  base::Result<std::unique_ptr<core::NodeType>> resolve_asset(
      const flow::AssetSpec& asset, const Value& /*params*/) const override {
    if (host_ != nullptr) {
      return std::unique_ptr<core::NodeType>();
    }
    if (asset.type.contains('.')) {
      if (const PythonSources::Found found = sources_.find(asset.type); found.missing) {
        return base::fail(missing_name(asset.type, found));
      }
    }
    ++num_unknown_;
    return std::make_unique<CheckedType>(core::Signature());
  }

  std::int64_t num_unknown() const { return num_unknown_; }

  std::vector<std::string> known_names() const override {
    std::vector<std::string> names(kBuiltins.begin(), kBuiltins.end());
    std::ranges::move(flow::PackResolver().known_names(), std::back_inserter(names));
    return names;
  }

 private:
  void note_signals(const flow::Spec& spec) {
    for (const flow::NodeSpec& node : spec.nodes) {
      for (const flow::Dependency& dependency : node.depends) {
        signals_[dependency.node].insert(dependency.signal);
      }
      if (node.tube != nullptr) {
        note_signals(*node.tube);
      }
    }
    for (const flow::AssetSpec& asset : spec.assets) {
      if (asset.depends) {
        signals_[asset.depends->node].insert(asset.depends->signal);
      }
    }
  }

  std::vector<std::string> used_signals(const flow::NodeSpec& node) const {
    const auto used = signals_.find(node.id);
    if (used == signals_.end()) {
      return {"value"};
    }
    return {used->second.begin(), used->second.end()};
  }

  /// It has every signal and slot the tube speaks of.
  std::unique_ptr<core::NodeType> unknown(const flow::NodeSpec& node) const {
    ++num_unknown_;
    core::Signature signature;
    signature.any_positional = true;
    signature.any_keyword = true;
    signature.signals = used_signals(node);
    return std::make_unique<CheckedType>(std::move(signature));
  }

  static base::Error missing_name(const std::string& type, const PythonSources::Found& found) {
    const std::size_t dot = type.rfind('.');
    return base::Error(
               base::ErrorCode::kNotFound,
               fmt::format("module '{}' has no '{}'", type.substr(0, dot), type.substr(dot + 1)))
        .with_id("PS0206")
        .with_help(found.nearest.empty() ? "" : fmt::format("did you mean '{}'?", found.nearest));
  }

  base::Result<std::unique_ptr<core::NodeType>> python_type(const flow::NodeSpec& node) const {
    PythonSources::Found found = sources_.find(node.type);
    if (found.missing) {
      return base::fail(missing_name(node.type, found));
    }
    if (!found.function) {
      return unknown(node);
    }
    PENSTOCK_RETURN_IF_ERROR(check_parameters(node, *found.function));
    core::Signature signature;
    signature.signals = found.function->signals ? *found.function->signals : used_signals(node);
    if (found.function->signals && signature.signals.size() == 1) {
      signature.signal_types = {std::move(found.function->signal_type)};
    }
    signature.source = signature.stateful = found.function->is_generator;
    if (!found.function->is_generator) {  // a generator takes parameters only
      signature.any_positional = found.function->any_positional;
      signature.any_keyword = found.function->any_keyword;
      signature.slots = std::move(found.function->slots);
      for (core::Slot& slot : signature.slots) {
        slot.fixed = std::ranges::find(node.params, slot.name, &flow::ParameterValue::name) !=
                     node.params.end();
        slot.has_default = slot.has_default || slot.fixed;
      }
    }
    return std::make_unique<CheckedType>(std::move(signature));
  }

  const CliHost* host_;
  mutable PythonSources sources_;
  mutable std::int64_t num_unknown_ = 0;
  std::map<std::string, std::set<std::string>>
      signals_;  ///< by node id, as other nodes and assets name them
};

}  // namespace

namespace {

/// The file of a tube that is named by its noob_id; else `name`.
std::string path_of(const std::string& name) {
  std::error_code ignored;
  if (flow::is_tube_file(name) || std::filesystem::exists(name, ignored)) {
    return name;
  }
  return flow::SpecSources::instance().find(name).value_or(name);
}

}  // namespace

bool needs_python(const std::string& name, const CliHost& host) {
  return is_pipeline_file(name) && !host.read_functions;
}

flow::ParsedSpec load_tube(const std::string& name, const CliHost& host, bool execute) {
  std::error_code ignored;
  if (is_pipeline_file(name)) {
    return host.read_functions(name, execute);
  }
  if (name == kHelloName && !std::filesystem::exists(name, ignored)) {
    return flow::parse_spec_partly(hello_tube(), std::string(kHelloName));
  }
  flow::ParsedSpec parsed = flow::load_spec_partly(path_of(name));
  if (parsed.diagnostics.empty() && flow::needs_link(parsed.spec)) {
    parsed.diagnostics = flow::link_spec(parsed.spec);
  }
  return parsed;
}

std::expected<std::shared_ptr<const flow::Plan>, flow::Diagnostics> compile_tube(
    const flow::Spec& spec, const CliHost& host, const Value& tube_inputs) {
  static const flow::RegistryResolver hello(hello_registry());
  static const flow::PackResolver packs;
  std::vector<const flow::Resolver*> resolvers{&hello, &packs};
  resolvers.insert(resolvers.end(), host.resolvers.begin(), host.resolvers.end());
  return flow::Plan::compile(spec, resolvers, tube_inputs);
}

flow::Diagnostics check_wiring(const flow::Spec& spec, const CliHost* host,
                               std::int64_t* num_unknown) {
  const CheckResolver checker(spec, host);
  std::vector<const flow::Resolver*> resolvers{&checker};
  if (host != nullptr) {
    resolvers.insert(resolvers.end(), host->resolvers.begin(), host->resolvers.end());
  }
  std::vector<core::MapEntry> stand_ins;
  for (const flow::InputSpec& input : spec.inputs) {
    if (input.scope == flow::Scope::kTube && input.default_value.is_absent()) {
      stand_ins.emplace_back(input.id, Value::null());
    }
  }
  auto plan = flow::Plan::compile(spec, resolvers, Value::map(std::move(stand_ins)));
  if (num_unknown != nullptr) {
    *num_unknown = checker.num_unknown();
  }
  return plan.has_value() ? flow::Diagnostics() : std::move(plan.error());
}

flow::Diagnostics check_plots(const flow::ParsedSpec& parsed) {
  return report::check_report(parsed.spec, !parsed.whole || !parsed.diagnostics.empty());
}

void add_diagnostics(flow::Diagnostics more, flow::Diagnostics& all) {
  std::ranges::move(more, std::back_inserter(all));
  std::ranges::stable_sort(all, {}, [](const flow::Diagnostic& problem) {
    return std::pair(problem.location.line, problem.location.column);
  });
}

flow::Diagnostics merge_diagnostics(const flow::Spec& spec, flow::Diagnostics a,
                                    flow::Diagnostics b) {
  // A node reaches from its line to the line before the next node.
  const auto node_at = [&spec](std::int32_t line) {
    std::int32_t start = 0;
    for (const flow::NodeSpec& node : spec.nodes) {
      if (node.mark.line <= line) {
        start = std::max(start, node.mark.line);
      }
    }
    return start;
  };
  std::set<std::int32_t> broken;
  for (const flow::Diagnostic& problem : a) {
    broken.insert(node_at(problem.location.line));
  }
  if (!a.empty()) {
    std::erase_if(b, [&](const flow::Diagnostic& problem) {
      return broken.contains(node_at(problem.location.line));
    });
  }
  add_diagnostics(std::move(b), a);
  return a;
}

}  // namespace penstock::cli
