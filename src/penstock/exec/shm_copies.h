// CopyCache: remembers which foreign buffers were copied into the arena, so that a value that goes
// to many tasks (a table broadcast into a map) is copied once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <span>
#include <utility>

#include "penstock/core/tensor.h"

namespace penstock::exec {

/// Holds the originals too, so that an address means one buffer. Bounded by the bytes of the
/// copies; the oldest go first. Owner thread only.
class CopyCache {
 public:
  explicit CopyCache(std::int64_t limit_bytes) : limit_bytes_(limit_bytes) {}

  /// The copy of exactly these bytes, or null.
  std::shared_ptr<const core::Buffer> find(std::span<const std::byte> bytes) const;
  void add(std::shared_ptr<const core::Buffer> owner, std::span<const std::byte> bytes,
           std::shared_ptr<const core::Buffer> copy);
  /// Lets go of everything: call it when nothing is being sent, since the memory may change owner.
  void clear();

 private:
  using Key = std::pair<const std::byte*, std::size_t>;
  struct Entry {
    Key key;
    std::shared_ptr<const core::Buffer> owner, copy;
  };

  const std::int64_t limit_bytes_;
  std::int64_t size_bytes_ = 0;
  std::list<Entry> entries_;  ///< oldest first
  std::map<Key, std::list<Entry>::iterator> by_key_;
};

}  // namespace penstock::exec
