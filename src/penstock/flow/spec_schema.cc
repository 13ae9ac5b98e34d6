// See spec_schema.h. The keys are rows of spec_keys.h.
#include "penstock/flow/spec_schema.h"

#include <span>
#include <vector>

#include <fmt/format.h>

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
