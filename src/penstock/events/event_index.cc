#include "penstock/events/event_index.h"

#include <algorithm>
#include <array>
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

// Two rounds: the place that a key asks for, and then, for the few that were pushed on from there,
// the places behind. Which of the two it is cannot be foretold, so nothing branches on it.
void EventIndex::find(std::span<const EventKey> keys, std::span<std::int64_t> rows) const {
  constexpr std::size_t kBlock = 256, kAhead = 20;
  std::array<std::uint16_t, kBlock> left;
  const auto fetch = [&](std::size_t i) {
    __builtin_prefetch(&slots_[place_of(keys[std::min(i, keys.size() - 1)]) & mask_]);
  };
  for (std::size_t i = 0; i < std::min(kAhead, keys.size()); ++i) {
    fetch(i);
  }
  for (std::size_t first = 0; first < keys.size(); first += kBlock) {
    const std::size_t count = std::min(kBlock, keys.size() - first);
    std::size_t num_left = 0;
    for (std::size_t i = 0; i < count; ++i) {
      fetch(first + i + kAhead);
      const EventKey key = keys[first + i];
      const Slot& slot = slots_[place_of(key) & mask_];
      const std::uint32_t head = slot.head.load(std::memory_order_acquire);
      // A slot that is free has no key yet: what is compared then is left unused.
      const bool is_same = head != 0 && slot.epoch == key.epoch && slot.series == key.series;
      rows[first + i] = is_same ? row_of(head) : -1;
      left[num_left] = static_cast<std::uint16_t>(i);
      num_left += static_cast<std::size_t>(!is_same && head != 0);
    }
    for (std::size_t i = 0; i < num_left; ++i) {
      const EventKey key = keys[first + left[i]];
      __builtin_prefetch(&slots_[((place_of(key) | 3) + 1) & mask_]);
    }
    for (std::size_t i = 0; i < num_left; ++i) {
      const EventKey key = keys[first + left[i]];
      rows[first + left[i]] = find_from((place_of(key) + 1) & mask_, key);
    }
  }
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
