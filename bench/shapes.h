// The graphs of the scheduler benchmark, as compressed rows: node -> the nodes it depends on.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace penstock::bench {

struct Shape {
  std::vector<std::int32_t> begin;  ///< begin[i] .. begin[i + 1]: where node i's producers lie
  std::vector<std::int32_t> from;

  std::int32_t num_nodes() const { return static_cast<std::int32_t>(begin.size()) - 1; }
  std::int32_t num_inputs(std::int32_t node) const {
    return begin[static_cast<std::size_t>(node) + 1] - begin[static_cast<std::size_t>(node)];
  }
};

/// "chain": each after the one before. "wide": one source, all others after it. "layered": layers
/// of 1,000, each node after three of the layer above.
inline Shape make_shape(std::string_view name, std::int32_t num_nodes) {
  constexpr std::int32_t kWidth = 1'000;
  Shape shape{.begin = {0}, .from = {}};
  for (std::int32_t i = 0; i < num_nodes; ++i) {
    if (name == "chain" && i > 0) {
      shape.from.push_back(i - 1);
    } else if (name == "wide" && i > 0) {
      shape.from.push_back(0);
    } else if (name == "layered" && i >= kWidth) {
      const std::int32_t above = i - i % kWidth - kWidth;
      for (const std::int32_t step : {0, 1, 7}) {
        shape.from.push_back(above + (i + step) % kWidth);
      }
    }
    shape.begin.push_back(static_cast<std::int32_t>(shape.from.size()));
  }
  return shape;
}

/// What node i computes in the check run: 1 + the sum of its inputs, modulo 2^32. Serial oracle.
inline std::vector<std::uint32_t> expected_values(const Shape& shape) {
  std::vector<std::uint32_t> values;
  for (std::int32_t i = 0; i < shape.num_nodes(); ++i) {
    std::uint32_t sum = 1;
    for (std::int32_t k = shape.begin[static_cast<std::size_t>(i)];
         k < shape.begin[static_cast<std::size_t>(i) + 1]; ++k) {
      sum += values[static_cast<std::size_t>(shape.from[static_cast<std::size_t>(k)])];
    }
    values.push_back(sum);
  }
  return values;
}

}  // namespace penstock::bench
