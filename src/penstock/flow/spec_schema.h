// The JSON Schema (2020-12) of tube files, for completion and checks in editors.
#pragma once

#include <string>

namespace penstock::flow {

/// Accepts every file the reader accepts, merge keys ("<<") aside; refuses unknown keys, wrong
/// kinds of values and malformed references and names.
std::string tube_schema();

}  // namespace penstock::flow
