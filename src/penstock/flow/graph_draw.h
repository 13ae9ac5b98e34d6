// Pictures of a tube: text for terminals, Mermaid and DOT for documents, SVG for pages.
//
// Drawn from the Spec alone, so no type is resolved and no Python is started. A tube with wiring
// errors is drawn as far as it goes: edges to unknown nodes are left out, cycles are cut.
#pragma once

#include <cstdint>
#include <string>

#include "penstock/flow/spec.h"

namespace penstock::flow {

enum class GraphFormat : std::uint8_t { kAscii, kMermaid, kDot, kSvg };

/// The picture, ending in a newline. Thread-safe.
std::string draw_graph(const Spec& spec, GraphFormat format);

}  // namespace penstock::flow
