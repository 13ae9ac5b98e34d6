// Every key of the tube format, once: the reader knows them from here, and the JSON Schema is made
// of the same rows. Internal to the room.
#pragma once

#include <array>
#include <string_view>

namespace penstock::flow {

struct SpecKey {
  std::string_view name;
  std::string_view schema;   ///< JSON Schema of its value; "$ref" goes to spec_schema.cc
  std::string_view summary;  ///< one line, for editors
};

constexpr std::string_view kTextSchema = R"({"type": ["string", "null"]})";

constexpr auto kTopKeys = std::to_array<SpecKey>({
    {"noob_id", R"({"type": ["string", "null"], "pattern": "^[^\\s.:]+$"})", "Name of the tube"},
    {"noob_model", kTextSchema, "Model class of noob; kept, not used"},
    {"noob_version", kTextSchema, "Version of noob that wrote the file; kept, not used"},
    {"description", kTextSchema, "What the tube is for"},
    {"input", R"({"$ref": "#/$defs/inputs"})", "Values given from outside, by name"},
    {"assets", R"({"$ref": "#/$defs/assets"})", "Shared objects, by name"},
    {"nodes", R"({"$ref": "#/$defs/nodes"})", "The steps, by name"},
    {"extends", R"({"type": ["array", "null"], "items": {"type": "string"}})",
     "Tubes this one is merged over"},
});

/// Ours alone.
constexpr SpecKey kReportKey{"report",
                             R"({"type": ["array", "null"], "items": {"type": "object"}})",
                             "Plots on the report page"};

constexpr auto kNodeKeys = std::to_array<SpecKey>({
    {"type", R"({"$ref": "#/$defs/type"})",
     "map, gather, return, tube, an operator, a builtin or pkg.module.name"},
    {"id", R"({"type": "string"})", "Its key again"},
    {"depends", R"({"$ref": "#/$defs/depends"})", "Where its inputs come from: node.signal"},
    {"params", R"({"type": ["object", "null"]})", "Fixed arguments, by name"},
    {"enabled", R"({"$ref": "#/$defs/enabled"})", "false, or input.<name>, to leave it out"},
    {"stateful", R"({"$ref": "#/$defs/bool_or_null"})", "Its calls happen in the order of epochs"},
    {"description", kTextSchema, "What the node is for"},
    {"retry", R"({"$ref": "#/$defs/retry"})",
     "How often to call it in all while it fails, and how long to wait between"},
    {"timeout_ms", R"({"type": "integer", "exclusiveMinimum": 0})", "Milliseconds it may take"},
    {"resources", R"({"$ref": "#/$defs/resources"})",
     "What a call needs of what the run has: cpu, io, memory"},
    {"cache", R"({"type": "boolean"})",
     "true: keep its results and use them again; false: never. Default: by its type"},
    {"where", R"({"$ref": "#/$defs/where"})", "Tags of the places where it may run"},
});

/// Other names and what is read and dropped; not offered either.
constexpr auto kNodeExtraKeys = std::to_array<SpecKey>({
    {"timeout", R"({"type": ["number", "string"], "exclusiveMinimum": 0})",
     "Seconds, or a text such as 500ms"},
    {"nodeinfo", "true", "Written by noob; dropped"},
});

constexpr auto kInputKeys = std::to_array<SpecKey>({
    {"type", R"({"type": "string"})", "What it holds; text"},
    {"id", R"({"type": "string"})", "Its key again"},
    {"scope", R"({"enum": ["tube", "process"]})", "tube: at load; process: for each run"},
    {"default", "true", "Its value when none is given"},
    {"required", R"({"$ref": "#/$defs/bool"})", "false: null when none is given"},
    {"description", kTextSchema, "What the input is for"},
});

constexpr auto kAssetKeys = std::to_array<SpecKey>({
    {"type", R"({"$ref": "#/$defs/type"})", "A class or a function"},
    {"id", R"({"type": "string"})", "Its key again"},
    {"scope", R"({"enum": ["runner", "process", "node"]})", "How long it lives"},
    {"params", R"({"type": ["object", "array", "null"]})", "Arguments"},
    {"depends", R"({"anyOf": [{"$ref": "#/$defs/reference"}, {"type": "null"}]})",
     "The signal that replaces it; scope runner only"},
    {"description", kTextSchema, "What the asset is for"},
});

template <std::size_t Size>
constexpr std::array<std::string_view, Size> names_of(const std::array<SpecKey, Size>& keys) {
  std::array<std::string_view, Size> out{};
  for (std::size_t i = 0; i < Size; ++i) {
    out[i] = keys[i].name;
  }
  return out;
}

constexpr std::array<std::string_view, 4> kReservedIds{"assets", "input", "meta", "tube"};

}  // namespace penstock::flow
