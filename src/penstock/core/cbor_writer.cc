#include "penstock/core/cbor_writer.h"

#include <algorithm>
#include <new>

#include "penstock/base/buffer_pool.h"

namespace penstock::core {

using base::BufferPool;

CborWriter::~CborWriter() {
  BufferPool::shared().release(memory(), capacity());
}

void CborWriter::clear(std::size_t keep_bytes) {
  at_ = begin_;
  if (capacity() > keep_bytes) {
    BufferPool::shared().release(memory(), capacity());
    begin_ = at_ = end_ = nullptr;
  }
}

void CborWriter::grow(std::size_t num_bytes) {
  const std::size_t used = size();
  const std::size_t wanted = std::max({used + num_bytes, capacity() * 2, std::size_t{256}});
  BufferPool& pool = BufferPool::shared();
  std::byte* const grown =
      begin_ == nullptr ? pool.acquire(wanted) : pool.grow(memory(), capacity(), wanted, used);
  if (grown == nullptr) {
    throw std::bad_alloc();  // as operator new does
  }
  begin_ = reinterpret_cast<char*>(grown);
  at_ = begin_ + used;
  end_ = begin_ + BufferPool::usable_bytes(wanted);
}

}  // namespace penstock::core
