// Values as YAML text that reads back as the same Values.
//
// Thread-safe (functions only). Internal to the room.
#pragma once

#include <string>
#include <string_view>

#include "penstock/base/result.h"
#include "penstock/core/value.h"

namespace penstock::flow {

/// `text` as a scalar on one line: plain where it is safe, else in double quotes.
std::string yaml_text(std::string_view text);

/// Appends " value\n", or "\n" and an indented block, as it stands after "key:". `indent`: spaces
/// of a nested block. kInvalidArgument for kinds YAML does not have (bytes, tensor, table, ...);
/// kResourceExhausted for nesting beyond core::kMaxDepth.
base::Status append_yaml(std::string& out, const core::Value& value, int indent);

}  // namespace penstock::flow
