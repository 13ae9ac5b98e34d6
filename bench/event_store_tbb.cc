// The peers of the event store benchmark: oneTBB's concurrent_vector and concurrent_hash_map.
//
//   event_store_tbb push           4,000,000 events of 40 bytes, push_back() of each
//   event_store_tbb append         the same, grow_by() in batches of 4,096
//   event_store_tbb uniform|zipf   find() of keys out of 1,000,000, two threads
//
// The memory of the vector is kept between samples (clear() does), as ours is.
#include <cstdlib>
#include <thread>

#include "event_keys.h"
#include "protocol.h"
#include <oneapi/tbb/concurrent_hash_map.h>
#include <oneapi/tbb/concurrent_vector.h>

namespace {

constexpr std::size_t kBatch = 4096;
constexpr std::size_t kEvents = 1000 * kBatch;
constexpr std::size_t kQueries = 1 << 21;

struct Event {
  std::uint32_t series;
  std::uint32_t previous;
  std::int64_t epoch, timestamp;
  std::uint64_t kind;
  double value;
};

int serve_append(bool one_by_one) {
  oneapi::tbb::concurrent_vector<Event> events;
  const std::vector<double> values(kBatch, 0.5);
  return penstock::bench::serve(std::to_string(kEvents), [&] {
    const double seconds = penstock::bench::timed([&] {
      for (std::size_t done = 0; done < kEvents; done += kBatch) {
        if (one_by_one) {
          for (std::size_t i = 0; i < kBatch; ++i) {
            events.push_back({0, 0, static_cast<std::int64_t>(done + i), 7, 4, values[i]});
          }
          continue;
        }
        auto at = events.grow_by(kBatch);
        for (std::size_t i = 0; i < kBatch; ++i, ++at) {
          *at = {0, 0, static_cast<std::int64_t>(done + i), 7, 4, values[i]};
        }
      }
    });
    if (events.size() != kEvents) {
      std::abort();
    }
    events.clear();
    return seconds / kEvents;
  });
}

struct Key {
  std::uint32_t series;
  std::int64_t epoch;
};
struct KeyCompare {
  static std::size_t hash(const Key& key) {
    return (static_cast<std::size_t>(key.epoch) ^ (std::size_t{key.series} << 40)) *
           0x9E3779B97F4A7C15;
  }
  static bool equal(const Key& a, const Key& b) {
    return a.series == b.series && a.epoch == b.epoch;
  }
};

int serve_find(const std::string& law) {
  using Map = oneapi::tbb::concurrent_hash_map<Key, std::int64_t, KeyCompare>;
  Map map(2 * penstock::bench::kNumKeys);
  const std::vector<std::int64_t> epochs = penstock::bench::shuffled_epochs();
  for (std::size_t i = 0; i < epochs.size(); ++i) {
    map.emplace(Key{0, epochs[i]}, static_cast<std::int64_t>(i));
  }
  const std::vector<std::int64_t> queries = penstock::bench::make_queries(law, kQueries);
  std::vector<std::int64_t> ids(queries.size());
  return penstock::bench::serve_lookups(ids, [&](std::size_t first, std::size_t last) {
    for (std::size_t at = first; at < last; ++at) {
      Map::const_accessor found;
      ids[at] = map.find(found, Key{0, queries[at]}) ? found->second : -1;
    }
  });
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc == 2 ? argv[1] : "";
  if (what == "push" || what == "append") {
    return serve_append(what == "push");
  }
  if (what == "uniform" || what == "zipf") {
    return serve_find(what);
  }
  std::cerr << "usage: event_store_tbb push|append|uniform|zipf\n";
  return 2;
}
