// Ids to small numbers: open addressing, one cache line per lookup in the common case.
//
// A tube may have a million nodes; a node-based hash map then costs more than parsing. Ids are not
// copied and must stay where they are. Owner thread only.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

namespace penstock::flow {

class IdIndex {
 public:
  static constexpr std::int32_t kAbsent = -1;

  /// Room for `count` ids without growing.
  void reserve(std::size_t count) {
    ids_.reserve(count);
    if (const std::size_t wanted = std::bit_ceil(2 * count + 2); wanted > slots_.size()) {
      rehash(wanted);
    }
  }

  /// The number of `id`: `number` if it is new, else the one it has. The second is true if new.
  std::pair<std::int32_t, bool> insert(std::string_view id, std::int32_t number) {
    if (2 * (ids_.size() + 1) > slots_.size()) {
      rehash(std::bit_ceil(2 * ids_.size() + 2) * 2);
    }
    const std::uint32_t hash = hash_of(id);
    const std::size_t at = probe(id, hash);
    if (slots_[at].entry != kAbsent) {
      return {ids_[static_cast<std::size_t>(slots_[at].entry)].number, false};
    }
    slots_[at] = {.hash = hash, .entry = static_cast<std::int32_t>(ids_.size())};
    ids_.push_back({.id = id, .number = number});
    return {number, true};
  }

  /// kAbsent when `id` is unknown.
  std::int32_t find(std::string_view id) const {
    if (slots_.empty()) {
      return kAbsent;
    }
    const std::int32_t entry = slots_[probe(id, hash_of(id))].entry;
    return entry == kAbsent ? kAbsent : ids_[static_cast<std::size_t>(entry)].number;
  }

 private:
  struct Slot {
    std::uint32_t hash = 0;
    std::int32_t entry = kAbsent;
  };
  struct Entry {
    std::string_view id;
    std::int32_t number;
  };

  static std::uint32_t hash_of(std::string_view id) {
    const std::size_t hash = std::hash<std::string_view>()(id);
    return static_cast<std::uint32_t>(hash ^ (hash >> 32U));
  }

  /// The slot of `id`, or the free one where it belongs.
  std::size_t probe(std::string_view id, std::uint32_t hash) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = hash & mask;
    while (slots_[at].entry != kAbsent &&
           (slots_[at].hash != hash || ids_[static_cast<std::size_t>(slots_[at].entry)].id != id)) {
      at = (at + 1) & mask;
    }
    return at;
  }

  void rehash(std::size_t num_slots) {
    std::vector<Slot> old(num_slots);
    old.swap(slots_);
    const std::size_t mask = num_slots - 1;
    for (const Slot& slot : old) {
      if (slot.entry != kAbsent) {
        std::size_t at = slot.hash & mask;
        while (slots_[at].entry != kAbsent) {
          at = (at + 1) & mask;
        }
        slots_[at] = slot;
      }
    }
  }

  std::vector<Slot> slots_;  ///< a power of two, at most half full
  std::vector<Entry> ids_;   ///< in order of insertion
};

}  // namespace penstock::flow
