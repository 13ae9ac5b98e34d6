// The version of this library, from the build (CMakeLists.txt, project()).
#pragma once

#include <string_view>

namespace penstock::base {

/// "0.1.0".
std::string_view version();

}  // namespace penstock::base
