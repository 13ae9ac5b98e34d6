// Spec: a tube as parsed, before any name is resolved. Plain data, with the place of every part.
//
// read_spec() (spec_yaml.h) makes it from YAML; the Python API makes it from a dict. Compiling it
// (plan.h) never changes it. Format: docs/formats/tube.md.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/core/value.h"
#include "penstock/flow/diagnostic.h"

namespace penstock::flow {

/// Line and column in one of the Spec's sources, from 1; 0 = unknown.
struct Mark {
  std::int32_t line = 0;
  std::int32_t column = 0;
  std::int32_t source = 0;  ///< 0: the tube's own; k: Spec::bases[k - 1], by `extends`
};

/// One incoming edge of a node: `slot: node.signal`.
struct Dependency {
  std::string slot;            ///< keyword name; empty for a positional edge
  std::int32_t position = -1;  ///< >= 0 for a positional edge (strings of the list, in order)
  std::string node;            ///< producing node, or "input" / "assets"
  std::string signal;
  Mark mark;       ///< of the reference
  Mark slot_mark;  ///< of the slot's name; of the reference for a positional edge
};

/// The written form of `depends`; for `return` it decides the shape of the result.
enum class DependsForm : std::uint8_t { kNone, kScalar, kPositional, kKeyword, kMixed };

struct ParameterValue {
  std::string name;
  core::Value value;  ///< exactly the text "input.<name>" refers to a tube-scoped input
  Mark mark;
};

/// Keys only we know, as written (policy.h); each absent unless written.
struct PolicySpec {
  core::Value retry, timeout_ms, resources, cache, where;
};

struct Spec;

struct NodeSpec {
  std::string id;
  std::string type;  ///< "map", "gather", "return", "tube", operator name, builtin or "pkg.mod.obj"
  DependsForm depends_form = DependsForm::kNone;
  std::vector<Dependency> depends;
  std::vector<ParameterValue> params;
  bool enabled = true;
  bool enabled_given = false;
  std::string enabled_input;  ///< name in `enabled: input.<name>`; empty otherwise
  std::optional<bool> stateful;
  std::string description;
  PolicySpec policy;
  std::shared_ptr<const Spec> tube;  ///< type "tube": what its parameter `tube` names, once linked
  Mark mark, type_mark;
};

enum class Scope : std::uint8_t { kTube, kProcess, kRunner, kNode };

struct InputSpec {
  std::string id;
  std::string type;  ///< free text
  bool type_given = false;
  Scope scope = Scope::kTube;
  bool scope_given = false;
  bool required = true;
  bool required_given = false;
  core::Value default_value;  ///< absent = no default
  std::string description;
  Mark mark;
};

struct AssetSpec {
  std::string id;
  std::string type;
  bool type_given = false;
  Scope scope = Scope::kRunner;
  bool scope_given = false;
  std::vector<ParameterValue> params;
  std::optional<Dependency> depends;
  std::string description;
  Mark mark;
};

/// Where a text came from: a file's path, or "<text>".
struct SpecSource {
  std::string file = "<text>";
  std::shared_ptr<const std::string> text;  ///< for excerpts; null for a Spec built by API
};

struct Spec {
  std::string noob_id, noob_model, noob_version, description;
  std::vector<InputSpec> inputs;  ///< in file order
  std::vector<AssetSpec> assets;
  std::vector<NodeSpec> nodes;
  std::vector<std::string> extends;  ///< as written; empty once linked
  Mark extends_mark;
  core::Value report;  ///< plots for the report page (ours); absent unless written

  std::string file = "<text>";                ///< for messages, and the base of relative paths
  std::shared_ptr<const std::string> source;  ///< text, for excerpts; null for a Spec built by API
  std::vector<SpecSource> bases;              ///< sources of what `extends` brought in
};

/// A Diagnostic at `mark` of `spec`, with its excerpt.
Diagnostic diagnose(const Spec& spec, Mark mark, std::string_view id, std::string message,
                    std::string help = {});

}  // namespace penstock::flow
