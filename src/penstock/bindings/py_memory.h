// Memory shown to Python as memoryviews: of the buffer pool, or of somebody who owns it.
//
// All functions need the interpreter lock.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <utility>

#include <Python.h>

#include "penstock/base/buffer_pool.h"
#include "penstock/core/tensor.h"

namespace penstock::bindings {

/// A buffer of base::BufferPool::shared() on its way to Python; goes back when it does not get
/// there.
class PooledMemory {
 public:
  explicit PooledMemory(std::size_t size)
      : PooledMemory(base::BufferPool::shared().acquire(size), size) {}
  /// Takes over a buffer of the pool.
  PooledMemory(std::byte* data, std::size_t capacity) : data_(data), capacity_(capacity) {}
  PooledMemory(const PooledMemory&) = delete;
  PooledMemory& operator=(const PooledMemory&) = delete;
  ~PooledMemory() { base::BufferPool::shared().release(data_, capacity_); }

  explicit operator bool() const { return data_ != nullptr; }
  std::byte* data() { return data_; }
  /// A read-only memoryview of the first `size` bytes; the memory goes back to the pool with the
  /// last view of it. Null with a Python error set.
  PyObject* show(std::size_t size);

 private:
  std::byte* data_;
  const std::size_t capacity_;
};

/// A read-only memoryview of `data`, which the view keeps alive. Null with a Python error set.
PyObject* show_memory(std::span<const std::byte> data, PyObject* owner);
PyObject* show_memory(std::span<const std::byte> data, std::shared_ptr<const core::Buffer> owner);

/// A memoryview of a contiguous buffer; null with a Python error set.
PyObject* contiguous_view(PyObject* object);
/// What such a view shows.
std::span<const std::byte> bytes_of_view(PyObject* view);

}  // namespace penstock::bindings
