// Reads a tube file: YAML (libyaml events, YAML 1.2 core schema resolved by us) -> Spec.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "penstock/base/result.h"
#include "penstock/core/value.h"
#include "penstock/flow/spec.h"

namespace penstock::flow {

/// Parses `text`; `file` is used in messages. All problems of the text's form are reported at once:
/// syntax, unknown keys, bad identifiers, malformed references, duplicate keys and slots, limits
/// (256 MiB of text, depth 256, 10,000 aliases or 1,000,000 expanded nodes; plain node lists may be
/// as long as the text).
std::expected<Spec, Diagnostics> parse_spec(std::string_view text, std::string file = "<text>");

/// Reads and parses a file; a missing, unreadable or binary file is a diagnostic too.
std::expected<Spec, Diagnostics> load_spec(const std::string& path);

/// Any YAML document as a Value (maps keep order; keys must be scalars and become text).
std::expected<core::Value, Diagnostics> parse_yaml(std::string_view text,
                                                   std::string file = "<text>");

/// `spec` as canonical YAML text; parse_spec() of it gives an equal Spec (marks aside).
std::string to_yaml(const Spec& spec);

}  // namespace penstock::flow
