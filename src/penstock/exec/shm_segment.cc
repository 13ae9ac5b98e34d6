#include "penstock/exec/shm_segment.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <new>

#include <fmt/core.h>

#include "penstock/base/out_of_memory.h"

namespace penstock::exec {
namespace {

using base::ErrorCode;

SegmentId next_segment_id() {
  static const std::uint64_t process_part = [] {
    std::uint64_t random = 0;
    // Blocks only in the first moments after boot, and never fails for eight bytes.
    PENSTOCK_CHECK(::getrandom(&random, sizeof random, 0) == sizeof random);
    return random << 24;
  }();
  static std::atomic<std::uint64_t> counter{0};
  // Relaxed: only uniqueness is wanted, nothing is published by this number.
  return process_part | (counter.fetch_add(1, std::memory_order_relaxed) & 0xff'ffff);
}

std::unexpected<base::Error> out_of_memory(std::string_view step, std::int64_t size_bytes) {
  return base::fail(ErrorCode::kResourceExhausted,
                    fmt::format("cannot get shared memory: {} of {} bytes: {}", step, size_bytes,
                                std::strerror(errno)));
}

}  // namespace

base::Result<std::shared_ptr<const Segment>> Segment::own(SegmentId id, UniqueFd fd, void* base,
                                                          std::int64_t size_bytes, bool is_own) {
  Segment* made = nullptr;
  try {
    made = new Segment(id, std::move(fd), static_cast<std::byte*>(base), size_bytes, is_own);
    std::shared_ptr<const Segment> segment(made);  // deletes it when there is no memory
    SegmentTable::instance().add(segment);
    return segment;
  } catch (const std::bad_alloc&) {
    if (made == nullptr) {
      ::munmap(base, static_cast<std::size_t>(size_bytes));
    }
    return base::fail_out_of_memory();
  }
}

base::Result<std::shared_ptr<const Segment>> Segment::create(std::int64_t size_bytes) {
  UniqueFd fd(::memfd_create("penstock", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.is_valid()) {
    return out_of_memory("memfd_create", size_bytes);
  }
  if (::ftruncate(fd.get(), size_bytes) != 0) {
    return out_of_memory("ftruncate", size_bytes);
  }
  if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return out_of_memory("seal", size_bytes);
  }
  void* base = ::mmap(nullptr, static_cast<std::size_t>(size_bytes), PROT_READ | PROT_WRITE,
                      MAP_SHARED, fd.get(), 0);
  if (base == MAP_FAILED) {
    return out_of_memory("mmap", size_bytes);
  }
  // Advice only: most systems have huge pages for shared memory turned off.
  ::madvise(base, static_cast<std::size_t>(size_bytes), MADV_HUGEPAGE);
  const SegmentId id = next_segment_id();
  PENSTOCK_ASSIGN_OR_RETURN(auto segment, own(id, std::move(fd), base, size_bytes, true));
  return segment;
}

base::Result<std::shared_ptr<const Segment>> Segment::import(SegmentId id, UniqueFd fd,
                                                             std::int64_t size_bytes) {
  if (auto known = SegmentTable::instance().find(id)) {
    return known;
  }
  struct stat status{};
  const int seals = ::fcntl(fd.get(), F_GET_SEALS);
  if (::fstat(fd.get(), &status) != 0 || size_bytes <= 0 || status.st_size != size_bytes ||
      seals < 0 || (seals & F_SEAL_SHRINK) == 0) {
    return base::fail(ErrorCode::kDataLoss,
                      fmt::format("bad shared segment: size={} wanted={} seals={:#x}",
                                  status.st_size, size_bytes, static_cast<unsigned>(seals)));
  }
  void* base =
      ::mmap(nullptr, static_cast<std::size_t>(size_bytes), PROT_READ, MAP_SHARED, fd.get(), 0);
  if (base == MAP_FAILED) {
    return out_of_memory("mmap", size_bytes);
  }
  PENSTOCK_ASSIGN_OR_RETURN(auto segment, own(id, std::move(fd), base, size_bytes, false));
  return segment;
}

Segment::~Segment() {
  SegmentTable::instance().remove(id_, base_);
  ::munmap(base_, static_cast<std::size_t>(size_bytes_));
}

SegmentTable& SegmentTable::instance() {
  // Never destroyed: buffers may outlive every static object.
  static SegmentTable* const table = new SegmentTable;
  return *table;
}

void SegmentTable::add(const std::shared_ptr<const Segment>& segment) {
  const std::lock_guard lock(mutex_);
  by_base_[segment->base()] = Entry{segment->size_bytes(), segment};
  by_id_[segment->id()] = segment;
}

void SegmentTable::remove(SegmentId id, const std::byte* base) {
  const std::lock_guard lock(mutex_);
  by_base_.erase(base);
  const auto found = by_id_.find(id);
  // A newer mapping of the same segment may have taken the place.
  if (found != by_id_.end() && found->second.expired()) {
    by_id_.erase(found);
  }
}

std::shared_ptr<const Segment> SegmentTable::find(SegmentId id) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second.lock();
}

void SegmentTable::unlock_after_fork(bool in_child) {
  if (in_child) {
    by_base_.clear();
    by_id_.clear();
  }
  mutex_.unlock();
}

std::shared_ptr<const Segment> SegmentTable::find(const std::byte* data,
                                                  std::int64_t size_bytes) const {
  const std::lock_guard lock(mutex_);
  auto after = by_base_.upper_bound(data);
  if (after == by_base_.begin()) {
    return nullptr;
  }
  const auto& [base, entry] = *std::prev(after);
  if (data - base > entry.size_bytes - size_bytes) {
    return nullptr;
  }
  return entry.segment.lock();
}

}  // namespace penstock::exec
