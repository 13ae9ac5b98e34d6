// EventStore under 32 threads: every recorded history must be one that some order of the calls,
// each at one moment between its beginning and its end, explains (Herlihy and Wing; the search is
// Wing and Gong's). Ids fix the order of the adds, and a reading call may be placed as soon as it
// fits, so that only the clears leave a choice.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <latch>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "penstock/events/event_store.h"

namespace penstock::events {
namespace {

using core::Value;

enum class Call : std::uint8_t { kAdd, kBatch, kGet, kFind, kScan, kSize, kClear, kClearEpoch };

struct Operation {
  Call call = Call::kAdd;
  std::vector<EventKey> keys;     ///< what it is about
  std::vector<std::int64_t> ids;  ///< what it gave
  std::int64_t begin = 0, end = 0;
};

using History = std::vector<Operation>;

bool changes(Call call) {
  return call == Call::kAdd || call == Call::kBatch || call == Call::kClear ||
         call == Call::kClearEpoch;
}

using Events = std::vector<std::pair<std::int64_t, EventKey>>;

/// The store that is meant: ids with their keys.
struct Model {
  std::int64_t next_id = 0;
  Events events;

  /// Does the call, if it gives what it gave in the history.
  bool apply(const Operation& op) {
    switch (op.call) {
      case Call::kAdd:
      case Call::kBatch:
        if (op.ids.front() != next_id) {
          return false;
        }
        for (const EventKey& key : op.keys) {
          events.emplace_back(next_id++, key);
        }
        return true;
      case Call::kClear:
        events.clear();
        return true;
      case Call::kClearEpoch:
        std::erase_if(events, [&](const auto& e) { return e.second.epoch == op.keys[0].epoch; });
        return true;
      default:
        return answer(op) == op.ids;
    }
  }

  std::vector<std::int64_t> answer(const Operation& op) const {
    std::vector<std::int64_t> ids;
    if (op.call == Call::kSize) {
      return {static_cast<std::int64_t>(events.size())};
    }
    if (op.call == Call::kFind) {
      for (const EventKey& key : op.keys) {
        ids.push_back(-1);
        for (const auto& [id, other] : events) {
          ids.back() = other == key ? id : ids.back();
        }
      }
      return ids;
    }
    for (const auto& [id, key] : events) {
      if (op.call == Call::kScan || key == op.keys[0]) {
        ids.push_back(id);
      }
    }
    return ids;
  }
};

/// Looks for an order. The history is sorted by `begin`.
class Search {
 public:
  explicit Search(const History& history) : history_(history), done_(history.size()) {}
  bool run() { return step(Model(), 0); }

 private:
  // The earliest end of what is not placed yet: nothing that begins later may come first.
  std::int64_t limit() const {
    std::int64_t first = std::numeric_limits<std::int64_t>::max();
    for (std::size_t i = 0; i < history_.size(); ++i) {
      first = done_[i] ? first : std::min(first, history_[i].end);
    }
    return first;
  }

  bool step(Model model, std::size_t num_done) {
    std::vector<std::size_t> placed;
    for (bool again = true; again;) {
      again = false;
      const std::int64_t last = limit();
      for (std::size_t i = 0; i < history_.size() && history_[i].begin <= last; ++i) {
        if (!done_[i] && !changes(history_[i].call) && model.apply(history_[i])) {
          done_[i] = true;
          placed.push_back(i);
          again = true;
          break;
        }
      }
    }
    if (num_done + placed.size() == history_.size()) {
      return true;
    }
    // The same calls in another order may leave something else.
    if (seen_.insert({done_, model.events}).second) {
      const std::int64_t last = limit();
      for (std::size_t i = 0; i < history_.size() && history_[i].begin <= last; ++i) {
        Model next = model;
        if (!done_[i] && changes(history_[i].call) && next.apply(history_[i])) {
          done_[i] = true;
          if (step(std::move(next), num_done + placed.size() + 1)) {
            return true;
          }
          done_[i] = false;
        }
      }
    }
    for (const std::size_t i : placed) {
      done_[i] = false;
    }
    return false;
  }

  const History& history_;
  std::vector<bool> done_;
  std::set<std::pair<std::vector<bool>, Events>> seen_;
};

std::vector<std::int64_t> ids_of(const std::vector<StoredEvent>& events) {
  std::vector<std::int64_t> ids;
  for (const StoredEvent& event : events) {
    ids.push_back(event.id);
  }
  return ids;
}

Operation make_call(std::mt19937_64& random) {
  // Few keys, so that calls meet.
  const auto key = [&] {
    return EventKey{static_cast<Series>(random() % 2), static_cast<std::int64_t>(random() % 2)};
  };
  static constexpr Call kCalls[] = {Call::kAdd,  Call::kAdd,  Call::kAdd,       Call::kBatch,
                                    Call::kGet,  Call::kGet,  Call::kGet,       Call::kFind,
                                    Call::kSize, Call::kScan, Call::kClearEpoch};
  Operation op;
  op.call = random() % 40 == 0 ? Call::kClear : kCalls[random() % std::size(kCalls)];
  const std::uint64_t count = op.call == Call::kBatch  ? 1 + random() % 5
                              : op.call == Call::kFind ? 4
                                                       : 1;
  for (std::uint64_t i = 0; i < count; ++i) {
    op.keys.push_back(key());
  }
  return op;
}

std::vector<std::int64_t> perform(EventStore& store, const Operation& op) {
  std::vector<std::int64_t> ids(op.keys.size());
  switch (op.call) {
    case Call::kAdd:
      return {store.add(op.keys[0], Value::text("x"), 0).value()};
    case Call::kBatch: {
      std::vector<Series> series;
      std::vector<std::int64_t> epochs;
      std::vector<double> values(op.keys.size());
      for (const EventKey& key : op.keys) {
        series.push_back(key.series);
        epochs.push_back(key.epoch);
      }
      EventColumns columns;
      columns.count = op.keys.size();
      columns.series = std::span<const Series>(series);
      columns.epochs = std::span<const std::int64_t>(epochs);
      columns.values = std::span<const double>(values);
      return {store.add_batch(columns).value()};
    }
    case Call::kGet:
      return ids_of(store.get(op.keys[0]).value());
    case Call::kFind:
      EXPECT_TRUE(store.find(op.keys, ids).has_value());
      return ids;
    case Call::kScan:
      return ids_of(store.scan(0, 1'000'000).value());
    case Call::kSize:
      return {store.size()};
    case Call::kClear:
      EXPECT_TRUE(store.clear().has_value());
      return {};
    case Call::kClearEpoch:
      EXPECT_TRUE(store.clear_epoch(op.keys[0].epoch).has_value());
      return {};
  }
  return {};
}

History record(std::uint64_t seed, int num_threads, int num_calls) {
  EventStore store;
  for (const char* node : {"a", "b"}) {
    EXPECT_TRUE(store.names().add({node, "value", {}}).has_value());
  }
  std::atomic<std::int64_t> time{0};
  std::latch start(num_threads);
  std::vector<History> histories(static_cast<std::size_t>(num_threads));
  std::vector<std::thread> threads;
  for (int t = 0; t < num_threads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(seed * 1000 + static_cast<std::uint64_t>(t));
      History& mine = histories[static_cast<std::size_t>(t)];
      start.arrive_and_wait();
      for (int i = 0; i < num_calls; ++i) {
        Operation op = make_call(random);
        op.begin = time.fetch_add(1);
        op.ids = perform(store, op);
        op.end = time.fetch_add(1);
        mine.push_back(std::move(op));
        if (random() % 3 == 0) {
          std::this_thread::yield();
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  History all;
  for (History& history : histories) {
    all.insert(all.end(), history.begin(), history.end());
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
  return all;
}

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr std::uint64_t kHistories = 6;
#else
constexpr std::uint64_t kHistories = 40;
#endif

TEST(EventStoreHistory, OfThirtyTwoThreadsIsLinearizable) {
  const bool is_long = std::getenv("PENSTOCK_LONG_TESTS") != nullptr;
  std::int64_t num_overlaps = 0, num_calls = 0;
  for (std::uint64_t seed = 0; seed < (is_long ? 3'000U : kHistories); ++seed) {
    const History history = record(seed, 32, is_long ? 8 : 5);
    std::int64_t latest = -1;
    for (const Operation& op : history) {
      num_overlaps += op.begin < latest ? 1 : 0;
      latest = std::max(latest, op.end);
    }
    num_calls += static_cast<std::int64_t>(history.size());
    ASSERT_TRUE(Search(history).run()) << "seed " << seed;
  }
  // A history without overlaps proves nothing.
  EXPECT_GT(num_overlaps, num_calls / 100);
  std::printf("%lld calls in all, %lld began while another went on\n",
              static_cast<long long>(num_calls), static_cast<long long>(num_overlaps));
}

TEST(EventStoreHistory, AWrongAnswerIsNoticed) {
  int num_lies = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    History history = record(seed, 4, 12);
    for (Operation& op : history) {
      // An event that is missing from what get() gave, though nothing clears.
      if (op.call == Call::kGet && !op.ids.empty()) {
        op.ids.front() += 1000;
        EXPECT_FALSE(Search(history).run()) << "seed " << seed;
        ++num_lies;
        break;
      }
    }
  }
  EXPECT_GT(num_lies, 5);
}

}  // namespace
}  // namespace penstock::events
