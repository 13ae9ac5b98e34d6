// SharedArena: memory that other processes can map, for values that travel between processes.
//
// One per process. A buffer from here goes to another process by reference; any other buffer is
// copied here first. Receivers map read-only: arrays come out non-writeable there, and writing to
// an array after it was handed to a node is a bug the synchronous runner does not catch.
//
// What stays in this process (frames, the history of calls, what a decoder copies) comes from
// base::BufferPool. The two cannot share blocks: here a block lies in a segment that others map, is
// in use for as long as one of them is, and comes in pages of any number, not in sizes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/tensor.h"
#include "penstock/exec/shm_segment.h"
#include "penstock/exec/shm_space.h"

namespace penstock::exec {

/// Thread-safe. Blocks are at least 4096-byte aligned and are used again when every user has let go
/// (first touch of a fresh page costs more than copying it). Free segments beyond a bound give
/// their pages back to the system.
///
/// A process that forks (we never do; a node may) gets private copies, as of any other memory, and
/// the child allocates no more.
class SharedArena {
 public:
  static SharedArena& instance();

  /// Uninitialised memory. kResourceExhausted; kFailedPrecondition after a fork.
  base::Result<std::shared_ptr<core::Buffer>> allocate(std::int64_t size_bytes);
  /// A copy of `bytes`.
  base::Result<std::shared_ptr<core::Buffer>> copy(std::span<const std::byte> bytes);

  /// The same memory without an owner object, for foreign allocators (numpy): null when there is
  /// none. A block that is lent to another process stays until that one lets go, too.
  void* allocate_raw(std::int64_t size_bytes);
  /// `data` is what allocate_raw() returned.
  void free_raw(void* data);
  /// True when `data` lies in a segment of our own.
  bool owns(const void* data) const;
  /// Usable size of the block that starts at `data`; 0 when `data` is not ours.
  std::int64_t size_raw(const void* data) const;

  /// A buffer over a part of a live block of ours, which it keeps alive; null when there is none.
  std::shared_ptr<const core::Buffer> adopt(SegmentId segment, std::int64_t offset,
                                            std::int64_t size_bytes);

  struct Stats {
    std::int64_t segments = 0, reserved_bytes = 0, used_bytes = 0;
  };
  Stats stats() const;

 private:
  friend class ArenaBuffer;

  struct Area {
    std::shared_ptr<const Segment> segment;
    FreeSpace space;
  };
  struct Place {
    std::byte* data = nullptr;
    std::int64_t fresh_bytes = 0;  ///< of these, never touched before
  };

  SharedArena();

  base::Result<std::byte*> take(std::int64_t size_bytes);
  Place place_in(Area& area, std::int64_t size_bytes) const;
  void give_back(const std::byte* block);
  void trim();
  void become_private();
  Area* find_area(const std::byte* data) const;

  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Area>> areas_;  ///< guarded by mutex_
  bool forked_ = false;                       ///< guarded by mutex_
};

}  // namespace penstock::exec
