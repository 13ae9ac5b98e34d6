// BufferPool: memory that is used again instead of given back to the system.
//
// A fresh page costs far more than a write to one that is there: the system finds it, clears it
// and maps it. Buffers that come and go (a frame, an encoding, a segment of events) are taken from
// here, so only the first ones pay. This is private memory; what other processes are to map comes
// from exec::SharedArena, which has blocks of its own because they lie in shared segments.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "penstock/base/mutex.h"

namespace penstock::base {

/// Thread-safe: one lock for each size, held for some nanoseconds; only a buffer that comes from
/// the system or goes back takes longer, and then without it.
///
/// Sizes are powers of two and the halves between them, from 64 bytes, so that at most a third of a
/// buffer is unused (half of it up to 128 bytes, and from 2 to 4 MiB: there is no size of 3). They
/// are 64-byte aligned; from 2 MiB up they consist of whole 2 MiB pages, begin at a border of one,
/// and huge pages are advised. Buffers of more than kMaxKept bytes go back to the system at once.
///
/// Under AddressSanitizer a buffer that is not out may not be touched.
class BufferPool {
 public:
  static constexpr std::size_t kHugePage = std::size_t{2} << 20;
  static constexpr std::size_t kMaxKept = std::size_t{1} << 30;

  /// Each buffer taken is given back once, or is out: acquired = released + out. It was kept here
  /// or came from the system: acquired = hits + misses. What came from the system is out, kept, or
  /// gone: misses = system_frees + kept + out.
  struct Stats {
    std::int64_t acquired = 0, released = 0, out = 0;
    std::int64_t hits = 0, misses = 0, system_frees = 0;
    std::int64_t kept = 0, kept_bytes = 0, out_bytes = 0;
  };

  /// Keeps at most `keep_bytes` of buffers that are not out. When they are all of sizes that nobody
  /// asks for, they make room in time.
  explicit BufferPool(std::size_t keep_bytes) : keep_bytes_(keep_bytes) {}
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  /// All buffers are back.
  ~BufferPool();

  /// That of the whole process: keeps up to 256 MiB, or a sixteenth of the machine's memory if that
  /// is less. Lives until the process ends. A process that forks has it twice, each side for
  /// itself; that holds for this one only.
  static BufferPool& shared();

  /// What a buffer for `bytes` really has; at least `bytes`, up to SIZE_MAX / 4.
  static constexpr std::size_t usable_bytes(std::size_t bytes);

  /// Uninitialised memory of usable_bytes(bytes). Null when there is none.
  [[nodiscard]] std::byte* acquire(std::size_t bytes) noexcept;
  /// `data` came from acquire(bytes), or of another number with the same usable_bytes(). Null: does
  /// nothing.
  void release(std::byte* data, std::size_t bytes) noexcept;
  /// A buffer for `new_bytes`, more than `old_bytes`, that begins with the first `used_bytes` of
  /// `data`, which is given back. Null when there is no memory; then `data` stays. Pages of a large
  /// buffer are moved, not copied.
  [[nodiscard]] std::byte* grow(std::byte* data, std::size_t old_bytes, std::size_t new_bytes,
                                std::size_t used_bytes) noexcept;
  /// Gives all that is kept back to the system.
  void trim() noexcept;

  Stats stats() const;

 private:
  static constexpr int kNumSizes = 50;  ///< 64 bytes to kMaxKept; the last is for all beyond
  static constexpr int kBeyond = kNumSizes - 1;

  /// Buffers of one size, and what became of them.
  struct alignas(64) Shelf {
    mutable Mutex mutex;
    /// Has room for all buffers there are, so that to give one back takes no memory.
    std::vector<std::byte*> kept PENSTOCK_GUARDED_BY(mutex);
    std::size_t idle PENSTOCK_GUARDED_BY(mutex) = 0;  ///< fewest in `kept` since the last sweep
    std::int64_t acquired PENSTOCK_GUARDED_BY(mutex) = 0;
    std::int64_t released PENSTOCK_GUARDED_BY(mutex) = 0;
    std::int64_t misses PENSTOCK_GUARDED_BY(mutex) = 0;
    std::int64_t system_frees PENSTOCK_GUARDED_BY(mutex) = 0;
    std::int64_t out_bytes PENSTOCK_GUARDED_BY(mutex) = 0;
  };

  static constexpr int size_index(std::size_t bytes);
  static constexpr std::size_t size_of(int index);

  std::byte* take_kept(Shelf& shelf, std::size_t size) noexcept;
  std::byte* take_fresh(Shelf& shelf, std::size_t size) noexcept;
  static bool enter_fresh(Shelf& shelf, std::size_t size) noexcept;
  static void leave(Shelf& shelf, std::size_t size) PENSTOCK_REQUIRES(shelf.mutex);
  bool leave_room(std::size_t size) noexcept;
  bool is_sweep_due() noexcept;
  std::byte* move_pages(std::byte* data, std::size_t old_bytes, std::size_t new_bytes) noexcept;
  void sweep(bool all) noexcept;
  void lock_for_fork();
  void unlock_after_fork();

  const std::size_t keep_bytes_;
  // A bound and a hint, no locks: relaxed.
  std::atomic<std::size_t> kept_bytes_ = 0;
  std::atomic<std::size_t> fresh_bytes_ = 0;  ///< that came from the system since the last sweep
  std::array<Shelf, kNumSizes> shelves_;
};

constexpr int BufferPool::size_index(std::size_t bytes) {
  if (bytes <= 64) {
    return 0;
  }
  if (bytes > kMaxKept) {
    return kBeyond;
  }
  const int log2 = std::bit_width(bytes - 1);
  const std::size_t half = std::size_t{3} << (log2 - 2);
  const bool has_half = half % 64 == 0 && (half < kHugePage || half % kHugePage == 0);
  return 2 * (log2 - 6) - (has_half && bytes <= half ? 1 : 0);
}

constexpr std::size_t BufferPool::size_of(int index) {
  return (index % 2 == 0 ? std::size_t{64} : std::size_t{48}) << ((index + 1) / 2);
}

constexpr std::size_t BufferPool::usable_bytes(std::size_t bytes) {
  const int index = size_index(bytes);
  if (index == kBeyond) {
    return (bytes + kHugePage - 1) / kHugePage * kHugePage;
  }
  return size_of(index);
}

}  // namespace penstock::base
