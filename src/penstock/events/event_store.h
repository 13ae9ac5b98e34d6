// EventStore: every event of a run by (node, signal, epoch), or what a program wants to keep that
// way. Appended to and read by any number of threads.
//
// - Rows are claimed by one atomic step per batch and become visible in the order of their ids,
//   which is also the order in which the calls took effect: the store is linearizable.
// - Readers never lock and never wait for a writer. The index follows behind: a reader either
//   brings it up to date, or, while another thread does, looks at the newest rows one by one.
// - clear() and clear_epoch() take effect at one moment for all readers; memory is given back when
//   the last reader that may still see it has left.
//
// Costs, limits and what is measured: docs/guide/speed-up-python.md, bench/event_store.py.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "penstock/base/read_pins.h"
#include "penstock/base/result.h"
#include "penstock/core/value.h"
#include "penstock/events/event_index.h"
#include "penstock/events/event_journal.h"
#include "penstock/events/event_names.h"
#include "penstock/events/event_segments.h"

namespace penstock::events {

struct StoredEvent {
  std::int64_t id = 0;  ///< 0, 1, 2 ... in the order of adding; never used again
  EventKey key;
  std::int64_t timestamp_us = 0;
  core::Value value;
};

/// Many events: each column is one thing for all of them, or one for each.
struct EventColumns {
  template <class T>
  using Column = std::variant<T, std::span<const T>>;

  std::size_t count = 0;
  Column<Series> series;
  Column<std::int64_t> epochs;
  Column<std::int64_t> timestamps_us;
  /// Values of kind float, int, bool, or any (moved from).
  std::variant<std::span<const double>, std::span<const std::int64_t>, std::span<const bool>,
               std::span<core::Value>>
      values;
};

/// Thread-safe. In a copy of the process made by fork() it goes on as the copy's own, unless
/// another thread was in the middle of a call then: calls that need what it held are PS0480.
class EventStore {
 public:
  EventStore();
  /// A store that lasts: its log is in `folder` (docs/formats/event-log.md). For writing the folder
  /// is made; one store at a time may write (PS0483). For reading it shows what is there now.
  /// Values are written as they are encoded; those from before are decoded when asked for. An add
  /// of a value that has no encoding is an error (PS0403), a damaged log PS0482.
  static base::Result<std::unique_ptr<EventStore>> open(const std::string& folder,
                                                        EventJournal::Mode mode);
  ~EventStore();
  EventStore(const EventStore&) = delete;
  EventStore& operator=(const EventStore&) = delete;

  EventNames& names() { return names_; }
  const EventNames& names() const { return names_; }

  /// The id. A value must not be absent. kResourceExhausted without memory, or with more than
  /// 4,294,967,294 rows since the oldest that is kept.
  base::Result<std::int64_t> add(EventKey key, core::Value value, std::int64_t timestamp_us);
  /// The first of `count` ids in a row; readers see all of them or none.
  base::Result<std::int64_t> add_batch(const EventColumns& columns);

  /// Events of one key, oldest first. O(events of the key).
  base::Result<std::vector<StoredEvent>> get(EventKey key) const;
  /// The same for many keys, all as they were at one moment.
  base::Result<std::vector<std::vector<StoredEvent>>> get_batch(
      std::span<const EventKey> keys) const;
  /// The id of the newest event of each key, -1 for none, as at one moment.
  base::Status find(std::span<const EventKey> keys, std::span<std::int64_t> ids) const;
  /// Up to `limit` events with ids from `first_id` on, in order.
  base::Result<std::vector<StoredEvent>> scan(std::int64_t first_id, std::size_t limit) const;
  /// How many there are.
  std::int64_t size() const;
  /// The id that the next event will have, at least.
  std::int64_t next_id() const { return published_.load(std::memory_order_acquire); }

  /// Forgets all; ids go on.
  base::Status clear();
  /// Forgets the events of a root epoch and, with `path`, only those at that place inside maps and
  /// below it.
  base::Status clear_epoch(std::int64_t epoch, const SeriesName::Path& path = {});

  /// Makes everything so far outlast a crash; returns when it does. Nothing to do for a store in
  /// memory. An error is final (PS0481): the log ends with the flush before.
  base::Status flush();
  /// flush(), and the log may have another writer. What is here can still be read.
  base::Status close();

  /// Calls `visit` with every value that may hold an object, while nothing changes them: for a
  /// garbage collector. Only from a thread that keeps all others from clearing.
  void visit_objects(const std::function<void(const core::Value&)>& visit) const;

 private:
  /// A clear_epoch() of late: readers leave such rows alone, which may be on their way out.
  struct Cleared {
    std::int64_t epoch = 0;
    std::int64_t end_row = 0;
    bool all_series = true;
    std::vector<Series> series;  ///< sorted; when not all

    bool has(std::int64_t row, EventKey key) const;
  };
  /// What a reader sees, from one moment.
  struct View {
    const EventIndex* index;
    const Cleared* cleared;
    std::int64_t first_row, index_end, end_row;
  };
  /// What was taken out and may be freed without the maintenance mutex.
  struct Dropped {
    std::vector<EventSegment*> segments;
    std::vector<core::Value> values;
    std::int64_t end_row = 0;
    void reserve(std::int64_t first_row, std::int64_t last_row);
    void destroy();
  };

  // event_store.cc
  base::Result<std::int64_t> add_row(EventKey key, core::Value value, std::int64_t timestamp_us);
  base::Result<std::int64_t> add_rows(const EventColumns& columns);
  base::Result<std::int64_t> claim(std::int64_t count);
  base::Status publish(std::int64_t first_row, std::int64_t end_row);
  // event_store_read.cc
  template <class Body>
  void read(Body body) const;
  bool is_there(const View& view, const EventSegment* segment, std::int64_t row) const;
  void collect(const View& view, EventKey key, std::vector<StoredEvent>& out) const;
  void find_in(const View& view, std::span<const EventKey> keys, std::span<std::int64_t> ids) const;
  std::int64_t newest(const View& view, std::int64_t row) const;
  // event_store_log.cc
  struct Loaded;
  base::Result<std::int64_t> add_noted(EventKey key, core::Value value, std::int64_t timestamp_us);
  base::Result<std::int64_t> add_noted(const EventColumns& columns);
  base::Status replay(const StepView& view, const std::shared_ptr<const MappedFile>& file,
                      Loaded& loaded);
  base::Status skip_to(std::int64_t row);
  template <class Forget>
  base::Status clear_noted(Step step, Forget forget);
  base::Status resolve(std::vector<StoredEvent>& events) const;
  // event_store_clear.cc
  base::Status forget_all(Dropped& dropped);
  base::Status forget_epoch(std::int64_t epoch, const SeriesName::Path& path, Dropped& dropped);
  // The same; the maintenance mutex is held
  std::unique_lock<std::mutex> lock_maintenance() const;
  void index_rows() const;
  bool make_room_in_index() const;
  bool is_dead(std::int64_t row) const;
  void choose_series(Cleared& cleared, const SeriesName::Path& path) const;
  void add_rows_of(const Cleared& cleared, std::int64_t row, std::int64_t last,
                   std::vector<std::int64_t>& rows) const;
  template <class Body>
  void take_effect(Body body);
  void take_out_before(Dropped& dropped, std::int64_t first_row, std::int64_t end_row);
  void take_out_dead(Dropped& dropped, std::int64_t end_row);
  static void forget_value(Dropped& dropped, EventSegment& segment, std::int64_t row);
  void move_first_row(std::int64_t end_row);
  base::Error copied() const;

  const int num_forks_;
  EventNames names_;
  EventSegments segments_;
  alignas(64) std::atomic<std::int64_t> claimed_{0};
  std::atomic<std::int64_t> prepared_{0};  ///< rows below it have memory
  alignas(64) std::atomic<std::int64_t> published_{0};
  alignas(64) std::atomic<std::uint64_t> version_{0};  ///< odd while a clear takes effect
  std::atomic<std::int64_t> first_row_{0};             ///< rows below it are cleared
  std::atomic<std::int64_t> num_cleared_{0};
  std::atomic<const Cleared*> cleared_{nullptr};
  // Following the rows is no change that a caller can see.
  mutable std::atomic<EventIndex*> index_;
  mutable std::atomic<std::int64_t> indexed_{0};  ///< as index_'s end_row, readable without a pin
  mutable base::ReadPins pins_;
  bool has_stored_values_ = false;  ///< set by open()
  std::unique_ptr<EventJournal> journal_;
  std::mutex journal_mutex_;        ///< of calls that change a store with a journal
  mutable std::mutex maintenance_;  ///< the index, zones, clearing
};

}  // namespace penstock::events
