// EventNames: what an event belongs to besides its root epoch (node, signal, place inside maps), as
// one small number.
//
// Names are found without a lock; a new one takes a mutex. They are kept as long as the store:
// their number is bounded by the pipeline, not by how long it runs.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "penstock/base/result.h"

namespace penstock::events {

/// The events of one signal at one place inside maps, by EventNames.
using Series = std::uint32_t;

struct SeriesName {
  using Path = std::vector<std::pair<std::string, std::int64_t>>;  ///< (map node, index)

  std::string node, signal;
  Path path;  ///< outermost map first; empty outside maps

  /// Bytes that no other name has; also what find() looks for.
  static std::string key_of(std::string_view node, std::string_view signal, const Path& path);
};

/// Thread-safe.
class EventNames {
 public:
  static constexpr Series kMaxSeries = 1U << 30;

  EventNames();
  ~EventNames();
  EventNames(const EventNames&) = delete;
  EventNames& operator=(const EventNames&) = delete;

  /// The number of a name: 0, 1, 2 ... in order of first use. kResourceExhausted without memory or
  /// beyond kMaxSeries names.
  base::Result<Series> add(const SeriesName& name);
  std::optional<Series> find(const SeriesName& name) const;
  /// `series` must be one that was given.
  const SeriesName& name(Series series) const;
  Series size() const { return size_.load(std::memory_order_acquire); }

 private:
  struct Entry {
    SeriesName name;
    std::string key;
    std::size_t hash = 0;
    Series series = 0;
  };
  struct Table {
    explicit Table(std::size_t capacity);
    const Entry* find(std::string_view key, std::size_t hash) const;
    void put(const Entry* entry);

    std::size_t mask;
    std::vector<std::atomic<const Entry*>> slots;
  };
  // Chunk k holds 64 << k entries, so that an entry never moves.
  static constexpr std::size_t kFirstChunk = 64, kNumChunks = 25;
  using Chunk = std::unique_ptr<std::atomic<const Entry*>[]>;
  static std::pair<std::size_t, std::size_t> place_of(Series series);

  std::mutex mutex_;                             ///< of add()
  std::vector<std::unique_ptr<Table>> tables_;   ///< all there were: a reader may be in an old one
  std::vector<std::unique_ptr<Entry>> entries_;  ///< guarded by mutex_
  std::array<std::atomic<std::atomic<const Entry*>*>, kNumChunks> chunks_{};
  std::vector<Chunk> chunk_owners_;
  std::atomic<const Table*> table_;
  std::atomic<Series> size_{0};
};

}  // namespace penstock::events
