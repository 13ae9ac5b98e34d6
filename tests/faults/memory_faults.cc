// malloc() and operator new of this program, in place of the library's.
//
// Under AddressSanitizer malloc() stays its own, and operator new sits on top of it: then only C++
// allocations fail, and every use of freed memory on the way out is seen.
#include <malloc.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <new>

#include "faults.h"

#if !defined(__SANITIZE_ADDRESS__)

// The real ones, which glibc offers under these names to whoever replaces malloc().
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* block, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* block);
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

namespace {

using penstock::faults::count_block;
using penstock::faults::Kind;
using penstock::faults::must_fail;

void* counted(void* block) {
  if (block != nullptr) {
    count_block(1);
  }
  return block;
}

void* refused() {
  errno = ENOMEM;
  return nullptr;
}

}  // namespace

extern "C" {

void* malloc(std::size_t size) {
  return must_fail(Kind::kMemory, "malloc") ? refused() : counted(__libc_malloc(size));
}

void* calloc(std::size_t count, std::size_t size) {
  return must_fail(Kind::kMemory, "calloc") ? refused() : counted(__libc_calloc(count, size));
}

void* realloc(void* block, std::size_t size) {
  if (size == 0 && block != nullptr) {
    std::free(block);
    return nullptr;
  }
  if (must_fail(Kind::kMemory, "realloc")) {
    return refused();
  }
  void* const moved = __libc_realloc(block, size);
  return block == nullptr ? counted(moved) : moved;
}

void* memalign(std::size_t alignment, std::size_t size) {
  return must_fail(Kind::kMemory, "memalign") ? refused()
                                              : counted(__libc_memalign(alignment, size));
}

void* aligned_alloc(std::size_t alignment, std::size_t size) {
  return must_fail(Kind::kMemory, "aligned_alloc") ? refused()
                                                   : counted(__libc_memalign(alignment, size));
}

int posix_memalign(void** out, std::size_t alignment, std::size_t size) {
  if (must_fail(Kind::kMemory, "posix_memalign")) {
    return ENOMEM;
  }
  *out = counted(__libc_memalign(alignment, size));
  return *out == nullptr ? ENOMEM : 0;
}

void free(void* block) {
  if (block != nullptr) {
    count_block(-1);
    __libc_free(block);
  }
}

}  // extern "C"

namespace {

// The C++ forms count as themselves and take what malloc() gives below its count.
void* allocate(std::size_t size) {
  return counted(__libc_malloc(size == 0 ? 1 : size));
}
void* allocate(std::size_t size, std::align_val_t alignment) {
  return counted(__libc_memalign(static_cast<std::size_t>(alignment), size == 0 ? 1 : size));
}

}  // namespace

#else

namespace {

using penstock::faults::count_block;
using penstock::faults::Kind;
using penstock::faults::must_fail;

void* allocate(std::size_t size) {
  count_block(1);
  return std::malloc(size == 0 ? 1 : size);
}
void* allocate(std::size_t size, std::align_val_t alignment) {
  count_block(1);
  void* block = nullptr;
  return ::posix_memalign(&block, static_cast<std::size_t>(alignment), size == 0 ? 1 : size) == 0
             ? block
             : nullptr;
}

}  // namespace

#endif

namespace {

template <class... Alignment>
void* allocate_or_throw(std::size_t size, Alignment... alignment) {
  void* const block =
      must_fail(Kind::kMemory, "operator new") ? nullptr : allocate(size, alignment...);
  if (block == nullptr) {
    throw std::bad_alloc();
  }
  return block;
}

void release(void* block) {
#if defined(__SANITIZE_ADDRESS__)
  if (block != nullptr) {
    count_block(-1);
  }
#endif
  std::free(block);
}

}  // namespace

void* operator new(std::size_t size) {
  return allocate_or_throw(size);
}
void* operator new[](std::size_t size) {
  return allocate_or_throw(size);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate_or_throw(size, alignment);
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return allocate_or_throw(size, alignment);
}
void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  return must_fail(Kind::kMemory, "operator new(nothrow)") ? nullptr : allocate(size);
}
void* operator new[](std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  return must_fail(Kind::kMemory, "operator new[](nothrow)") ? nullptr : allocate(size);
}
void operator delete(void* block) noexcept {
  release(block);
}
void operator delete[](void* block) noexcept {
  release(block);
}
void operator delete(void* block, std::size_t /*size*/) noexcept {
  release(block);
}
void operator delete[](void* block, std::size_t /*size*/) noexcept {
  release(block);
}
void operator delete(void* block, std::align_val_t /*alignment*/) noexcept {
  release(block);
}
void operator delete[](void* block, std::align_val_t /*alignment*/) noexcept {
  release(block);
}
void operator delete(void* block, std::size_t /*size*/, std::align_val_t /*alignment*/) noexcept {
  release(block);
}
void operator delete[](void* block, std::size_t /*size*/, std::align_val_t /*alignment*/) noexcept {
  release(block);
}
void operator delete(void* block, const std::nothrow_t& /*tag*/) noexcept {
  release(block);
}
void operator delete[](void* block, const std::nothrow_t& /*tag*/) noexcept {
  release(block);
}
