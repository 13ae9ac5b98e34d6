// `penstock run hello`: a tube that needs no file, no data and no Python, with its operators.
#pragma once

#include <string_view>

#include "penstock/core/operator.h"

namespace penstock::cli {

inline constexpr std::string_view kHelloName = "hello";

/// The tube as YAML.
std::string_view hello_tube();

/// hello.words, hello.capitalize and hello.join. Built on first use, then never changed.
const core::Registry& hello_registry();

}  // namespace penstock::cli
