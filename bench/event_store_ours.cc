// Our side of the event store benchmark, from C++.
//
//   event_store_ours append      4,000,000 events in batches of 4,096, memory warm: per event
//   event_store_ours reading     the same while another thread looks keys up all the time
//   event_store_ours uniform|zipf   batches of 4,096 keys out of 1,000,000, two threads: per key
#include <atomic>
#include <cstdio>
#include <thread>

#include "event_keys.h"
#include "protocol.h"

#include "penstock/events/event_store.h"

namespace {

using penstock::events::EventColumns;
using penstock::events::EventKey;
using penstock::events::EventStore;

constexpr std::size_t kBatch = 4096;
constexpr std::size_t kEvents = 1000 * kBatch;
constexpr std::size_t kQueries = 1 << 21;

void append(EventStore& store, std::size_t count, const std::vector<double>& values) {
  std::vector<std::int64_t> epochs(kBatch);
  EventColumns columns;
  columns.count = kBatch;
  columns.series = penstock::events::Series{0};
  columns.timestamps_us = std::int64_t{7};
  columns.epochs = std::span<const std::int64_t>(epochs);
  columns.values = std::span<const double>(values);
  for (std::size_t done = 0; done < count; done += kBatch) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      epochs[i] = static_cast<std::int64_t>(done + i);
    }
    if (!store.add_batch(columns).has_value()) {
      std::abort();
    }
  }
}

int serve_append(bool with_reader) {
  EventStore store;
  (void)store.names().add({"node", "value", {}});
  const std::vector<double> values(kBatch, 0.5);
  std::atomic<bool> stop{false};
  std::atomic<std::int64_t> num_read{0};
  std::thread reader;
  if (with_reader) {
    reader = std::thread([&] {
      std::mt19937_64 random(1);
      std::vector<EventKey> keys(256);
      std::vector<std::int64_t> ids(keys.size());
      while (!stop.load(std::memory_order_relaxed)) {
        for (EventKey& key : keys) {
          key.epoch = static_cast<std::int64_t>(random() % kEvents);
        }
        (void)store.find(keys, ids);
        num_read.fetch_add(static_cast<std::int64_t>(keys.size()), std::memory_order_relaxed);
      }
    });
  }
  const int code = penstock::bench::serve(std::to_string(kEvents), [&] {
    const double seconds = penstock::bench::timed([&] { append(store, kEvents, values); });
    if (store.size() != static_cast<std::int64_t>(kEvents)) {
      std::abort();
    }
    (void)store.clear();
    return seconds / kEvents;
  });
  stop = true;
  if (reader.joinable()) {
    reader.join();
    std::fprintf(stderr, "event_store_ours: %lld keys were looked up meanwhile\n",
                 static_cast<long long>(num_read.load()));
  }
  return code;
}

int serve_find(const std::string& law) {
  EventStore store;
  (void)store.names().add({"node", "value", {}});
  const std::vector<std::int64_t> epochs = penstock::bench::shuffled_epochs();
  const std::vector<double> values(epochs.size(), 0.5);
  EventColumns columns;
  columns.count = epochs.size();
  columns.epochs = std::span<const std::int64_t>(epochs);
  columns.values = std::span<const double>(values);
  (void)store.add_batch(columns);
  const std::vector<std::int64_t> queries = penstock::bench::make_queries(law, kQueries);
  std::vector<EventKey> keys;
  for (const std::int64_t query : queries) {
    keys.push_back({0, query});
  }
  std::vector<std::int64_t> ids(keys.size());
  return penstock::bench::serve_lookups(ids, [&](std::size_t first, std::size_t last) {
    for (std::size_t at = first; at < last; at += kBatch) {
      (void)store.find(std::span(keys).subspan(at, kBatch), std::span(ids).subspan(at, kBatch));
    }
  });
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc == 2 ? argv[1] : "";
  if (what == "append" || what == "reading") {
    return serve_append(what == "reading");
  }
  if (what == "uniform" || what == "zipf") {
    return serve_find(what);
  }
  std::cerr << "usage: event_store_ours append|reading|uniform|zipf\n";
  return 2;
}
