// EventStore: reading.
#include <algorithm>
#include <thread>
#include <unordered_map>

#include "penstock/base/out_of_memory.h"
#include "penstock/events/event_store.h"

namespace penstock::events {
namespace {

struct KeyHash {
  std::size_t operator()(const EventKey& key) const {
    return (static_cast<std::uint64_t>(key.epoch) ^ (std::uint64_t{key.series} << 40)) *
           0x9E3779B97F4A7C15;
  }
};

EventKey key_at(const EventSegment& segment, std::int64_t row) {
  const std::int64_t at = row - segment.first_row;
  return {segment.series[at], segment.epochs[at]};
}

StoredEvent event_at(const EventSegment& segment, std::int64_t row) {
  const std::int64_t at = row - segment.first_row;
  return {row, key_at(segment, row), segment.timestamps[at], segment.values[at]};
}

}  // namespace

// Runs `body` on what there is at one moment; again when something was cleared meanwhile, as then
// it may have seen a part of it. A reader is held up only by clears that are done, never by one
// that waits.
template <class Body>
void EventStore::read(Body body) const {
  if (indexed_.load(std::memory_order_acquire) < published_.load(std::memory_order_acquire)) {
    if (const std::unique_lock lock(maintenance_, std::try_to_lock); lock.owns_lock()) {
      index_rows();
    }
  }
  while (true) {
    const base::ReadPins::Pin pin(pins_);
    const std::uint64_t version = version_.load(std::memory_order_seq_cst);
    if (version % 2 == 0) {
      View view{};
      view.index = index_.load(std::memory_order_seq_cst);
      view.cleared = cleared_.load(std::memory_order_seq_cst);
      view.first_row = first_row_.load(std::memory_order_seq_cst);
      view.index_end = view.index->end_row.load(std::memory_order_acquire);
      view.end_row = published_.load(std::memory_order_seq_cst);
      body(view);
      if (version_.load(std::memory_order_seq_cst) == version) {
        return;
      }
    } else {
      std::this_thread::yield();
    }
  }
}

bool EventStore::Cleared::has(std::int64_t row, EventKey key) const {
  return row < end_row && key.epoch == epoch &&
         (all_series || std::binary_search(series.begin(), series.end(), key.series));
}

// The order matters: the value of a row that is being cleared must not be looked at.
bool EventStore::is_there(const View& view, const EventSegment* segment, std::int64_t row) const {
  return segment != nullptr && row >= view.first_row &&
         (view.cleared == nullptr || !view.cleared->has(row, key_at(*segment, row))) &&
         !segment->values[row - segment->first_row].is_absent();
}

void EventStore::collect(const View& view, EventKey key, std::vector<StoredEvent>& out) const {
  // From the newest back. What was cleared of a key is older than what is there.
  for (std::int64_t row = view.index->find(key); row >= view.first_row;) {
    const EventSegment* segment = segments_.find(row);
    if (!is_there(view, segment, row)) {
      break;
    }
    if (row < view.index_end) {
      out.push_back(event_at(*segment, row));
    }
    const std::uint32_t step = segment->previous[row - segment->first_row];
    row = step == 0 ? -1 : row - step;
  }
  std::reverse(out.begin(), out.end());
  for (std::int64_t row = std::max(view.index_end, view.first_row); row < view.end_row; ++row) {
    const EventSegment* segment = segments_.find(row);
    if (segment != nullptr && key_at(*segment, row) == key && is_there(view, segment, row)) {
      out.push_back(event_at(*segment, row));
    }
  }
}

base::Result<std::vector<StoredEvent>> EventStore::get(EventKey key) const {
  return base::within_memory([&]() -> base::Result<std::vector<StoredEvent>> {
    std::vector<StoredEvent> found;
    read([&](const View& view) {
      found.clear();
      collect(view, key, found);
    });
    PENSTOCK_RETURN_IF_ERROR(resolve(found));
    return found;
  });
}

base::Result<std::vector<std::vector<StoredEvent>>> EventStore::get_batch(
    std::span<const EventKey> keys) const {
  return base::within_memory([&]() -> base::Result<std::vector<std::vector<StoredEvent>>> {
    std::vector<std::vector<StoredEvent>> found(keys.size());
    read([&](const View& view) {
      for (std::size_t i = 0; i < keys.size(); ++i) {
        found[i].clear();
        collect(view, keys[i], found[i]);
      }
    });
    for (std::vector<StoredEvent>& events : found) {
      PENSTOCK_RETURN_IF_ERROR(resolve(events));
    }
    return found;
  });
}

// The newest row within the view of the key that `row` is of, -1 for none.
std::int64_t EventStore::newest(const View& view, std::int64_t row) const {
  while (row >= view.index_end) {
    const EventSegment* segment = segments_.find(row);
    const std::uint32_t step = segment == nullptr ? 0 : segment->previous[row - segment->first_row];
    row = step == 0 ? -1 : row - step;
  }
  return row >= view.first_row && is_there(view, segments_.find(row), row) ? row : -1;
}

void EventStore::find_in(const View& view, std::span<const EventKey> keys,
                         std::span<std::int64_t> ids) const {
  view.index->find(keys, ids);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const std::int64_t row = ids[i];
    // The index may have gone on since; what was cleared stays in it for a while.
    if (row >= view.index_end || row < view.first_row || view.cleared != nullptr) [[unlikely]] {
      ids[i] = newest(view, row);
    }
  }
  if (view.index_end >= view.end_row) {
    return;
  }
  std::unordered_map<EventKey, std::int64_t, KeyHash> late(2 * keys.size());
  for (const EventKey& key : keys) {
    late.emplace(key, -1);
  }
  for (std::int64_t row = std::max(view.index_end, view.first_row); row < view.end_row; ++row) {
    const EventSegment* segment = segments_.find(row);
    const auto it = segment == nullptr ? late.end() : late.find(key_at(*segment, row));
    if (it != late.end() && is_there(view, segment, row)) {
      it->second = row;
    }
  }
  for (std::size_t i = 0; i < keys.size(); ++i) {
    ids[i] = std::max(ids[i], late.find(keys[i])->second);
  }
}

base::Status EventStore::find(std::span<const EventKey> keys, std::span<std::int64_t> ids) const {
  return base::within_memory([&]() -> base::Status {
    read([&](const View& view) { find_in(view, keys, ids); });
    return {};
  });
}

base::Result<std::vector<StoredEvent>> EventStore::scan(std::int64_t first_id,
                                                        std::size_t limit) const {
  return base::within_memory([&]() -> base::Result<std::vector<StoredEvent>> {
    std::vector<StoredEvent> found;
    read([&](const View& view) {
      found.clear();
      for (std::int64_t row = std::max(first_id, view.first_row);
           row < view.end_row && found.size() < limit;) {
        const EventSegment* segment = segments_.find(row);
        const auto [first, count] = EventSegments::range_of(row);
        const std::int64_t end = std::min(first + count, view.end_row);
        for (; segment != nullptr && row < end && found.size() < limit; ++row) {
          if (is_there(view, segment, row)) {
            found.push_back(event_at(*segment, row));
          }
        }
        row = segment == nullptr ? end : row;
      }
    });
    PENSTOCK_RETURN_IF_ERROR(resolve(found));
    return found;
  });
}

std::int64_t EventStore::size() const {
  std::int64_t count = 0;
  std::uint64_t version = 1;
  do {
    version = version_.load(std::memory_order_seq_cst);
    count = -num_cleared_.load(std::memory_order_seq_cst);
    count += published_.load(std::memory_order_seq_cst);
  } while (version % 2 != 0 || version_.load(std::memory_order_seq_cst) != version);
  return count;
}

void EventStore::visit_objects(const std::function<void(const core::Value&)>& visit) const {
  const std::int64_t end_row = published_.load(std::memory_order_acquire);
  for (std::int64_t row = first_row_.load(std::memory_order_relaxed); row < end_row;) {
    const auto [first, count] = EventSegments::range_of(row);
    const EventSegment* segment = segments_.find(row);
    if (segment != nullptr && segment->has_objects.load(std::memory_order_relaxed)) {
      for (std::int64_t at = row - first; at < std::min(count, end_row - first); ++at) {
        const core::Value& value = segment->values[at];
        if (!has_stored_values_ || !value.is(core::Kind::kHost) ||
            dynamic_cast<const StoredValue*>(value.as_host()) == nullptr) {
          visit(value);
        }
      }
    }
    row = first + count;
  }
}

}  // namespace penstock::events
