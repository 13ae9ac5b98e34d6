#include "penstock/bindings/numpy_memory.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include <nanobind/nanobind.h>

#include "penstock/exec/shm_arena.h"

namespace penstock::bindings {
namespace {

namespace nb = nanobind;
using exec::SharedArena;

// numpy's public memory handler (NEP 49), as its C headers declare it: a capsule named
// "mem_handler" with this struct. Declared here so that a build needs no numpy.
struct Allocator {
  void* context;
  void* (*malloc)(void* context, std::size_t size);
  void* (*calloc)(void* context, std::size_t count, std::size_t size);
  void* (*realloc)(void* context, void* data, std::size_t size);
  void (*free)(void* context, void* data, std::size_t size);
};
struct Handler {
  char name[127];
  std::uint8_t version;
  Allocator allocator;
};
// Places in numpy's table of C functions, fixed since 1.22.
constexpr int kSetHandler = 304;
constexpr int kGetHandler = 305;

constexpr std::size_t kSharedBytes = 1 << 20;

// numpy's own functions, for everything small. Set once, under the interpreter lock.
Allocator usual;

void* shared_malloc(void*, std::size_t size) {
  void* const data = size >= kSharedBytes
                         ? SharedArena::instance().allocate_raw(static_cast<std::int64_t>(size))
                         : nullptr;
  return data != nullptr ? data : usual.malloc(usual.context, size);
}

void* shared_calloc(void*, std::size_t count, std::size_t size) {
  if (size != 0 && count >= kSharedBytes / size + 1 && count <= PTRDIFF_MAX / size) {
    void* const data =
        SharedArena::instance().allocate_raw(static_cast<std::int64_t>(count * size));
    if (data != nullptr) {
      return std::memset(data, 0, count * size);
    }
  }
  return usual.calloc(usual.context, count, size);
}

void shared_free(void*, void* data, std::size_t size) {
  // By address, not by size: an array may have been made smaller, or before this handler.
  if (SharedArena::instance().owns(data)) {
    SharedArena::instance().free_raw(data);
  } else {
    usual.free(usual.context, data, size);
  }
}

void* shared_realloc(void*, void* data, std::size_t size) {
  const auto held = static_cast<std::size_t>(SharedArena::instance().size_raw(data));
  if (held == 0) {
    return usual.realloc(usual.context, data, size);
  }
  void* const moved = shared_malloc(nullptr, size);
  if (moved != nullptr) {
    std::memcpy(moved, data, std::min(held, size));
    SharedArena::instance().free_raw(data);
  }
  return moved;
}

Handler handler{"penstock_shared_memory",
                1,
                {nullptr, shared_malloc, shared_calloc, shared_realloc, shared_free}};

}  // namespace

void share_numpy_memory() {
  nb::object umath;
  try {
    umath = nb::module_::import_("numpy._core._multiarray_umath");
  } catch (const nb::python_error&) {
    umath = nb::module_::import_("numpy.core._multiarray_umath");  // numpy 1
  }
  const nb::object table = umath.attr("_ARRAY_API");
  auto** const functions = static_cast<void**>(PyCapsule_GetPointer(table.ptr(), nullptr));
  if (functions == nullptr) {
    throw nb::python_error();
  }
  const auto set = reinterpret_cast<PyObject* (*)(PyObject*)>(functions[kSetHandler]);
  const auto get = reinterpret_cast<PyObject* (*)()>(functions[kGetHandler]);
  const nb::object present = nb::steal(get());
  const auto* const before =
      static_cast<const Handler*>(PyCapsule_GetPointer(present.ptr(), "mem_handler"));
  if (before == nullptr) {
    throw nb::python_error();
  }
  if (before == &handler) {
    return;
  }
  usual = before->allocator;
  const nb::object ours = nb::steal(PyCapsule_New(&handler, "mem_handler", nullptr));
  const nb::object old = nb::steal(set(ours.ptr()));
  if (!old.is_valid()) {
    throw nb::python_error();
  }
}

}  // namespace penstock::bindings
