#include "penstock/flow/epoch.h"

#include <fmt/format.h>

namespace penstock::flow {

std::string Epoch::to_string() const {
  std::string out = fmt::format("{}", root);
  for (const auto& [map, index] : path) {
    out += fmt::format("/{}[{}]", map, index);
  }
  return out;
}

}  // namespace penstock::flow
