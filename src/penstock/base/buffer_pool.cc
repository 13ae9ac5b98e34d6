#include "penstock/base/buffer_pool.h"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <tuple>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#endif

#include "penstock/base/machine.h"
#include "penstock/base/result.h"

namespace penstock::base {
namespace {

constexpr std::size_t kSharedKeepBytes = std::size_t{256} << 20;
constexpr std::size_t kAlignment = 64;
constexpr std::size_t kMaxBytes = SIZE_MAX / 4;

// To the sanitizer a buffer is freed when it is given back, whoever keeps it.
#if defined(__SANITIZE_ADDRESS__)
void forbid_use(std::byte* data, std::size_t size) {
  ASAN_POISON_MEMORY_REGION(data, size);
}
void allow_use(std::byte* data, std::size_t size) {
  ASAN_UNPOISON_MEMORY_REGION(data, size);
}
// Pointers that lie in mapped memory keep what they point at from being a leak.
void is_mapped(std::byte* data, std::size_t size) {
  __lsan_register_root_region(data, size);
}
void is_unmapped(std::byte* data, std::size_t size) {
  __lsan_unregister_root_region(data, size);
}
#else
void forbid_use(std::byte*, std::size_t) {
}
void allow_use(std::byte*, std::size_t) {
}
void is_mapped(std::byte*, std::size_t) {
}
void is_unmapped(std::byte*, std::size_t) {
}
#endif

// Address space that begins at a border of a huge page. Null when there is none.
std::byte* map_aligned(std::size_t size, int protection) {
  constexpr std::size_t kBorder = BufferPool::kHugePage;
  void* const mapped =
      ::mmap(nullptr, size + kBorder, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) {
    return nullptr;
  }
  auto* const begin = static_cast<std::byte*>(mapped);
  const std::size_t skip = (kBorder - reinterpret_cast<std::uintptr_t>(begin) % kBorder) % kBorder;
  // What is cut off was never touched; should the system not take it, it is address space only.
  if (skip > 0) {
    ::munmap(begin, skip);
  }
  ::munmap(begin + skip + size, kBorder - skip);
  return begin + skip;
}

std::byte* take_from_system(std::size_t size) {
  if (size < BufferPool::kHugePage) {
    return static_cast<std::byte*>(std::aligned_alloc(kAlignment, size));
  }
  std::byte* const data = map_aligned(size, PROT_READ | PROT_WRITE);
  if (data != nullptr) {
    // One fault for two megabytes instead of 512; without huge pages nothing is lost.
    std::ignore = ::madvise(data, size, MADV_HUGEPAGE);
    is_mapped(data, size);
  }
  return data;
}

void give_to_system(std::byte* data, std::size_t size) {
  allow_use(data, size);
  if (size < BufferPool::kHugePage) {
    std::free(data);
    return;
  }
  is_unmapped(data, size);
  ::munmap(data, size);
}

}  // namespace

BufferPool& BufferPool::shared() {
  // Never destroyed: buffers may outlive every static object.
  static BufferPool* const pool =
      new BufferPool(std::min(kSharedKeepBytes, static_cast<std::size_t>(memory_bytes()) / 16));
  static const bool is_watched =
      ::pthread_atfork([] { pool->lock_for_fork(); }, [] { pool->unlock_after_fork(); },
                       [] { pool->unlock_after_fork(); }) == 0;
  std::ignore = is_watched;
  return *pool;
}

BufferPool::~BufferPool() {
  trim();
  PENSTOCK_CHECK(stats().out == 0);
}

std::byte* BufferPool::acquire(std::size_t bytes) noexcept {
  if (bytes > kMaxBytes) {
    return nullptr;
  }
  Shelf& shelf = shelves_[static_cast<std::size_t>(size_index(bytes))];
  const std::size_t size = usable_bytes(bytes);
  std::byte* const kept = take_kept(shelf, size);
  return kept != nullptr ? kept : take_fresh(shelf, size);
}

std::byte* BufferPool::take_kept(Shelf& shelf, std::size_t size) noexcept {
  std::byte* data = nullptr;
  {
    const MutexLock lock(shelf.mutex);
    if (shelf.kept.empty()) {
      return nullptr;
    }
    data = shelf.kept.back();  // the one used last: what of it is in the cache, still is
    shelf.kept.pop_back();
    shelf.idle = std::min(shelf.idle, shelf.kept.size());
    ++shelf.acquired;
    shelf.out_bytes += static_cast<std::int64_t>(size);
  }
  kept_bytes_.fetch_sub(size, std::memory_order_relaxed);
  allow_use(data, size);
  return data;
}

std::byte* BufferPool::take_fresh(Shelf& shelf, std::size_t size) noexcept {
  std::byte* data = take_from_system(size);
  if (data == nullptr) {
    trim();
    data = take_from_system(size);
  }
  if (data != nullptr && !enter_fresh(shelf, size)) {
    give_to_system(data, size);
    return nullptr;
  }
  fresh_bytes_.fetch_add(size, std::memory_order_relaxed);
  return data;
}

bool BufferPool::enter_fresh(Shelf& shelf, std::size_t size) noexcept {
  const MutexLock lock(shelf.mutex);
  const auto count = static_cast<std::size_t>(shelf.misses - shelf.system_frees + 1);
  if (shelf.kept.capacity() < count) {
    try {
      shelf.kept.reserve(std::max<std::size_t>(16, 2 * count));
    } catch (const std::bad_alloc&) {
      return false;
    }
  }
  ++shelf.acquired;
  ++shelf.misses;
  shelf.out_bytes += static_cast<std::int64_t>(size);
  return true;
}

bool BufferPool::leave_room(std::size_t size) noexcept {
  if (kept_bytes_.fetch_add(size, std::memory_order_relaxed) + size <= keep_bytes_) {
    return true;
  }
  kept_bytes_.fetch_sub(size, std::memory_order_relaxed);
  return false;
}

// When as much came fresh from the system as half of what may be kept, something else is wanted
// than what is here. A sweep is then cheap beside what the fresh pages cost.
bool BufferPool::is_sweep_due() noexcept {
  if (fresh_bytes_.load(std::memory_order_relaxed) < keep_bytes_ / 2) {
    return false;
  }
  fresh_bytes_.store(0, std::memory_order_relaxed);
  return true;
}

void BufferPool::leave(Shelf& shelf, std::size_t size) {
  PENSTOCK_CHECK(shelf.released < shelf.acquired);
  ++shelf.released;
  shelf.out_bytes -= static_cast<std::int64_t>(size);
}

void BufferPool::release(std::byte* data, std::size_t bytes) noexcept {
  if (data == nullptr) {
    return;
  }
  const int index = size_index(bytes);
  Shelf& shelf = shelves_[static_cast<std::size_t>(index)];
  const std::size_t size = usable_bytes(bytes);
  bool stays = index != kBeyond && leave_room(size);
  if (!stays && index != kBeyond && size <= keep_bytes_ && is_sweep_due()) {
    sweep(false);
    stays = leave_room(size);
  }
  if (stays) {
    forbid_use(data, size);
  }
  {
    const MutexLock lock(shelf.mutex);
    leave(shelf, size);
    if (stays) {
      shelf.kept.push_back(data);
      return;
    }
    ++shelf.system_frees;
  }
  give_to_system(data, size);
}

std::byte* BufferPool::grow(std::byte* data, std::size_t old_bytes, std::size_t new_bytes,
                            std::size_t used_bytes) noexcept {
  if (new_bytes > kMaxBytes) {
    return nullptr;
  }
  const std::size_t size = usable_bytes(new_bytes);
  if (size == usable_bytes(old_bytes)) {
    return data;
  }
  Shelf& shelf = shelves_[static_cast<std::size_t>(size_index(new_bytes))];
  std::byte* grown = take_kept(shelf, size);
  if (grown == nullptr) {
    grown = move_pages(data, old_bytes, new_bytes);
    if (grown != nullptr) {
      return grown;
    }
    grown = take_fresh(shelf, size);
  }
  if (grown != nullptr) {
    std::memcpy(grown, data, used_bytes);
    release(data, old_bytes);
  }
  return grown;
}

// To the books, a buffer that came from the system and one that went back.
std::byte* BufferPool::move_pages(std::byte* data, std::size_t old_bytes,
                                  std::size_t new_bytes) noexcept {
  const std::size_t old_size = usable_bytes(old_bytes);
  const std::size_t size = usable_bytes(new_bytes);
  if (old_size < kHugePage || size < old_size) {
    return nullptr;
  }
  std::byte* const target = map_aligned(size, PROT_NONE);
  if (target == nullptr) {
    return nullptr;
  }
  Shelf& shelf = shelves_[static_cast<std::size_t>(size_index(new_bytes))];
  if (!enter_fresh(shelf, size)) {
    ::munmap(target, size);
    return nullptr;
  }
  is_unmapped(data, old_size);
  if (::mremap(data, old_size, size, MREMAP_MAYMOVE | MREMAP_FIXED, target) == MAP_FAILED) {
    ::munmap(target, size);
    is_mapped(data, old_size);
    const MutexLock lock(shelf.mutex);
    --shelf.acquired;
    --shelf.misses;
    shelf.out_bytes -= static_cast<std::int64_t>(size);
    return nullptr;
  }
  is_mapped(target, size);
  Shelf& old_shelf = shelves_[static_cast<std::size_t>(size_index(old_bytes))];
  const MutexLock lock(old_shelf.mutex);
  leave(old_shelf, old_size);
  ++old_shelf.system_frees;
  return target;
}

void BufferPool::trim() noexcept {
  sweep(true);
}

// What nobody has asked for since the last sweep goes, or all.
void BufferPool::sweep(bool all) noexcept {
  for (int index = 0; index < kBeyond; ++index) {
    Shelf& shelf = shelves_[static_cast<std::size_t>(index)];
    std::size_t count = 0;
    {
      const MutexLock lock(shelf.mutex);
      count = all ? shelf.kept.size() : shelf.idle;
    }
    for (; count > 0; --count) {
      std::byte* data = nullptr;
      {
        const MutexLock lock(shelf.mutex);
        if (shelf.kept.empty()) {
          break;
        }
        data = shelf.kept.back();
        shelf.kept.pop_back();
        ++shelf.system_frees;
      }
      kept_bytes_.fetch_sub(size_of(index), std::memory_order_relaxed);
      give_to_system(data, size_of(index));
    }
    const MutexLock lock(shelf.mutex);
    shelf.idle = shelf.kept.size();
  }
}

BufferPool::Stats BufferPool::stats() const {
  Stats stats;
  for (int index = 0; index < kNumSizes; ++index) {
    const Shelf& shelf = shelves_[static_cast<std::size_t>(index)];
    const MutexLock lock(shelf.mutex);
    const auto kept = static_cast<std::int64_t>(shelf.kept.size());
    stats.acquired += shelf.acquired;
    stats.released += shelf.released;
    stats.misses += shelf.misses;
    stats.system_frees += shelf.system_frees;
    stats.out_bytes += shelf.out_bytes;
    stats.kept += kept;
    if (index != kBeyond) {
      stats.kept_bytes += kept * static_cast<std::int64_t>(size_of(index));
    }
  }
  stats.out = stats.acquired - stats.released;
  stats.hits = stats.acquired - stats.misses;
  return stats;
}

void BufferPool::lock_for_fork() {
  for (Shelf& shelf : shelves_) {
    shelf.mutex.native().lock();
  }
}

void BufferPool::unlock_after_fork() {
  for (Shelf& shelf : shelves_) {
    shelf.mutex.native().unlock();
  }
}

}  // namespace penstock::base
