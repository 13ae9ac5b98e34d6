// Segment: a memfd mapped into this process, either our own (writable) or another process's
// (read-only). SegmentTable finds the segment an address lies in.
//
// Only memfds are used: they have no name, so nothing can be left behind when processes die.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "penstock/base/result.h"
#include "penstock/exec/process_fd.h"

namespace penstock::exec {

/// Unique among all processes of this machine: a random number per process and a counter.
using SegmentId = std::uint64_t;

/// One mapped memfd. Immutable and thread-safe; unmapped when the last user lets go.
class Segment {
 public:
  /// A new segment of our own, mapped writable. Sealed against shrinking and growing, so that no
  /// process can make another one fault. Pages are not touched. kResourceExhausted.
  static base::Result<std::shared_ptr<const Segment>> create(std::int64_t size_bytes);
  /// Maps another process's segment read-only, or gives the mapping there is. kDataLoss when `fd`
  /// is not what it is said to be.
  static base::Result<std::shared_ptr<const Segment>> import(SegmentId id, UniqueFd fd,
                                                             std::int64_t size_bytes);

  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;
  ~Segment();

  SegmentId id() const { return id_; }
  std::byte* base() const { return base_; }
  std::int64_t size_bytes() const { return size_bytes_; }
  int fd() const { return fd_.get(); }
  bool is_own() const { return own_; }

 private:
  /// The mapping at `base`, in the table. Unmapped when there is no memory for that.
  static base::Result<std::shared_ptr<const Segment>> own(SegmentId id, UniqueFd fd, void* base,
                                                          std::int64_t size_bytes, bool is_own);
  Segment(SegmentId id, UniqueFd fd, std::byte* base, std::int64_t size_bytes, bool own)
      : id_(id), fd_(std::move(fd)), base_(base), size_bytes_(size_bytes), own_(own) {}

  const SegmentId id_;
  const UniqueFd fd_;
  std::byte* const base_;
  const std::int64_t size_bytes_;
  const bool own_;
};

/// The segments mapped in this process, by address. Thread-safe.
class SegmentTable {
 public:
  static SegmentTable& instance();

  void add(const std::shared_ptr<const Segment>& segment);
  void remove(SegmentId id, const std::byte* base);
  /// The segment that holds all of [data, data + size_bytes), or null.
  std::shared_ptr<const Segment> find(const std::byte* data, std::int64_t size_bytes) const;
  /// The segment with this id, or null.
  std::shared_ptr<const Segment> find(SegmentId id) const;

  // Around fork(): mutex held, then given back; in the child nothing is found any more.
  void lock_for_fork() { mutex_.lock(); }
  void unlock_after_fork(bool in_child);

 private:
  struct Entry {
    std::int64_t size_bytes;
    std::weak_ptr<const Segment> segment;
  };

  mutable std::mutex mutex_;
  std::map<const std::byte*, Entry> by_base_;                          ///< guarded by mutex_
  std::unordered_map<SegmentId, std::weak_ptr<const Segment>> by_id_;  ///< guarded by mutex_
};

}  // namespace penstock::exec
