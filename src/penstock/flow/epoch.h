// Epoch: which pass through the graph an event belongs to. A root number, then one index per map.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace penstock::flow {

/// Ordered by root, then path; a prefix sorts first. Value type, thread-compatible.
struct Epoch {
  std::int64_t root = 0;
  std::vector<std::pair<std::string, std::int64_t>>
      path;  ///< (map node id, index), outermost first

  friend bool operator==(const Epoch&, const Epoch&) = default;
  friend auto operator<=>(const Epoch&, const Epoch&) = default;

  /// "3" or "3/months[0]/rows[7]".
  std::string to_string() const;
};

}  // namespace penstock::flow
