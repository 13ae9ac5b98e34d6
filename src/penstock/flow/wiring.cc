#include "penstock/flow/wiring.h"

#include <algorithm>

namespace penstock::flow {

std::vector<std::string> PlanWiring::maps(std::int32_t node) const {
  std::vector<std::string> ids;
  std::int32_t region = plan_.nodes()[static_cast<std::size_t>(node)].region;
  for (; region != kNone; region = plan_.regions()[static_cast<std::size_t>(region)].parent) {
    const std::int32_t map = plan_.regions()[static_cast<std::size_t>(region)].map;
    if (map != kNone) {
      ids.push_back(plan_.nodes()[static_cast<std::size_t>(map)].id);
    }
  }
  std::ranges::reverse(ids);
  return ids;
}

core::Wiring::Source PlanWiring::source(std::int32_t node, std::int32_t input) const {
  const auto edges = plan_.in_edges(plan_.nodes()[static_cast<std::size_t>(node)]);
  const std::int32_t signal = edges[static_cast<std::size_t>(input)].signal;
  if (signal == kNone) {
    return {};
  }
  const std::int32_t producer = plan_.producer(signal);
  const Region& region = plan_.regions()[static_cast<std::size_t>(plan_.signal_region(signal))];
  return {.node = producer == Plan::kInputNode
                      ? "input"
                      : plan_.nodes()[static_cast<std::size_t>(producer)].id,
          .signal = plan_.signal_names()[static_cast<std::size_t>(signal)],
          .depth = region.depth};
}

}  // namespace penstock::flow
