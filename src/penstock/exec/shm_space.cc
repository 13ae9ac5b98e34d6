#include "penstock/exec/shm_space.h"

#include <algorithm>
#include <iterator>

#include "penstock/base/result.h"

namespace penstock::exec {
namespace {

// Page-sized steps keep two processes' blocks off each other's pages; coarser steps for big blocks
// make a freed one fit the next request of about its size.
constexpr std::int64_t kSmallStep = 4096;
constexpr std::int64_t kLargeStep = 65'536;
constexpr std::int64_t kLarge = 1 << 20;

std::int64_t round_up(std::int64_t size_bytes) {
  const std::int64_t step = size_bytes < kLarge ? kSmallStep : kLargeStep;
  return (size_bytes + step - 1) / step * step;
}

}  // namespace

FreeSpace::FreeSpace(std::int64_t size_bytes) {
  insert_gap(0, size_bytes);
}

std::optional<std::int64_t> FreeSpace::allocate(std::int64_t size_bytes) {
  const std::int64_t wanted = round_up(size_bytes);
  const auto found = gaps_by_size_.lower_bound({wanted, 0});
  if (found == gaps_by_size_.end()) {
    return std::nullopt;
  }
  const auto [gap_size, offset] = *found;
  erase_gap(offset, gap_size);
  if (gap_size > wanted) {
    insert_gap(offset + wanted, gap_size - wanted);
  }
  blocks_.emplace(offset, Block{wanted, 1});
  used_bytes_ += wanted;
  high_water_ = std::max(high_water_, offset + wanted);
  return offset;
}

std::optional<std::int64_t> FreeSpace::retain(std::int64_t offset, std::int64_t size_bytes) {
  auto after = blocks_.upper_bound(offset);
  if (after == blocks_.begin() || size_bytes < 0) {
    return std::nullopt;
  }
  auto& [block, data] = *std::prev(after);
  if (offset - block > data.size_bytes - size_bytes) {
    return std::nullopt;
  }
  ++data.users;
  return block;
}

bool FreeSpace::release(std::int64_t block) {
  const auto found = blocks_.find(block);
  PENSTOCK_CHECK(found != blocks_.end());
  if (--found->second.users > 0) {
    return false;
  }
  std::int64_t offset = block;
  std::int64_t size_bytes = found->second.size_bytes;
  used_bytes_ -= size_bytes;
  blocks_.erase(found);
  const auto next = gaps_.lower_bound(offset);
  if (next != gaps_.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second == offset) {
      offset = before->first;
      size_bytes += before->second;
      erase_gap(before->first, before->second);
    }
  }
  const auto behind = gaps_.find(offset + size_bytes);
  if (behind != gaps_.end()) {
    size_bytes += behind->second;
    erase_gap(behind->first, behind->second);
  }
  insert_gap(offset, size_bytes);
  return true;
}

std::int64_t FreeSpace::block_size(std::int64_t block) const {
  const auto found = blocks_.find(block);
  return found == blocks_.end() ? 0 : found->second.size_bytes;
}

void FreeSpace::insert_gap(std::int64_t offset, std::int64_t size_bytes) {
  gaps_.emplace(offset, size_bytes);
  gaps_by_size_.emplace(size_bytes, offset);
}

void FreeSpace::erase_gap(std::int64_t offset, std::int64_t size_bytes) {
  gaps_.erase(offset);
  gaps_by_size_.erase({size_bytes, offset});
}

}  // namespace penstock::exec
