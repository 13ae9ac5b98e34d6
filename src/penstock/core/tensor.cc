#include "penstock/core/tensor.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "penstock/base/buffer_pool.h"

namespace penstock::core {
namespace {

struct DTypeRow {
  std::string_view name;
  std::int64_t size_bytes;
};
constexpr DTypeRow kDTypes[] = {
    {"bool", 1},    {"int8", 1},    {"int16", 2},     {"int32", 4},       {"int64", 8},
    {"uint8", 1},   {"uint16", 2},  {"uint32", 4},    {"uint64", 8},      {"float16", 2},
    {"float32", 4}, {"float64", 8}, {"complex64", 8}, {"complex128", 16},
};

class PooledBuffer final : public Buffer {
 public:
  explicit PooledBuffer(std::int64_t size)
      : Buffer(base::BufferPool::shared().acquire(static_cast<std::size_t>(size)), size) {
    if (data() == nullptr) {
      throw std::bad_alloc();  // as operator new does
    }
  }
  ~PooledBuffer() override {
    base::BufferPool::shared().release(mutable_data(), static_cast<std::size_t>(size_bytes()));
  }
};

class WrappedBuffer final : public Buffer {
 public:
  WrappedBuffer(const void* data, std::int64_t size, std::function<void()> release)
      : Buffer(static_cast<std::byte*>(const_cast<void*>(data)), size),
        release_(std::move(release)) {}
  ~WrappedBuffer() override {
    if (release_) {
      release_();
    }
  }

 private:
  std::function<void()> release_;
};

base::Result<std::int64_t> count_elements(const std::vector<std::int64_t>& shape) {
  std::int64_t count = 1;
  bool empty = false;
  for (const std::int64_t extent : shape) {
    if (extent < 0) {
      return base::fail(base::ErrorCode::kInvalidArgument,
                        "tensor shape has a negative extent: extent=" + std::to_string(extent));
    }
    empty = empty || extent == 0;
  }
  if (empty) {
    return 0;
  }
  for (const std::int64_t extent : shape) {
    if (__builtin_mul_overflow(count, extent, &count)) {
      return base::fail(base::ErrorCode::kInvalidArgument,
                        "tensor shape overflows 64 bits: extent=" + std::to_string(extent));
    }
  }
  return count;
}

// Strides of a packed array in C order; the caller knows that the products fit 64 bits.
std::vector<std::int64_t> packed_strides(const std::vector<std::int64_t>& shape,
                                         std::int64_t item_bytes) {
  std::vector<std::int64_t> strides(shape.size());
  std::int64_t step = item_bytes;
  for (std::size_t i = shape.size(); i-- > 0;) {
    strides[i] = step;
    step *= std::max<std::int64_t>(shape[i], 1);
  }
  return strides;
}

// Strides of extents 0 and 1 are never used, so they do not matter.
bool is_packed(const std::vector<std::int64_t>& shape, const std::vector<std::int64_t>& strides,
               std::int64_t item_bytes) {
  std::int64_t step = item_bytes;
  for (std::size_t i = shape.size(); i-- > 0;) {
    if (shape[i] != 1 && strides[i] != step) {
      return false;
    }
    step *= shape[i];
  }
  return true;
}

base::Status check_bounds(const std::vector<std::int64_t>& shape,
                          const std::vector<std::int64_t>& strides, std::int64_t item_bytes,
                          std::int64_t offset, std::int64_t buffer_bytes) {
  std::int64_t low = offset;
  std::int64_t high = offset;
  bool overflow = false;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    std::int64_t reach = 0;
    overflow |= __builtin_mul_overflow(shape[i] - 1, strides[i], &reach);
    std::int64_t& side = reach < 0 ? low : high;
    overflow |= __builtin_add_overflow(side, reach, &side);
  }
  overflow |= __builtin_add_overflow(high, item_bytes, &high);
  if (overflow || low < 0 || high > buffer_bytes) {
    return base::fail(base::ErrorCode::kInvalidArgument,
                      "tensor reaches outside its buffer: first_byte=" + std::to_string(low) +
                          " end_byte=" + std::to_string(high) +
                          " buffer_bytes=" + std::to_string(buffer_bytes));
  }
  return {};
}

// Copies the elements of dimension `axis` and below to `out`, packed; returns the end.
std::byte* pack(const Tensor& tensor, std::size_t axis, const std::byte* from, std::byte* out) {
  const std::int64_t item = size_bytes(tensor.dtype());
  if (axis == tensor.shape().size()) {
    std::memcpy(out, from, static_cast<std::size_t>(item));
    return out + item;
  }
  const std::int64_t extent = tensor.shape()[axis];
  const std::int64_t stride = tensor.strides()[axis];
  if (axis + 1 == tensor.shape().size() && stride == item) {
    const std::int64_t bytes = extent * item;
    std::memcpy(out, from, static_cast<std::size_t>(bytes));
    return out + bytes;
  }
  for (std::int64_t i = 0; i < extent; ++i) {
    out = pack(tensor, axis + 1, from + i * stride, out);
  }
  return out;
}

}  // namespace

std::string_view to_string(DType dtype) {
  return kDTypes[static_cast<std::size_t>(dtype)].name;
}

base::Result<DType> parse_dtype(std::string_view name) {
  for (std::size_t i = 0; i < std::size(kDTypes); ++i) {
    if (kDTypes[i].name == name) {
      return static_cast<DType>(i);
    }
  }
  return base::fail(base::ErrorCode::kInvalidArgument,
                    "unknown dtype (wanted bool, int8 .. uint64, float16 .. float64, complex64 or "
                    "complex128): dtype=" +
                        std::string(name));
}

std::int64_t size_bytes(DType dtype) {
  return kDTypes[static_cast<std::size_t>(dtype)].size_bytes;
}

std::shared_ptr<Buffer> Buffer::allocate(std::int64_t size_bytes) {
  PENSTOCK_CHECK(size_bytes >= 0);
  return std::make_shared<PooledBuffer>(size_bytes);
}

std::shared_ptr<Buffer> Buffer::wrap(const void* data, std::int64_t size_bytes,
                                     std::function<void()> release) {
  PENSTOCK_CHECK(size_bytes >= 0);
  try {
    return std::make_shared<WrappedBuffer>(data, size_bytes, std::move(release));
  } catch (const std::bad_alloc&) {
    // Not made, so not moved from: who gave the memory away has nobody else to let go of it.
    if (release) {
      release();
    }
    throw;
  }
}

Buffer::~Buffer() = default;

base::Result<std::shared_ptr<const Tensor>> Tensor::create(DType dtype,
                                                           std::vector<std::int64_t> shape,
                                                           std::vector<std::int64_t> strides,
                                                           std::shared_ptr<const Buffer> buffer,
                                                           std::int64_t offset_bytes) {
  if (buffer == nullptr || shape.size() != strides.size()) {
    return base::fail(base::ErrorCode::kInvalidArgument,
                      "tensor needs a buffer and one stride per dimension: num_dimensions=" +
                          std::to_string(shape.size()) +
                          " num_strides=" + std::to_string(strides.size()));
  }
  PENSTOCK_ASSIGN_OR_RETURN(const std::int64_t count, count_elements(shape));
  const std::int64_t item = core::size_bytes(dtype);
  std::int64_t total = 0;
  if (__builtin_mul_overflow(count, item, &total)) {
    return base::fail(base::ErrorCode::kInvalidArgument,
                      "tensor size overflows 64 bits: num_elements=" + std::to_string(count));
  }
  if (offset_bytes < 0 || offset_bytes > buffer->size_bytes()) {
    return base::fail(
        base::ErrorCode::kInvalidArgument,
        "tensor starts outside its buffer: offset_bytes=" + std::to_string(offset_bytes) +
            " buffer_bytes=" + std::to_string(buffer->size_bytes()));
  }
  if (count > 0) {
    PENSTOCK_RETURN_IF_ERROR(
        check_bounds(shape, strides, item, offset_bytes, buffer->size_bytes()));
  }
  std::shared_ptr<Tensor> tensor(new Tensor());
  tensor->dtype_ = dtype;
  tensor->contiguous_ = count == 0 || is_packed(shape, strides, item);
  tensor->shape_ = std::move(shape);
  tensor->strides_ = std::move(strides);
  tensor->num_elements_ = count;
  tensor->offset_bytes_ = offset_bytes;
  tensor->buffer_ = std::move(buffer);
  return std::shared_ptr<const Tensor>(std::move(tensor));
}

base::Result<std::shared_ptr<const Tensor>> Tensor::create_contiguous(
    DType dtype, std::vector<std::int64_t> shape, std::shared_ptr<const Buffer> buffer) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::int64_t count, count_elements(shape));
  const std::int64_t item = core::size_bytes(dtype);
  std::int64_t wanted = 0;
  const bool overflow = __builtin_mul_overflow(count, item, &wanted);
  if (buffer == nullptr || overflow || wanted != buffer->size_bytes()) {
    return base::fail(base::ErrorCode::kInvalidArgument,
                      "buffer size differs from the tensor's: buffer_bytes=" +
                          std::to_string(buffer == nullptr ? 0 : buffer->size_bytes()) +
                          " num_elements=" + std::to_string(count) +
                          " dtype=" + std::string(to_string(dtype)));
  }
  if (count == 0) {
    // Strides of an empty tensor must not overflow either: extents may be huge beside the zero.
    std::vector<std::int64_t> strides(shape.size(), item);
    return create(dtype, std::move(shape), std::move(strides), std::move(buffer));
  }
  std::vector<std::int64_t> strides = packed_strides(shape, item);
  return create(dtype, std::move(shape), std::move(strides), std::move(buffer));
}

std::int64_t Tensor::size_bytes() const {
  return num_elements_ * core::size_bytes(dtype_);
}

std::shared_ptr<const Tensor> Tensor::contiguous() const {
  std::shared_ptr<Tensor> packed(new Tensor());
  packed->dtype_ = dtype_;
  packed->shape_ = shape_;
  packed->num_elements_ = num_elements_;
  if (contiguous_) {
    packed->strides_ = strides_;
    packed->offset_bytes_ = offset_bytes_;
    packed->buffer_ = buffer_;
    return packed;
  }
  packed->strides_ = packed_strides(shape_, core::size_bytes(dtype_));
  std::shared_ptr<Buffer> memory = Buffer::allocate(size_bytes());
  pack(*this, 0, data(), memory->mutable_data());
  packed->buffer_ = std::move(memory);
  return packed;
}

bool equal(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || a.shape() != b.shape()) {
    return false;
  }
  const std::shared_ptr<const Tensor> left = a.contiguous();
  const std::shared_ptr<const Tensor> right = b.contiguous();
  return std::memcmp(left->data(), right->data(), static_cast<std::size_t>(a.size_bytes())) == 0;
}

}  // namespace penstock::core
