// The YAML 1.2 core schema: what a plain scalar means. Quoted scalars are always text.
#pragma once

#include <string_view>

#include "penstock/core/value.h"

namespace penstock::flow {

/// null, bool, int (decimal, 0o, 0x; any size up to 4,300 digits), float (.inf, .nan) or text.
/// `yes`, `no`, `on`, `off`, dates, 1_000 and 0b1 are text: the core schema does not know them.
core::Value resolve_plain_scalar(std::string_view text);

/// True when `text`, written without quotes, would not come back as this same text.
bool resolves_to_other_than_text(std::string_view text);

}  // namespace penstock::flow
