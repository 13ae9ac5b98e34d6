// Is this text at all? Run before any parser: size, encoding, binary formats.
#pragma once

#include <string_view>

#include "penstock/flow/yaml_problems.h"

namespace penstock::flow {

inline constexpr std::size_t kMaxTextBytes = std::size_t{256} << 20U;

/// False, with one problem, when `text` is too large, a binary file, UTF-16 or not UTF-8.
bool check_text(std::string_view text, Problems& problems);

}  // namespace penstock::flow
