// EventSegments: the rows of an event store, column by column, in pieces that never move.
//
// A row's number says where it lies. Writers fill rows they have claimed; who reads a row must know
// that it is published and that its piece is still there (EventStore).
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "penstock/core/value.h"
#include "penstock/events/event_names.h"

namespace penstock::events {

/// Columns of `num_rows` rows from `first_row` on. Memory comes from base::BufferPool::shared().
struct EventSegment {
  std::int64_t first_row = 0;
  std::int64_t num_rows = 0;
  core::Value* values = nullptr;       ///< absent: the event was cleared, or lies in a file
  std::int64_t* epochs = nullptr;      ///< of the root
  std::int64_t* timestamps = nullptr;  ///< microseconds of unix time
  Series* series = nullptr;
  std::uint32_t* previous = nullptr;     ///< how many rows further up the same key was last; 0: no
  std::atomic<bool> has_objects{false};  ///< a value may be more than a number
  std::int64_t num_cleared = 0;          ///< guarded by the store's maintenance

  /// Smallest and largest epoch of each kZoneRows rows, of the rows that are in the index.
  static constexpr std::int64_t kZoneRows = 1024;
  struct Zone {
    std::int64_t min, max;
  };
  std::vector<Zone> zones;  ///< guarded by the store's maintenance

  /// Null when there is no memory.
  static EventSegment* create(std::int64_t first_row, std::int64_t num_rows);
  /// Lets go of the values below `end_row`, and of the memory. Takes no memory.
  void destroy(std::int64_t end_row);
};

/// Thread-safe where it says so.
class EventSegments {
 public:
  static constexpr std::int64_t kMaxRows = std::int64_t{512} * 1024 * (1 << 18);

  EventSegments() = default;
  ~EventSegments();
  EventSegments(const EventSegments&) = delete;
  EventSegments& operator=(const EventSegments&) = delete;

  /// Makes the pieces for [first, end). False without memory. Any thread.
  bool prepare(std::int64_t first, std::int64_t end);

  /// The piece of a row, null when it was taken out. Any thread.
  EventSegment* find(std::int64_t row) const {
    const std::size_t index = index_of(row);
    const Chunk* chunk = chunks_[index / kChunkSize].load(std::memory_order_acquire);
    return chunk == nullptr ? nullptr
                            : (*chunk)[index % kChunkSize].load(std::memory_order_acquire);
  }
  /// First row and number of rows of the piece that `row` is in.
  static std::pair<std::int64_t, std::int64_t> range_of(std::int64_t row) {
    if (row >= kBigRows) {
      return {row & ~(kBigRows - 1), kBigRows};
    }
    const int log2 = std::bit_width(static_cast<std::uint64_t>(row / kFirstRows));
    return log2 == 0 ? std::pair{std::int64_t{0}, kFirstRows}
                     : std::pair{kFirstRows << (log2 - 1), kFirstRows << (log2 - 1)};
  }
  /// Every piece that is there, in order. Only while no other thread is at work.
  template <class Visit>
  void for_each(Visit visit) const {
    for (const auto& place : chunks_) {
      if (const Chunk* chunk = place.load(std::memory_order_acquire); chunk != nullptr) {
        for (const auto& entry : *chunk) {
          if (EventSegment* segment = entry.load(std::memory_order_acquire); segment != nullptr) {
            visit(*segment);
          }
        }
      }
    }
  }
  /// Takes a piece out of the directory; who still reads it may go on. One thread at a time.
  EventSegment* take_out(std::int64_t row);

 private:
  // Small pieces first: a store of a few events takes 40 KiB.
  static constexpr std::int64_t kFirstRows = 1 << 10, kBigRows = 1 << 18;
  static constexpr std::size_t kChunkSize = 1024, kNumChunks = 512, kNumSmall = 9;
  using Chunk = std::array<std::atomic<EventSegment*>, kChunkSize>;

  static std::size_t index_of(std::int64_t row) {
    return row >= kBigRows ? kNumSmall - 1 + static_cast<std::size_t>(row / kBigRows)
                           : static_cast<std::size_t>(
                                 std::bit_width(static_cast<std::uint64_t>(row / kFirstRows)));
  }
  std::atomic<EventSegment*>* entry_of(std::int64_t row);

  std::array<std::atomic<Chunk*>, kNumChunks> chunks_{};
};

}  // namespace penstock::events
