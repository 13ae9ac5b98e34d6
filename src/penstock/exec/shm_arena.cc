#include "penstock/exec/shm_arena.h"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "penstock/exec/shm_stream.h"

namespace penstock::exec {

namespace {

// Address space is free and pages come when touched, so segments are big and few: each one costs
// a descriptor here and in every process that maps it.
constexpr std::int64_t kSegmentBytes = 64LL << 20;
// Free memory kept for the next run; more is given back to the system.
constexpr std::int64_t kSpareBytes = 512LL << 20;
// One system call instead of a fault per page.
constexpr std::int64_t kPrefaultBytes = 256 << 10;
constexpr std::int64_t kPage = 4096;

}  // namespace

/// A buffer in the arena; gives its block back.
class ArenaBuffer final : public core::Buffer {
 public:
  ArenaBuffer(const std::byte* block, std::byte* data, std::int64_t size_bytes)
      : Buffer(data, size_bytes), block_(block) {}
  ~ArenaBuffer() override { SharedArena::instance().give_back(block_); }

 private:
  const std::byte* const block_;
};

SharedArena& SharedArena::instance() {
  // Never destroyed: buffers may outlive every static object.
  static SharedArena* const arena = new SharedArena;
  return *arena;
}

SharedArena::SharedArena() {
  std::ignore = ::pthread_atfork(
      [] {
        instance().mutex_.lock();
        SegmentTable::instance().lock_for_fork();
      },
      [] {
        SegmentTable::instance().unlock_after_fork(false);
        instance().mutex_.unlock();
      },
      [] {
        SegmentTable::instance().unlock_after_fork(true);
        instance().become_private();
        instance().mutex_.unlock();
      });
}

void SharedArena::become_private() {
  forked_ = true;
  for (const auto& area : areas_) {
    // The same bytes at the same place, but what the child writes stays with it. On failure the
    // memory stays shared, which is what it was.
    ::mmap(area->segment->base(), static_cast<std::size_t>(area->segment->size_bytes()),
           PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, area->segment->fd(), 0);
  }
}

base::Result<std::shared_ptr<core::Buffer>> SharedArena::allocate(std::int64_t size_bytes) {
  PENSTOCK_ASSIGN_OR_RETURN(std::byte* const data, take(size_bytes));
  return std::make_shared<ArenaBuffer>(data, data, size_bytes);
}

base::Result<std::shared_ptr<core::Buffer>> SharedArena::copy(std::span<const std::byte> bytes) {
  PENSTOCK_ASSIGN_OR_RETURN(std::shared_ptr<core::Buffer> buffer,
                            allocate(static_cast<std::int64_t>(bytes.size())));
  stream_copy(buffer->mutable_data(), bytes.data(), bytes.size());
  return buffer;
}

void* SharedArena::allocate_raw(std::int64_t size_bytes) {
  auto data = take(size_bytes);
  return data.has_value() ? *data : nullptr;
}

void SharedArena::free_raw(void* data) {
  give_back(static_cast<const std::byte*>(data));
}

bool SharedArena::owns(const void* data) const {
  const std::lock_guard lock(mutex_);
  return find_area(static_cast<const std::byte*>(data)) != nullptr;
}

std::int64_t SharedArena::size_raw(const void* data) const {
  const auto* const start = static_cast<const std::byte*>(data);
  const std::lock_guard lock(mutex_);
  const Area* const area = find_area(start);
  return area == nullptr ? 0 : area->space.block_size(start - area->segment->base());
}

std::shared_ptr<const core::Buffer> SharedArena::adopt(SegmentId segment, std::int64_t offset,
                                                       std::int64_t size_bytes) {
  const std::byte* block = nullptr;
  std::byte* data = nullptr;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& area : areas_) {
      if (area->segment->id() == segment) {
        if (const auto start = area->space.retain(offset, size_bytes)) {
          block = area->segment->base() + *start;
          data = area->segment->base() + offset;
        }
        break;
      }
    }
  }
  if (block == nullptr) {
    return nullptr;
  }
  return std::make_shared<ArenaBuffer>(block, data, size_bytes);
}

SharedArena::Stats SharedArena::stats() const {
  const std::lock_guard lock(mutex_);
  Stats stats;
  for (const auto& area : areas_) {
    ++stats.segments;
    stats.reserved_bytes += area->segment->size_bytes();
    stats.used_bytes += area->space.used_bytes();
  }
  return stats;
}

base::Result<std::byte*> SharedArena::take(std::int64_t size_bytes) {
  const std::int64_t wanted = std::max<std::int64_t>(size_bytes, 1);
  Place place;
  {
    const std::lock_guard lock(mutex_);
    if (forked_) {
      return base::fail(base::ErrorCode::kFailedPrecondition,
                        "shared memory cannot be used in a process that was forked");
    }
    for (const auto& area : areas_) {
      place = place_in(*area, wanted);
      if (place.data != nullptr) {
        break;
      }
    }
    if (place.data == nullptr) {
      constexpr std::int64_t kStep = 2LL << 20;
      const std::int64_t needed = (wanted + kStep - 1) / kStep * kStep;
      PENSTOCK_ASSIGN_OR_RETURN(auto segment, Segment::create(std::max(kSegmentBytes, needed)));
      const std::int64_t size = segment->size_bytes();
      areas_.push_back(std::make_unique<Area>(Area{std::move(segment), FreeSpace(size)}));
      place = place_in(*areas_.back(), wanted);
    }
  }
  if (place.fresh_bytes >= kPrefaultBytes) {
    // Old kernels lack it, and then the first touch does the work.
    // Blocks begin at page borders, so whole pages of the block are skipped here.
    const std::int64_t touched = (wanted - place.fresh_bytes) / kPage * kPage;
    ::madvise(place.data + touched, static_cast<std::size_t>(wanted - touched),
              MADV_POPULATE_WRITE);
  }
  return place.data;
}

SharedArena::Place SharedArena::place_in(Area& area, std::int64_t size_bytes) const {
  const std::int64_t touched = area.space.high_water();
  const auto offset = area.space.allocate(size_bytes);
  if (!offset) {
    return {};
  }
  const std::int64_t end = *offset + size_bytes;
  return {area.segment->base() + *offset, std::clamp<std::int64_t>(end - touched, 0, size_bytes)};
}

void SharedArena::give_back(const std::byte* block) {
  const std::lock_guard lock(mutex_);
  Area* const area = find_area(block);
  PENSTOCK_CHECK(area != nullptr);
  if (area->space.release(block - area->segment->base()) && area->space.is_empty()) {
    trim();
  }
}

void SharedArena::trim() {
  std::int64_t spare = 0;
  for (const auto& area : areas_) {
    if (!area->space.is_empty() || area->space.high_water() == 0) {
      continue;
    }
    if (spare + area->space.high_water() <= kSpareBytes) {
      spare += area->space.high_water();
      continue;
    }
    // Gives the pages back and keeps the segment: other processes may have it mapped.
    ::madvise(area->segment->base(), static_cast<std::size_t>(area->segment->size_bytes()),
              MADV_REMOVE);
    area->space.forget_high_water();
  }
}

SharedArena::Area* SharedArena::find_area(const std::byte* data) const {
  for (const auto& area : areas_) {
    if (data >= area->segment->base() &&
        data < area->segment->base() + area->segment->size_bytes()) {
      return area.get();
    }
  }
  return nullptr;
}

}  // namespace penstock::exec
