// FreeSpace: which parts of one segment are in use. Numbers only, no memory is touched.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace penstock::exec {

/// Best-fit allocator over [0, size), with a count of users per block. Among equal fits the lowest
/// address wins, so memory that was touched before is used again. Thread-compatible.
class FreeSpace {
 public:
  explicit FreeSpace(std::int64_t size_bytes);

  /// Offset of a new block with one user, or none when nothing fits. `size_bytes` > 0.
  std::optional<std::int64_t> allocate(std::int64_t size_bytes);
  /// Adds a user to the live block that holds all of [offset, offset + size_bytes) and returns the
  /// block's offset; none when there is no such block.
  std::optional<std::int64_t> retain(std::int64_t offset, std::int64_t size_bytes);
  /// Takes a user away; true when it was the last one and the block is free again.
  bool release(std::int64_t block);
  /// Size of the live block at exactly `block`; 0 when there is none.
  std::int64_t block_size(std::int64_t block) const;

  std::int64_t used_bytes() const { return used_bytes_; }
  bool is_empty() const { return blocks_.empty(); }
  /// No byte at or beyond this offset was ever part of a block.
  std::int64_t high_water() const { return high_water_; }
  /// Everything is untouched again (its pages were given back); is_empty() must hold.
  void forget_high_water() { high_water_ = 0; }

 private:
  struct Block {
    std::int64_t size_bytes;
    std::int32_t users;
  };

  void insert_gap(std::int64_t offset, std::int64_t size_bytes);
  void erase_gap(std::int64_t offset, std::int64_t size_bytes);

  std::map<std::int64_t, Block> blocks_;                          ///< live, by offset
  std::map<std::int64_t, std::int64_t> gaps_;                     ///< free: offset -> size
  std::set<std::pair<std::int64_t, std::int64_t>> gaps_by_size_;  ///< the same: (size, offset)
  std::int64_t used_bytes_ = 0, high_water_ = 0;
};

}  // namespace penstock::exec
