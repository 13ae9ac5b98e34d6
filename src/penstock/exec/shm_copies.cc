#include "penstock/exec/shm_copies.h"

#include <iterator>

namespace penstock::exec {

std::shared_ptr<const core::Buffer> CopyCache::find(std::span<const std::byte> bytes) const {
  const auto found = by_key_.find({bytes.data(), bytes.size()});
  return found == by_key_.end() ? nullptr : found->second->copy;
}

void CopyCache::add(std::shared_ptr<const core::Buffer> owner, std::span<const std::byte> bytes,
                    std::shared_ptr<const core::Buffer> copy) {
  const auto size = static_cast<std::int64_t>(bytes.size());
  const Key key{bytes.data(), bytes.size()};
  if (size > limit_bytes_ || by_key_.contains(key)) {
    return;
  }
  while (size_bytes_ + size > limit_bytes_) {
    size_bytes_ -= static_cast<std::int64_t>(entries_.front().key.second);
    by_key_.erase(entries_.front().key);
    entries_.pop_front();
  }
  entries_.push_back({key, std::move(owner), std::move(copy)});
  by_key_.emplace(key, std::prev(entries_.end()));
  size_bytes_ += size;
}

void CopyCache::clear() {
  by_key_.clear();
  entries_.clear();
  size_bytes_ = 0;
}

}  // namespace penstock::exec
