// Reads a tube file: YAML (libyaml events, YAML 1.2 core schema resolved by us) -> Spec.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/value.h"
#include "penstock/flow/spec.h"

namespace penstock::flow {

/// What could be read of a tube, for tools that report wiring errors beside errors of form.
struct ParsedSpec {
  Spec spec;                ///< nodes with problems are in it, with the parts that were right
  Diagnostics diagnostics;  ///< by place; empty = no problem
  bool whole = false;       ///< the text was read to its end: every node of the file is in `spec`
};
ParsedSpec parse_spec_partly(std::string_view text, std::string file = "<text>");
ParsedSpec load_spec_partly(const std::string& path);

/// Parses `text`; `file` is used in messages. All problems of the text's form are reported at once:
/// syntax, unknown keys, bad identifiers, malformed references, duplicate keys and slots, limits
/// (256 MiB of text, depth 256, 10,000 aliases or 1,000,000 expanded nodes; plain node lists may be
/// as long as the text).
std::expected<Spec, Diagnostics> parse_spec(std::string_view text, std::string file = "<text>");

/// Reads and parses a file; a missing, unreadable or binary file is a diagnostic too.
std::expected<Spec, Diagnostics> load_spec(const std::string& path);

/// A Spec from a map of the same shape (a dict in Python), by the same rules; no places.
std::expected<Spec, Diagnostics> spec_from_value(const core::Value& tube,
                                                 std::string file = "<dict>");

/// Any YAML document as a Value (maps keep order; keys must be text). An empty one is null.
std::expected<core::Value, Diagnostics> parse_yaml(std::string_view text,
                                                   std::string file = "<text>");

/// A part of a tube's text: keys of maps and positions in lists, from the top of the file.
struct PartPath {
  std::vector<std::string> path;  ///< {"report", "0", "kind"}
  bool at_key = false;            ///< the place of the key, not of its value
};
/// Where `parts` lie in the text of `spec`; of one that is not there, its nearest enclosing part.
/// Unknown for a Spec without text. Reads the text again: for messages only.
std::vector<Mark> find_marks(const Spec& spec, std::span<const PartPath> parts);

/// `spec` as a map of the shape spec_from_value() takes.
core::Value to_value(const Spec& spec);

/// `spec` as canonical YAML text; parse_spec() of it gives an equal Spec (marks aside).
/// kInvalidArgument when a parameter holds a kind YAML does not have (bytes, tensor, host object).
base::Result<std::string> to_yaml(const Spec& spec);

}  // namespace penstock::flow
