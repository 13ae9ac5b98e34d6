// The event store, in memory and with a log.
#include <string>
#include <tuple>
#include <vector>

#include "sweep.h"

#include "penstock/base/out_of_memory.h"
#include "penstock/core/identity.h"
#include "penstock/events/event_store.h"

namespace penstock::faults {
namespace {

using core::Value;
using events::EventColumns;
using events::EventKey;
using events::EventStore;
using Mode = events::EventJournal::Mode;

/// All that is in it, in one line; a fault in reading is the answer's.
Answer contents(const EventStore& store) {
  return answer(store.scan(0, 10'000), [&](const std::vector<events::StoredEvent>& found) {
    std::string text = std::to_string(store.size()) + ":";
    for (const events::StoredEvent& event : found) {
      text += " " + std::to_string(event.id) + "/" + std::to_string(event.key.series) + "/" +
              std::to_string(event.key.epoch) + "/" +
              core::digest(event.value)->to_hex().substr(0, 6);
    }
    return text;
  });
}

/// Adds, looks up and clears a little of everything.
base::Status add_and_clear(EventStore& store) {
  for (int i = 0; i < 40; ++i) {
    PENSTOCK_ASSIGN_OR_RETURN(
        const events::Series series,
        store.names().add(
            {"a node with a long name " + std::to_string(i % 20), "value",
             i % 4 == 0 ? events::SeriesName::Path{{"map", i}} : events::SeriesName::Path{}}));
    PENSTOCK_RETURN_IF_ERROR(
        store.add({series, i % 7}, Value::text("a text that is not in the value itself"), i));
  }
  const std::vector<double> reals(3'000, 0.5);
  EventColumns columns;
  columns.count = reals.size();
  columns.epochs = std::int64_t{3};
  columns.values = std::span<const double>(reals);
  PENSTOCK_RETURN_IF_ERROR(store.add_batch(columns));
  const std::vector<EventKey> keys = {{0, 0}, {1, 1}, {2, 9}};
  std::vector<std::int64_t> ids(keys.size());
  PENSTOCK_RETURN_IF_ERROR(store.find(keys, ids));
  PENSTOCK_RETURN_IF_ERROR(store.get_batch(keys));
  PENSTOCK_RETURN_IF_ERROR(store.clear_epoch(3));
  return store.clear_epoch(4, {{"map", 32}});
}

base::Status work(EventStore& store) {
  return base::within_memory([&] { return add_and_clear(store); });
}

Answer failed(const base::Status& status) {
  return answer(status.has_value() ? base::Result<int>(0) : base::fail(status.error()),
                [](int) { return std::string(); });
}

Scenario memory_store() {
  return {.name = "events/memory", .set_up = [](const std::string&) {
            return stage_of([]() -> Answer {
              const auto store =
                  base::within_memory([]() -> base::Result<std::unique_ptr<EventStore>> {
                    return std::make_unique<EventStore>();
                  });
              if (!store.has_value()) {
                return base::fail(store.error());
              }
              if (const base::Status status = work(**store); !status.has_value()) {
                return failed(status);
              }
              Answer found = contents(**store);
              const base::Status cleared = (*store)->clear();
              return !found.has_value() || cleared.has_value() ? found : failed(cleared);
            });
          }};
}

Scenario log_store() {
  return {.name = "events/log", .set_up = [](const std::string& folder) {
            return stage_of([path = folder + "/log"]() -> Answer {
              {
                const auto store = EventStore::open(path, Mode::kWrite);
                if (!store.has_value()) {
                  return base::fail(store.error());
                }
                base::Status status = work(**store);
                if (status.has_value()) {
                  status = (*store)->flush();
                }
                if (status.has_value()) {
                  status = (*store)->close();
                }
                if (!status.has_value()) {
                  return failed(status);
                }
              }
              const auto again = EventStore::open(path, Mode::kRead);
              return again.has_value() ? contents(**again) : Answer(base::fail(again.error()));
            });
          }};
}

}  // namespace

std::vector<Scenario> event_scenarios() {
  return {memory_store(), log_store()};
}

}  // namespace penstock::faults
