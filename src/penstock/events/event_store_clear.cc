// EventStore: the index that follows the rows, and clearing. All under the maintenance mutex.
#include <algorithm>
#include <bit>
#include <thread>

#include "penstock/base/forks.h"
#include "penstock/base/out_of_memory.h"
#include "penstock/events/event_store.h"

namespace penstock::events {
namespace {

constexpr std::size_t kMinCapacity = 64;
constexpr std::int64_t kAhead = 12;  // rows whose slots are fetched ahead of their use

void note_in_zone(EventSegment& segment, std::int64_t at, std::int64_t epoch) {
  const auto zone = static_cast<std::size_t>(at / EventSegment::kZoneRows);
  // A segment may begin in the middle: rows before it were cleared before they were looked at.
  while (segment.zones.size() <= zone) {
    segment.zones.push_back({epoch, epoch});  // within what create() reserved
  }
  segment.zones[zone].min = std::min(segment.zones[zone].min, epoch);
  segment.zones[zone].max = std::max(segment.zones[zone].max, epoch);
}

}  // namespace

// A mutex that was held when fork() copied the process is never let go of in the copy.
std::unique_lock<std::mutex> EventStore::lock_maintenance() const {
  std::unique_lock lock(maintenance_, std::try_to_lock);
  while (!lock.owns_lock() && base::num_forks() == num_forks_) {
    lock.lock();
  }
  return lock;
}

bool EventStore::is_dead(std::int64_t row) const {
  const EventSegment* segment = segments_.find(row);
  return segment == nullptr || row < first_row_.load(std::memory_order_relaxed) ||
         segment->values[row - segment->first_row].is_absent();
}

// False without memory: then the rows stay what readers look at one by one.
bool EventStore::make_room_in_index() const {
  EventIndex* const old = index_.load(std::memory_order_relaxed);
  const std::int64_t first_row = first_row_.load(std::memory_order_relaxed);
  std::size_t num_keys = 0;
  old->for_each([&](EventKey, std::int64_t row) { num_keys += is_dead(row) ? 0U : 1U; });
  std::unique_ptr<EventIndex> larger =
      EventIndex::create(std::bit_ceil(std::max(kMinCapacity, 8 * num_keys)), first_row);
  if (larger == nullptr) {
    return false;
  }
  old->for_each([&](EventKey key, std::int64_t row) {
    if (!is_dead(row)) {
      larger->set_head(larger->slot(key), row);
    }
  });
  larger->end_row.store(std::max(first_row, old->end_row.load(std::memory_order_relaxed)),
                        std::memory_order_relaxed);
  index_.store(larger.release(), std::memory_order_seq_cst);
  if (pins_.wait_for_readers(num_forks_)) {
    delete old;
  }
  return true;
}

void EventStore::index_rows() const {
  const std::int64_t end_row = published_.load(std::memory_order_acquire);
  EventIndex* index = index_.load(std::memory_order_relaxed);
  std::int64_t row = std::max(index->end_row.load(std::memory_order_relaxed),
                              first_row_.load(std::memory_order_relaxed));
  while (row < end_row) {
    EventSegment* const segment = segments_.find(row);
    const auto [first, count] = EventSegments::range_of(row);
    const std::int64_t end = std::min(end_row, first + count);
    for (; segment != nullptr && row < end; ++row) {
      if (index->is_full() || row - index->first_row() >= EventIndex::kMaxRows) {
        index->end_row.store(row, std::memory_order_release);
        if (!make_room_in_index()) {
          return;
        }
        index = index_.load(std::memory_order_relaxed);
      }
      const std::int64_t at = row - first;
      if (row + kAhead < end) {
        index->prefetch_to_write({segment->series[at + kAhead], segment->epochs[at + kAhead]});
      }
      EventIndex::Slot& slot = index->slot({segment->series[at], segment->epochs[at]});
      const std::uint32_t head = slot.head.load(std::memory_order_relaxed);
      segment->previous[at] = head == 0 ? 0 : static_cast<std::uint32_t>(row - index->row_of(head));
      index->set_head(slot, row);
      note_in_zone(*segment, at, segment->epochs[at]);
      if (at % EventSegment::kZoneRows == EventSegment::kZoneRows - 1) {
        index->end_row.store(row + 1, std::memory_order_release);
      }
    }
    row = end;
    index->end_row.store(row, std::memory_order_release);
  }
  indexed_.store(row, std::memory_order_release);
}

void EventStore::add_rows_of(const Cleared& cleared, std::int64_t row, std::int64_t last,
                             std::vector<std::int64_t>& rows) const {
  const std::int64_t index_end = index_.load(std::memory_order_relaxed)->end_row.load();
  while (row < last) {
    const EventSegment* segment = segments_.find(row);
    const auto [first, count] = EventSegments::range_of(row);
    const auto zone = static_cast<std::size_t>((row - first) / EventSegment::kZoneRows);
    const std::int64_t zone_end =
        first + (static_cast<std::int64_t>(zone) + 1) * EventSegment::kZoneRows;
    const std::int64_t end = std::min(last, segment == nullptr ? first + count : zone_end);
    // A zone knows its rows once they are in the index.
    const bool may_have =
        segment != nullptr && (end > index_end || (segment->zones[zone].min <= cleared.epoch &&
                                                   segment->zones[zone].max >= cleared.epoch));
    for (; may_have && row < end; ++row) {
      const std::int64_t at = row - first;
      if (cleared.has(row, {segment->series[at], segment->epochs[at]}) &&
          !segment->values[at].is_absent()) {
        rows.push_back(row);
      }
    }
    row = end;
  }
}

void EventStore::take_out_before(Dropped& dropped, std::int64_t first_row, std::int64_t end_row) {
  for (std::int64_t row = first_row; row < end_row;) {
    const auto [first, count] = EventSegments::range_of(row);
    row = first + count;
    EventSegment* segment = row <= end_row ? segments_.take_out(first) : nullptr;
    if (segment != nullptr) {
      dropped.segments.push_back(segment);
    }
  }
  dropped.end_row = end_row;
}

void EventStore::take_out_dead(Dropped& dropped, std::int64_t end_row) {
  for (std::int64_t row = first_row_.load(std::memory_order_relaxed); row < end_row;) {
    const auto [first, count] = EventSegments::range_of(row);
    const EventSegment* segment = segments_.find(row);
    if (segment != nullptr && first + count <= end_row && segment->num_cleared == count) {
      dropped.segments.push_back(segments_.take_out(first));
    }
    row = first + count;
  }
  dropped.end_row = end_row;
}

// Without memory for the list an object stays until its piece goes.
void EventStore::forget_value(Dropped& dropped, EventSegment& segment, std::int64_t row) {
  core::Value& value = segment.values[row - segment.first_row];
  if (value.kind() < core::Kind::kText) {
    value.reset();
  } else if (dropped.values.size() < dropped.values.capacity()) {
    dropped.values.push_back(std::move(value));
  }
}

// Leading pieces that are gone need not be looked at again.
void EventStore::move_first_row(std::int64_t end_row) {
  std::int64_t row = first_row_.load(std::memory_order_relaxed);
  while (row < end_row && segments_.find(row) == nullptr) {
    const auto [first, count] = EventSegments::range_of(row);
    row = std::min(first + count, end_row);
  }
  first_row_.store(row, std::memory_order_seq_cst);
}

// For clear(): the pieces, and the values of the last one, which stays. Some more than there are
// now, for what comes meanwhile.
void EventStore::Dropped::reserve(std::int64_t first_row, std::int64_t last_row) {
  constexpr std::int64_t kMore = 1024;
  const auto [first, count] = EventSegments::range_of(last_row + kMore);
  const std::int64_t num_values = std::min(count, last_row - first_row + kMore);
  values.reserve(static_cast<std::size_t>(num_values));
  segments.reserve(static_cast<std::size_t>((last_row - first_row) / count + 32));
}

// Values may run code of the host language when they go: never under the mutex.
void EventStore::Dropped::destroy() {
  values.clear();
  for (EventSegment* segment : segments) {
    segment->destroy(end_row);
  }
  segments.clear();
}

// While `version_` is odd readers wait, so what is published then is what the clear finds: an event
// that a reader has seen together with older ones goes with them.
template <class Body>
void EventStore::take_effect(Body body) {
  version_.fetch_add(1, std::memory_order_seq_cst);
  try {
    body(published_.load(std::memory_order_seq_cst));
  } catch (...) {
    version_.fetch_add(1, std::memory_order_seq_cst);
    throw;
  }
  version_.fetch_add(1, std::memory_order_seq_cst);
}

base::Status EventStore::forget_all(Dropped& dropped) {
  return base::within_memory([&]() -> base::Status {
    const std::unique_lock lock = lock_maintenance();
    if (!lock.owns_lock()) {
      return base::fail(copied());
    }
    // All memory is taken before the clear takes effect.
    EventIndex* const old = index_.load(std::memory_order_relaxed);
    std::unique_ptr<EventIndex> fresh =
        EventIndex::create(std::bit_ceil(std::max(kMinCapacity, 4 * old->num_keys())), 0);
    if (fresh == nullptr) {
      return base::fail_out_of_memory();
    }
    const std::int64_t first_row = first_row_.load(std::memory_order_relaxed);
    dropped.reserve(first_row, published_.load(std::memory_order_relaxed));
    std::int64_t end_row = 0;
    take_effect([&](std::int64_t published) {
      end_row = published;
      first_row_.store(end_row, std::memory_order_seq_cst);
      num_cleared_.store(end_row, std::memory_order_seq_cst);
    });
    fresh->begin_at(end_row);
    index_.store(fresh.release(), std::memory_order_seq_cst);
    indexed_.store(end_row, std::memory_order_release);
    take_out_before(dropped, first_row, end_row);
    if (!pins_.wait_for_readers(num_forks_)) {
      dropped.segments.clear();
      return {};  // in a copy: what another thread was reading stays where it is
    }
    delete old;
    if (EventSegment* last = segments_.find(end_row); last != nullptr) {
      for (std::int64_t row = std::max(first_row, last->first_row); row < end_row; ++row) {
        forget_value(dropped, *last, row);
      }
      last->num_cleared = end_row - last->first_row;
    }
    return {};
  });
}

// Which series a path means; all of them for an empty one.
void EventStore::choose_series(Cleared& cleared, const SeriesName::Path& path) const {
  cleared.all_series = path.empty();
  for (Series series = 0; !path.empty() && series < names_.size(); ++series) {
    const SeriesName::Path& other = names_.name(series).path;
    if (other.size() >= path.size() && std::equal(path.begin(), path.end(), other.begin())) {
      cleared.series.push_back(series);
    }
  }
}

base::Status EventStore::forget_epoch(std::int64_t epoch, const SeriesName::Path& path,
                                      Dropped& dropped) {
  return base::within_memory([&]() -> base::Status {
    const std::unique_lock lock = lock_maintenance();
    if (!lock.owns_lock()) {
      return base::fail(copied());
    }
    index_rows();
    auto cleared = std::make_unique<Cleared>();
    cleared->epoch = epoch;
    choose_series(*cleared, path);
    std::vector<std::int64_t> rows;
    const std::int64_t first_row = first_row_.load(std::memory_order_relaxed);
    const std::int64_t looked_at = published_.load(std::memory_order_acquire);
    cleared->end_row = looked_at;
    add_rows_of(*cleared, first_row, looked_at, rows);
    std::unique_ptr<const Cleared> old;
    std::int64_t end_row = 0;
    take_effect([&](std::int64_t published) {
      cleared->end_row = end_row = published;
      add_rows_of(*cleared, looked_at, end_row, rows);  // what came since: few
      dropped.values.reserve(rows.size());
      dropped.segments.reserve(rows.size() / 1024 + 1);
      num_cleared_.fetch_add(static_cast<std::int64_t>(rows.size()), std::memory_order_seq_cst);
      old.reset(cleared_.exchange(cleared.release(), std::memory_order_seq_cst));
    });
    for (const std::int64_t row : rows) {
      ++segments_.find(row)->num_cleared;
    }
    take_out_dead(dropped, end_row);
    if (!pins_.wait_for_readers(num_forks_)) {
      (void)old.release();
      dropped.segments.clear();
      return {};  // as in clear()
    }
    for (const std::int64_t row : rows) {
      if (EventSegment* segment = segments_.find(row); segment != nullptr) {
        forget_value(dropped, *segment, row);
      }
    }
    move_first_row(end_row);
    return {};
  });
}

base::Status EventStore::clear() {
  Step step;
  step.all = true;
  return clear_noted(std::move(step), [this](Dropped& dropped) { return forget_all(dropped); });
}

base::Status EventStore::clear_epoch(std::int64_t epoch, const SeriesName::Path& path) {
  return base::within_memory([&]() -> base::Status {
    Step step;
    step.epoch = epoch;
    step.path = path;
    return clear_noted(std::move(step),
                       [&](Dropped& dropped) { return forget_epoch(epoch, path, dropped); });
  });
}

// Values go when no mutex is held: they may run code of the host language, which may ask us.
template <class Forget>
base::Status EventStore::clear_noted(Step step, Forget forget) {
  Dropped dropped;
  base::Status status;
  if (journal_ == nullptr) {
    status = forget(dropped);
  } else {
    PENSTOCK_RETURN_IF_ERROR(journal_->check());
    const std::lock_guard lock(journal_mutex_);
    status = base::within_memory([&]() -> base::Status {
      journal_->make_room_for_step();
      return forget(dropped);
    });
    if (status.has_value()) {
      step.kind = FrameKind::kClear;
      step.first_id = next_id();
      journal_->note_step(std::move(step));
    }
  }
  dropped.destroy();
  return status;
}

}  // namespace penstock::events
