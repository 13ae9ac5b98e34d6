// numpy's arrays through its C functions, found at run time: a build needs no numpy.
//
// All functions need the interpreter lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <Python.h>

#include "penstock/core/tensor.h"

namespace penstock::bindings {

/// What an object says of itself when it is exactly a numpy.ndarray. Borrowed.
class PlainArray {
 public:
  explicit PlainArray(PyObject* object);

  /// Elements that have a dtype of ours, in C order, aligned, in this machine's byte order.
  bool is_plain() const { return is_plain_; }
  core::DType dtype() const { return dtype_; }
  std::span<const std::int64_t> shape() const { return shape_; }
  std::span<const std::byte> data() const { return data_; }

 private:
  bool is_plain_ = false;
  core::DType dtype_{};
  std::span<const std::int64_t> shape_;
  std::span<const std::byte> data_;
};

/// Can numpy make an array of so many dimensions, all within Py_ssize_t?
inline constexpr std::size_t kMaxArrayDimensions = 32;

/// A read-only array over `data`, which `owner` keeps alive; null `owner`: `data` is copied. A new
/// reference, or null with a Python error set. At least one dimension, kMaxArrayDimensions at most.
PyObject* make_array(core::DType dtype, std::span<const std::int64_t> shape,
                     std::span<const std::byte> data, PyObject* owner);

}  // namespace penstock::bindings
