// EventStore against an obvious one, on one thread: the same calls, the same answers.
#include "penstock/events/event_store.h"

#include <cmath>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "penstock/base/buffer_pool.h"

namespace penstock::events {
namespace {

using core::Value;

Series series_of(EventStore& store, const std::string& node, const std::string& signal = "value",
                 std::vector<std::pair<std::string, std::int64_t>> path = {}) {
  return store.names().add({node, signal, std::move(path)}).value();
}

std::vector<std::int64_t> ids_of(const std::vector<StoredEvent>& events) {
  std::vector<std::int64_t> ids;
  for (const StoredEvent& event : events) {
    ids.push_back(event.id);
  }
  return ids;
}

/// All events in one list.
class Oracle {
 public:
  std::int64_t add(EventKey key, std::int64_t value) {
    events_.push_back({next_, key, 0, Value::integer(value)});
    return next_++;
  }
  template <class Pick>
  void forget(Pick pick) {
    std::erase_if(events_, pick);
  }
  std::vector<std::int64_t> get(EventKey key) const {
    std::vector<std::int64_t> ids;
    for (const StoredEvent& event : events_) {
      if (event.key == key) {
        ids.push_back(event.id);
      }
    }
    return ids;
  }
  const std::vector<StoredEvent>& all() const { return events_; }

 private:
  std::vector<StoredEvent> events_;
  std::int64_t next_ = 0;
};

TEST(EventStore, GivesBackWhatWasAdded) {
  EventStore store;
  const Series a = series_of(store, "a"), b = series_of(store, "b");
  EXPECT_EQ(store.add({a, 7}, Value::text("one"), 11).value(), 0);
  EXPECT_EQ(store.add({b, 7}, Value::null(), 12).value(), 1);
  EXPECT_EQ(store.add({a, 7}, Value::real(2.5), 13).value(), 2);
  const auto found = store.get({a, 7}).value();
  ASSERT_EQ(ids_of(found), (std::vector<std::int64_t>{0, 2}));
  EXPECT_EQ(found[0].value, Value::text("one"));
  EXPECT_EQ(found[0].timestamp_us, 11);
  EXPECT_EQ(found[1].value, Value::real(2.5));
  EXPECT_TRUE(store.get({a, 8}).value().empty());
  EXPECT_EQ(store.size(), 3);
}

TEST(EventStore, NamesAreNumbersInOrderOfFirstUse) {
  EventStore store;
  for (Series i = 0; i < 10'000; ++i) {
    ASSERT_EQ(series_of(store, "node" + std::to_string(i / 3), std::to_string(i % 3)), i);
  }
  EXPECT_EQ(series_of(store, "node1", "0"), 3U);
  EXPECT_EQ(store.names().name(3).node, "node1");
  EXPECT_EQ(store.names().name(9'999).signal, "0");
  EXPECT_FALSE(store.names().find({"node1", "9", {}}).has_value());
  // Lengths count: no two names have the same key.
  EXPECT_NE(series_of(store, "ab", "c"), series_of(store, "a", "bc"));
  EXPECT_NE(series_of(store, "ab", "c", {{"m", 1}}), series_of(store, "ab", "c", {{"m", 2}}));
}

TEST(EventStore, AddsColumns) {
  EventStore store;
  const Series a = series_of(store, "a"), b = series_of(store, "b");
  std::vector<std::int64_t> epochs(300'000);
  std::vector<double> reals(epochs.size());
  std::vector<Series> both(epochs.size());
  for (std::size_t i = 0; i < epochs.size(); ++i) {
    epochs[i] = static_cast<std::int64_t>(i / 2);
    reals[i] = std::sqrt(static_cast<double>(i));
    both[i] = i % 2 == 0 ? a : b;
  }
  EventColumns columns;
  columns.count = epochs.size();
  columns.series = std::span<const Series>(both);
  columns.epochs = std::span<const std::int64_t>(epochs);
  columns.timestamps_us = std::int64_t{5};
  columns.values = std::span<const double>(reals);
  EXPECT_EQ(store.add_batch(columns).value(), 0);
  EXPECT_EQ(store.add_batch(columns).value(), 300'000);
  EXPECT_EQ(store.size(), 600'000);
  const auto found = store.get({b, 149'999}).value();
  ASSERT_EQ(ids_of(found), (std::vector<std::int64_t>{299'999, 599'999}));
  EXPECT_EQ(found[1].value, Value::real(std::sqrt(299'999.0)));
  EXPECT_EQ(found[1].timestamp_us, 5);
  std::vector<EventKey> keys = {{a, 5}, {b, 5}, {a, 150'000}};
  std::vector<std::int64_t> ids(keys.size());
  ASSERT_TRUE(store.find(keys, ids).has_value());
  EXPECT_EQ(ids, (std::vector<std::int64_t>{300'010, 300'011, -1}));
}

TEST(EventStore, ClearsAnEpochWithWhatIsInsideItsMaps) {
  EventStore store;
  const Series root = series_of(store, "a"), inner = series_of(store, "b", "value", {{"m", 0}});
  const Series other = series_of(store, "b", "value", {{"m", 1}});
  for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
    for (const Series series : {root, inner, other}) {
      ASSERT_TRUE(store.add({series, epoch}, Value::integer(epoch), 0).has_value());
    }
  }
  ASSERT_TRUE(store.clear_epoch(1).has_value());
  EXPECT_EQ(store.size(), 6);
  ASSERT_TRUE(store.clear_epoch(2, {{"m", 1}}).has_value());
  EXPECT_EQ(ids_of(store.scan(0, 100).value()), (std::vector<std::int64_t>{0, 1, 2, 6, 7}));
  EXPECT_TRUE(store.get({other, 2}).value().empty());
  ASSERT_TRUE(store.add({other, 2}, Value::null(), 0).has_value());
  EXPECT_EQ(ids_of(store.get({other, 2}).value()), (std::vector<std::int64_t>{9}));
}

TEST(EventStore, AgreesWithTheOracle) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    std::mt19937_64 random(seed);
    EventStore store;
    Oracle oracle;
    const std::int64_t num_epochs = 1 + static_cast<std::int64_t>(random() % 40);
    std::vector<Series> series;
    for (int i = 0; i < 5; ++i) {
      series.push_back(series_of(store, "n" + std::to_string(i)));
    }
    const auto any_key = [&] {
      return EventKey{series[random() % series.size()],
                      static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(num_epochs))};
    };
    for (int step = 0; step < 400; ++step) {
      const std::uint64_t dice = random() % 100;
      if (dice < 40) {
        const EventKey key = any_key();
        ASSERT_EQ(store.add(key, Value::integer(step), 0).value(), oracle.add(key, step));
      } else if (dice < 55) {
        std::vector<Value> values;
        std::vector<std::int64_t> epochs;
        std::vector<Series> names;
        for (std::uint64_t n = random() % 900; n > 0; --n) {
          const EventKey key = any_key();
          names.push_back(key.series);
          epochs.push_back(key.epoch);
          values.push_back(n % 3 == 0 ? Value::integer(step) : Value::text("t"));
          oracle.add(key, step);
        }
        EventColumns columns;
        columns.count = values.size();
        columns.series = std::span<const Series>(names);
        columns.epochs = std::span<const std::int64_t>(epochs);
        columns.values = std::span<Value>(values);
        ASSERT_TRUE(store.add_batch(columns).has_value());
      } else if (dice < 70) {
        const EventKey key = any_key();
        ASSERT_EQ(ids_of(store.get(key).value()), oracle.get(key)) << "seed " << seed;
      } else if (dice < 80) {
        std::vector<EventKey> keys;
        std::vector<std::int64_t> wanted;
        for (int i = 0; i < 60; ++i) {
          keys.push_back(any_key());
          const auto all = oracle.get(keys.back());
          wanted.push_back(all.empty() ? -1 : all.back());
        }
        std::vector<std::int64_t> ids(keys.size());
        ASSERT_TRUE(store.find(keys, ids).has_value());
        ASSERT_EQ(ids, wanted) << "seed " << seed;
        const auto lists = store.get_batch(keys).value();
        for (std::size_t i = 0; i < keys.size(); ++i) {
          ASSERT_EQ(ids_of(lists[i]), oracle.get(keys[i]));
        }
      } else if (dice < 94) {
        const std::int64_t epoch = any_key().epoch;
        ASSERT_TRUE(store.clear_epoch(epoch).has_value());
        oracle.forget([&](const StoredEvent& event) { return event.key.epoch == epoch; });
      } else if (dice < 96) {
        ASSERT_TRUE(store.clear().has_value());
        oracle.forget([](const StoredEvent&) { return true; });
      } else {
        const auto first = static_cast<std::int64_t>(random() % 1000);
        std::vector<std::int64_t> wanted;
        for (const StoredEvent& event : oracle.all()) {
          if (event.id >= first && wanted.size() < 50) {
            wanted.push_back(event.id);
          }
        }
        ASSERT_EQ(ids_of(store.scan(first, 50).value()), wanted);
      }
      ASSERT_EQ(store.size(), static_cast<std::int64_t>(oracle.all().size()));
    }
  }
}

TEST(EventStore, GivesMemoryBackAsEpochsGo) {
  const std::int64_t before = base::BufferPool::shared().stats().out_bytes;
  {
    EventStore store;
    const Series a = series_of(store, "a");
    std::vector<double> reals(100'000, 1.0);
    for (std::int64_t epoch = 0; epoch < 40; ++epoch) {
      EventColumns columns;
      columns.count = reals.size();
      columns.series = a;
      columns.epochs = epoch;
      columns.values = std::span<const double>(reals);
      ASSERT_TRUE(store.add_batch(columns).has_value());
      if (epoch >= 2) {
        ASSERT_TRUE(store.clear_epoch(epoch - 2).has_value());
      }
      ASSERT_LT(base::BufferPool::shared().stats().out_bytes - before, 64 << 20);
    }
    EXPECT_EQ(store.size(), 200'000);
  }
  EXPECT_EQ(base::BufferPool::shared().stats().out_bytes, before);
}

}  // namespace
}  // namespace penstock::events
