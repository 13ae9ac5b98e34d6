// Events and keys of the event store benchmark, the same for both sides.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "protocol.h"

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

/// All epochs, each once, in the order in which they are added.
inline std::vector<std::int64_t> shuffled_epochs() {
  std::vector<std::int64_t> epochs(kNumKeys);
  for (std::size_t i = 0; i < epochs.size(); ++i) {
    epochs[i] = static_cast<std::int64_t>(i);
  }
  std::shuffle(epochs.begin(), epochs.end(), std::mt19937_64(3));
  return epochs;
}

/// Serves samples of `search(first, last)`, which writes ids[first, last), on two threads: seconds
/// per key. The answer is the sum of the ids.
template <class Search>
int serve_lookups(const std::vector<std::int64_t>& ids, Search search) {
  const std::size_t count = ids.size();
  search(std::size_t{0}, count);  // what is made at the first look is made now
  std::uint64_t sum = 0;
  for (const std::int64_t id : ids) {
    sum += static_cast<std::uint64_t>(id);
  }
  return serve(std::to_string(sum), [&] {
    const double seconds = timed([&] {
      std::thread other(search, count / 2, count);
      search(std::size_t{0}, count / 2);
      other.join();
    });
    return seconds / static_cast<double>(count);
  });
}

}  // namespace penstock::bench
