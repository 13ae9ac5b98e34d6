// Events and keys of the event store benchmark, the same for both sides.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace penstock::bench {

inline constexpr std::int64_t kNumKeys = 1'000'000;

/// Epochs to look for: each as often as any other, or by Zipf's law with exponent 0.99 (YCSB's).
inline std::vector<std::int64_t> make_queries(const std::string& law, std::size_t count) {
  std::mt19937_64 random(42);
  std::vector<std::int64_t> queries(count);
  if (law == "uniform") {
    for (std::int64_t& query : queries) {
      query = static_cast<std::int64_t>(random() % kNumKeys);
    }
    return queries;
  }
  std::vector<double> cumulated(kNumKeys);
  double sum = 0;
  for (std::int64_t rank = 0; rank < kNumKeys; ++rank) {
    sum += std::pow(static_cast<double>(rank + 1), -0.99);
    cumulated[static_cast<std::size_t>(rank)] = sum;
  }
  // Popular keys lie anywhere, not side by side.
  std::vector<std::int64_t> keys(kNumKeys);
  for (std::int64_t i = 0; i < kNumKeys; ++i) {
    keys[static_cast<std::size_t>(i)] = i;
  }
  std::shuffle(keys.begin(), keys.end(), random);
  std::uniform_real_distribution<double> any(0, sum);
  for (std::int64_t& query : queries) {
    const auto it = std::lower_bound(cumulated.begin(), cumulated.end(), any(random));
    query = keys[static_cast<std::size_t>(it - cumulated.begin())];
  }
  return queries;
}

}  // namespace penstock::bench
