// EventIndex: from (series, epoch) to the newest row of that key. Read without locks while one
// thread adds to it.
//
// Open addressing; a slot is 16 bytes, four neighbouring epochs share a cache line. It never
// shrinks and is not grown in place: a larger one is made and takes its place (EventStore).
#pragma once

#include <atomic>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "penstock/events/event_names.h"

namespace penstock::events {

struct EventKey {
  Series series = 0;
  std::int64_t epoch = 0;

  friend bool operator==(const EventKey&, const EventKey&) = default;
  friend auto operator<=>(const EventKey&, const EventKey&) = default;
};

/// One thread calls put(); any may read at the same time.
class EventIndex {
 public:
  /// Rows it can hold, counted from its first.
  static constexpr std::int64_t kMaxRows = (std::int64_t{1} << 32) - 2;

  struct Slot {
    std::int64_t epoch;
    Series series;
    std::atomic<std::uint32_t> head;  ///< 0: free; else the newest row, from `first_row`, plus 1
  };

  /// `capacity`: a power of two, 4 at least. Rows below `first_row` are not in it. Null when there
  /// is no memory.
  static std::unique_ptr<EventIndex> create(std::size_t capacity, std::int64_t first_row);
  ~EventIndex();
  EventIndex(const EventIndex&) = delete;
  EventIndex& operator=(const EventIndex&) = delete;

  /// The newest row of `key`, -1 when there is none.
  std::int64_t find(EventKey key) const { return find_from(place_of(key) & mask_, key); }
  /// find() for many keys: memory answers for some of them while others are compared.
  void find(std::span<const EventKey> keys, std::span<std::int64_t> rows) const;

  // Inlined at once: g++ 12 takes a function of nothing but a prefetch for one without an effect
  // and drops the call.
  [[gnu::always_inline]] void prefetch_to_write(EventKey key) {
    __builtin_prefetch(&slots_[place_of(key) & mask_], 1);
  }

  /// The place of `key`, made if it is new: its head is 0 then. is_full() must not hold.
  Slot& slot(EventKey key);
  /// Makes `row` the newest of a slot.
  void set_head(Slot& slot, std::int64_t row) {
    slot.head.store(static_cast<std::uint32_t>(row - first_row_ + 1), std::memory_order_release);
  }
  std::int64_t row_of(std::uint32_t head) const { return first_row_ + std::int64_t{head} - 1; }

  /// Before anything is in it and anybody sees it.
  void begin_at(std::int64_t first_row) {
    first_row_ = first_row;
    end_row.store(first_row, std::memory_order_relaxed);
  }

  /// Above a quarter: four neighbouring epochs fill a line, and what does not find its line free is
  /// a line further on, which nobody has fetched ahead.
  bool is_full() const { return 4 * num_keys_ > mask_; }
  std::size_t num_keys() const { return num_keys_; }
  std::int64_t first_row() const { return first_row_; }

  template <class Visit>
  void for_each(Visit visit) const {
    for (std::size_t at = 0; at <= mask_; ++at) {
      if (const std::uint32_t head = slots_[at].head.load(std::memory_order_relaxed); head != 0) {
        visit(EventKey{slots_[at].series, slots_[at].epoch}, row_of(head));
      }
    }
  }

  /// Rows below it, from first_row() on, are in the index.
  std::atomic<std::int64_t> end_row;

 private:
  EventIndex(Slot* slots, std::size_t capacity, std::int64_t first_row)
      : end_row(first_row), slots_(slots), mask_(capacity - 1), first_row_(first_row) {}

  std::int64_t find_from(std::size_t at, EventKey key) const {
    for (;; at = (at + 1) & mask_) {
      const Slot& slot = slots_[at];
      // Acquire: the slot's key and the row's columns were written before its head.
      const std::uint32_t head = slot.head.load(std::memory_order_acquire);
      if (head == 0) {
        return -1;
      }
      if (slot.epoch == key.epoch && slot.series == key.series) {
        return first_row_ + static_cast<std::int64_t>(head) - 1;
      }
    }
  }

  static std::size_t place_of(EventKey key) {
    // Four neighbouring epochs stay together; 0x9E... spreads the groups (Fibonacci hashing).
    const auto epoch = static_cast<std::uint64_t>(key.epoch);
    std::uint64_t mixed = ((epoch >> 2) + (std::uint64_t{key.series} << 40)) ^
                          (std::uint64_t{key.series} * 0xD6E8FEB86659FD93);
    mixed *= 0x9E3779B97F4A7C15;
    mixed ^= mixed >> 32;
    return (mixed << 2) | (epoch & 3);
  }

  Slot* const slots_;
  const std::size_t mask_;
  std::int64_t first_row_;
  std::size_t num_keys_ = 0;
};

}  // namespace penstock::events
