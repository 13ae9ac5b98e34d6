// See spec_schema.h. The keys are rows of spec_keys.h.
#include "penstock/flow/spec_schema.h"

#include <span>
#include <vector>

#include <fmt/format.h>

#include "penstock/base/result.h"
#include "penstock/flow/spec_keys.h"

namespace penstock::flow {
namespace {

// Letters beyond ASCII are not told apart, as in the reader.
constexpr std::string_view kName = R"([A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*)";

/// "name": {schema with the summary in it}
std::string property(const SpecKey& key) {
  if (key.schema == "true") {
    return fmt::format(R"("{}": {{"description": "{}"}})", key.name, key.summary);
  }
  return fmt::format(R"("{}": {{"description": "{}", {})", key.name, key.summary,
                     key.schema.substr(1));
}

std::string object_of(std::span<const SpecKey> keys, std::span<const SpecKey> more,
                      std::string_view required) {
  std::string properties;
  for (const std::span<const SpecKey> part : {keys, more}) {
    for (const SpecKey& key : part) {
      properties += fmt::format("{}\n        {}", properties.empty() ? "" : ",", property(key));
    }
  }
  return fmt::format(
      R"({{"type": "object", "additionalProperties": false,{}
      "properties": {{{}}}}})",
      required.empty() ? "" : fmt::format(R"( "required": [{}],)", required), properties);
}

/// A map of ids to `what`.
std::string map_of(std::string_view what) {
  return fmt::format(
      R"({{"type": "object", "propertyNames": {{"$ref": "#/$defs/id"}},
      "additionalProperties": {{"$ref": "#/$defs/{}"}}}})",
      what);
}

/// An error code, or a name with a capital letter or a dot.
std::string error_name_schema() {
  std::string codes;
  for (const std::string_view name : base::error_code_names()) {
    codes += fmt::format("{}\"{}\"", codes.empty() ? "" : ", ", name);
  }
  return fmt::format(R"({{"anyOf": [{{"enum": [{}]}},
      {{"type": "string", "pattern": "^[A-Za-z0-9_.\u0080-\uffff]*[A-Z.\u0080-\uffff][A-Za-z0-9_.\u0080-\uffff]*$"}}]}})",
                     codes);
}

}  // namespace

std::string tube_schema() {
  std::string reserved;
  for (const std::string_view id : kReservedIds) {
    reserved += fmt::format("{}\"{}\"", reserved.empty() ? "" : ", ", id);
  }
  const std::vector<std::pair<std::string_view, std::string>> definitions{
      {"id", fmt::format(R"({{"pattern": "^{}$", "not": {{"enum": [{}]}}}})", kName, reserved)},
      {"type", fmt::format(R"({{"type": "string", "pattern": "^{0}(\\.{0})*$"}})", kName)},
      {"reference", fmt::format(R"({{"type": "string", "pattern": "^{0}\\.{0}$"}})", kName)},
      {"bool", R"({"enum": [true, false, 0, 1, "true", "True", "TRUE", "false", "False", "FALSE",
      "yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF",
      "y", "Y", "n", "N", "t", "T", "f", "F", "0", "1"]})"},
      {"bool_or_null", R"({"anyOf": [{"$ref": "#/$defs/bool"}, {"type": "null"}]})"},
      {"enabled", fmt::format(R"({{"anyOf": [{{"$ref": "#/$defs/bool"}},
      {{"type": "string", "pattern": "^input\\.{}$"}}]}})",
                              kName)},
      {"depends", R"({"anyOf": [{"type": "null"}, {"$ref": "#/$defs/reference"},
      {"type": "array", "items": {"anyOf": [{"$ref": "#/$defs/reference"},
        {"type": "object", "minProperties": 1, "maxProperties": 1,
         "additionalProperties": {"$ref": "#/$defs/reference"}}]}}]})"},
      {"retry", R"({"anyOf": [{"type": "integer", "minimum": 1, "maximum": 1000000},
      {"type": "object", "additionalProperties": false, "required": ["attempts"], "properties": {
        "attempts": {"description": "Calls in all", "type": "integer", "minimum": 1,
          "maximum": 1000000},
        "backoff_ms": {"description": "Wait before the second call; twice as long before each next",
          "type": "integer", "minimum": 0, "maximum": 31536000000},
        "max_ms": {"description": "The longest wait", "type": "integer", "minimum": 0,
          "maximum": 31536000000},
        "jitter": {"description": "Share of a wait that is left to chance", "type": "number",
          "minimum": 0, "maximum": 1},
        "on": {"description": "Error codes and exceptions after which it is tried again",
          "anyOf": [{"$ref": "#/$defs/error_name"},
            {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/error_name"}}]}}}]})"},
      {"error_name", error_name_schema()},
      {"resources", R"({"type": "object", "additionalProperties": false, "properties": {
        "cpu": {"description": "Cores", "type": "number", "minimum": 0, "maximum": 1000000},
        "io": {"description": "Slots", "type": "integer", "minimum": 0, "maximum": 1000000},
        "memory": {"description": "Bytes, or a text such as 512MB or 2GiB",
          "anyOf": [{"type": "integer", "minimum": 0, "maximum": 1152921504606846976},
            {"type": "string", "pattern": "^([0-9]+(\\.[0-9]*)?|\\.[0-9]+) *(|B|[kMGT]B|[KMGT]iB)$"}]}}})"},
      {"where", R"({"anyOf": [{"$ref": "#/$defs/tags"},
      {"type": "object", "additionalProperties": false,
       "properties": {"tags": {"$ref": "#/$defs/tags"}}}]})"},
      {"tags", R"({"anyOf": [{"$ref": "#/$defs/tag"},
      {"type": "array", "items": {"$ref": "#/$defs/tag"}}]})"},
      {"tag", R"({"type": "string", "pattern": "^[^ \\t\\n,]+$"})"},
      {"inputs", map_of("input")},
      {"input", object_of(kInputKeys, {}, R"("type")")},
      {"assets", map_of("asset")},
      {"asset", object_of(kAssetKeys, {}, R"("type", "scope")")},
      {"nodes", map_of("node")},
      {"node", object_of(kNodeKeys, kNodeExtraKeys, "")}};
  std::string properties, defs;
  for (const SpecKey& key : kTopKeys) {
    properties += fmt::format("    {},\n", property(key));
  }
  for (const auto& [name, text] : definitions) {
    defs += fmt::format("{}\n    \"{}\": {}", defs.empty() ? "" : ",", name, text);
  }
  return fmt::format(R"({{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "Penstock tube",
  "type": "object",
  "additionalProperties": false,
  "properties": {{
{}    {}
  }},
  "if": {{"not": {{"required": ["extends"]}}}},
  "then": {{"properties": {{"nodes": {{"additionalProperties": {{"required": ["type"]}}}}}}}},
  "$defs": {{{}
  }}
}})",
                     properties, property(kReportKey), defs);
}

}  // namespace penstock::flow
