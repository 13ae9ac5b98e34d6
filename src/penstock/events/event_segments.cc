#include "penstock/events/event_segments.h"

#include <algorithm>
#include <memory>
#include <new>

#include "penstock/base/buffer_pool.h"

namespace penstock::events {
namespace {

constexpr std::size_t kRowBytes =
    sizeof(core::Value) + 2 * sizeof(std::int64_t) + sizeof(Series) + sizeof(std::uint32_t);

// Puts a new object where nothing is yet; the loser of two threads frees its own.
template <class T, class Free>
T* install(std::atomic<T*>& place, T* made, Free free) {
  T* seen = nullptr;
  if (made == nullptr || place.compare_exchange_strong(seen, made, std::memory_order_acq_rel,
                                                       std::memory_order_acquire)) {
    return made;
  }
  free(made);
  return seen;
}

}  // namespace

EventSegment* EventSegment::create(std::int64_t first_row, std::int64_t num_rows) {
  const auto count = static_cast<std::size_t>(num_rows);
  std::byte* memory = base::BufferPool::shared().acquire(count * kRowBytes);
  if (memory == nullptr) {
    return nullptr;
  }
  EventSegment* made = nullptr;
  try {
    made = new EventSegment;
    made->zones.reserve(count / kZoneRows);
  } catch (const std::bad_alloc&) {
    delete made;
    base::BufferPool::shared().release(memory, count * kRowBytes);
    return nullptr;
  }
  made->first_row = first_row;
  made->num_rows = num_rows;
  made->values = reinterpret_cast<core::Value*>(memory);
  made->epochs = reinterpret_cast<std::int64_t*>(made->values + count);
  made->timestamps = made->epochs + count;
  made->series = reinterpret_cast<Series*>(made->timestamps + count);
  made->previous = made->series + count;
  return made;
}

void EventSegment::destroy(std::int64_t end_row) {
  if (has_objects.load(std::memory_order_relaxed)) {
    std::destroy_n(values, std::clamp<std::int64_t>(end_row - first_row, 0, num_rows));
  }
  base::BufferPool::shared().release(reinterpret_cast<std::byte*>(values),
                                     static_cast<std::size_t>(num_rows) * kRowBytes);
  delete this;
}

EventSegments::~EventSegments() {
  for (auto& chunk : chunks_) {
    delete chunk.load();
  }
}

std::atomic<EventSegment*>* EventSegments::entry_of(std::int64_t row) {
  const std::size_t index = index_of(row);
  std::atomic<Chunk*>& place = chunks_[index / kChunkSize];
  Chunk* chunk = place.load(std::memory_order_acquire);
  if (chunk == nullptr) {
    chunk = install(place, new (std::nothrow) Chunk{}, [](Chunk* lost) { delete lost; });
  }
  return chunk == nullptr ? nullptr : &(*chunk)[index % kChunkSize];
}

bool EventSegments::prepare(std::int64_t first, std::int64_t end) {
  for (std::int64_t row = first; row < end;) {
    const auto [first_row, num_rows] = range_of(row);
    row = first_row + num_rows;
    std::atomic<EventSegment*>* entry = entry_of(first_row);
    if (entry == nullptr) {
      return false;
    }
    if (entry->load(std::memory_order_acquire) == nullptr &&
        install(*entry, EventSegment::create(first_row, num_rows),
                [](EventSegment* lost) { lost->destroy(0); }) == nullptr) {
      return false;
    }
  }
  return true;
}

EventSegment* EventSegments::take_out(std::int64_t row) {
  std::atomic<EventSegment*>* entry = entry_of(row);
  return entry == nullptr ? nullptr : entry->exchange(nullptr, std::memory_order_acq_rel);
}

}  // namespace penstock::events
