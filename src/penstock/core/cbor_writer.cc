#include "penstock/core/cbor_writer.h"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace penstock::core {

CborWriter::~CborWriter() {
  std::free(begin_);
}

void CborWriter::clear(std::size_t keep_bytes) {
  at_ = begin_;
  if (static_cast<std::size_t>(end_ - begin_) > keep_bytes) {
    std::free(begin_);
    begin_ = at_ = end_ = nullptr;
  }
}

void CborWriter::grow(std::size_t num_bytes) {
  const std::size_t used = size();
  const auto capacity = static_cast<std::size_t>(end_ - begin_);
  const std::size_t wanted = std::max({used + num_bytes, capacity * 2, std::size_t{256}});
  auto* memory = static_cast<char*>(std::realloc(begin_, wanted));
  if (memory == nullptr) {
    throw std::bad_alloc();  // as operator new does
  }
  begin_ = memory;
  at_ = memory + used;
  end_ = memory + wanted;
}

}  // namespace penstock::core
