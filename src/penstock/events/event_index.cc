#include "penstock/events/event_index.h"

#include <cstring>
#include <new>

#include "penstock/base/buffer_pool.h"

namespace penstock::events {

static_assert(sizeof(EventIndex::Slot) == 16);

std::unique_ptr<EventIndex> EventIndex::create(std::size_t capacity, std::int64_t first_row) {
  const std::size_t bytes = capacity * sizeof(Slot);
  std::byte* memory = base::BufferPool::shared().acquire(bytes);
  if (memory == nullptr) {
    return nullptr;
  }
  std::memset(memory, 0, bytes);
  // Zero bytes are what a free slot is: an implicit-lifetime array of them.
  auto* index = new (std::nothrow) EventIndex(reinterpret_cast<Slot*>(memory), capacity, first_row);
  if (index == nullptr) {
    base::BufferPool::shared().release(memory, bytes);
  }
  return std::unique_ptr<EventIndex>(index);
}

EventIndex::~EventIndex() {
  base::BufferPool::shared().release(reinterpret_cast<std::byte*>(slots_),
                                     (mask_ + 1) * sizeof(Slot));
}

EventIndex::Slot& EventIndex::slot(EventKey key) {
  for (std::size_t at = place_of(key) & mask_;; at = (at + 1) & mask_) {
    Slot& slot = slots_[at];
    if (slot.head.load(std::memory_order_relaxed) == 0) {
      slot.epoch = key.epoch;
      slot.series = key.series;
      ++num_keys_;
      return slot;
    }
    if (slot.epoch == key.epoch && slot.series == key.series) {
      return slot;
    }
  }
}

}  // namespace penstock::events
