// Tensor: dtype, shape, strides and a shared buffer; n-dimensional, any strides.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "penstock/base/result.h"

namespace penstock::core {

/// Element types; the names are numpy's.
enum class DType : std::uint8_t {
  kBool,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUInt8,
  kUInt16,
  kUInt32,
  kUInt64,
  kFloat16,
  kFloat32,
  kFloat64,
  kComplex64,
  kComplex128,
};

std::string_view to_string(DType dtype);  ///< "float64"
base::Result<DType> parse_dtype(std::string_view name);
std::int64_t size_bytes(DType dtype);  ///< bytes per element

/// Memory with an owner. Immutable once shared; `release` runs when the last user lets go.
class Buffer {
 public:
  /// Uninitialised memory of the shared base::BufferPool: 64-byte aligned, used again.
  static std::shared_ptr<Buffer> allocate(std::int64_t size_bytes);
  /// Somebody else's memory, kept alive until `release` has run (on any thread).
  static std::shared_ptr<Buffer> wrap(const void* data, std::int64_t size_bytes,
                                      std::function<void()> release);

  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  virtual ~Buffer();

  const std::byte* data() const { return data_; }
  std::byte* mutable_data() { return data_; }  ///< Only before the buffer is shared.
  std::int64_t size_bytes() const { return size_bytes_; }

 protected:
  Buffer(std::byte* data, std::int64_t size_bytes) : data_(data), size_bytes_(size_bytes) {}

 private:
  std::byte* data_;
  std::int64_t size_bytes_;
};

/// Immutable view of a buffer as an n-dimensional array.
class Tensor {
 public:
  /// Checks that every element lies inside the buffer. `strides` in bytes, may be negative or 0;
  /// `offset_bytes` is where element (0, ..., 0) starts. kInvalidArgument otherwise.
  static base::Result<std::shared_ptr<const Tensor>> create(DType dtype,
                                                            std::vector<std::int64_t> shape,
                                                            std::vector<std::int64_t> strides,
                                                            std::shared_ptr<const Buffer> buffer,
                                                            std::int64_t offset_bytes = 0);
  /// C-contiguous tensor over the whole buffer; the size must match exactly.
  static base::Result<std::shared_ptr<const Tensor>> create_contiguous(
      DType dtype, std::vector<std::int64_t> shape, std::shared_ptr<const Buffer> buffer);

  DType dtype() const { return dtype_; }
  const std::vector<std::int64_t>& shape() const { return shape_; }
  const std::vector<std::int64_t>& strides() const { return strides_; }  ///< bytes
  std::int64_t num_elements() const { return num_elements_; }
  std::int64_t size_bytes() const;  ///< num_elements * element size
  bool is_contiguous() const { return contiguous_; }
  const std::byte* data() const { return buffer_->data() + offset_bytes_; }
  const std::shared_ptr<const Buffer>& buffer() const { return buffer_; }

  /// This tensor when C-contiguous, else a packed copy.
  std::shared_ptr<const Tensor> contiguous() const;

 private:
  Tensor() = default;

  DType dtype_ = DType::kFloat64;
  bool contiguous_ = true;
  std::vector<std::int64_t> shape_, strides_;
  std::int64_t num_elements_ = 0, offset_bytes_ = 0;
  std::shared_ptr<const Buffer> buffer_;
};

/// Same dtype, shape and bytes (in logical order).
bool equal(const Tensor& a, const Tensor& b);

}  // namespace penstock::core
