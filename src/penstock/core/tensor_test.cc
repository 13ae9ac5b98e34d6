#include "penstock/core/tensor.h"

#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock::core {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::shared_ptr<Buffer> counting_buffer(std::int32_t num_items) {
  std::shared_ptr<Buffer> buffer = Buffer::allocate(num_items * 4);
  auto* items = reinterpret_cast<std::int32_t*>(buffer->mutable_data());
  std::iota(items, items + num_items, 0);
  return buffer;
}

std::vector<std::int32_t> items_of(const Tensor& tensor) {
  const std::shared_ptr<const Tensor> packed = tensor.contiguous();
  std::vector<std::int32_t> items(static_cast<std::size_t>(packed->num_elements()));
  std::memcpy(items.data(), packed->data(), items.size() * 4);
  return items;
}

TEST(BufferTest, IsAlignedAtAnySize) {
  for (const std::int64_t size : {std::int64_t{0}, std::int64_t{1}, std::int64_t{5 << 20}}) {
    const std::shared_ptr<Buffer> buffer = Buffer::allocate(size);
    EXPECT_EQ(buffer->size_bytes(), size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer->data()) % 64, 0u);
  }
}

TEST(BufferTest, WrapReleasesOnceAtTheEnd) {
  int released = 0;
  const char memory[4] = {};
  {
    const std::shared_ptr<Buffer> buffer = Buffer::wrap(memory, 4, [&] { ++released; });
    const std::shared_ptr<const Buffer> second = buffer;
    EXPECT_EQ(static_cast<const void*>(second->data()), memory);
    EXPECT_EQ(released, 0);
  }
  EXPECT_EQ(released, 1);
}

TEST(DTypeTest, NamesRoundTrip) {
  for (int i = 0; i <= static_cast<int>(DType::kComplex128); ++i) {
    const auto dtype = static_cast<DType>(i);
    const base::Result<DType> parsed = parse_dtype(to_string(dtype));
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(*parsed, dtype);
  }
  EXPECT_EQ(size_bytes(DType::kComplex128), 16);
  const base::Result<DType> unknown = parse_dtype("float80");
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().code(), base::ErrorCode::kInvalidArgument);
  EXPECT_THAT(unknown.error().message(), HasSubstr("dtype=float80"));
}

TEST(TensorTest, ContiguousKeepsTheAddress) {
  const auto buffer = counting_buffer(6);
  const auto tensor = Tensor::create_contiguous(DType::kInt32, {2, 3}, buffer);
  ASSERT_TRUE(tensor.has_value());
  EXPECT_TRUE((*tensor)->is_contiguous());
  EXPECT_THAT((*tensor)->strides(), ElementsAre(12, 4));
  EXPECT_EQ((*tensor)->contiguous()->data(), buffer->data());
}

TEST(TensorTest, PacksTransposedReversedAndBroadcastViews) {
  const auto buffer = counting_buffer(6);
  const auto transposed = Tensor::create(DType::kInt32, {3, 2}, {4, 12}, buffer);
  ASSERT_TRUE(transposed.has_value());
  EXPECT_FALSE((*transposed)->is_contiguous());
  EXPECT_THAT(items_of(**transposed), ElementsAre(0, 3, 1, 4, 2, 5));
  const auto reversed = Tensor::create(DType::kInt32, {3}, {-8}, buffer, 16);
  ASSERT_TRUE(reversed.has_value());
  EXPECT_THAT(items_of(**reversed), ElementsAre(4, 2, 0));
  const auto repeated = Tensor::create(DType::kInt32, {2, 2}, {0, 4}, buffer, 4);
  ASSERT_TRUE(repeated.has_value());
  EXPECT_THAT(items_of(**repeated), ElementsAre(1, 2, 1, 2));
}

TEST(TensorTest, ScalarAndEmptyShapes) {
  const auto scalar = Tensor::create_contiguous(DType::kInt32, {}, counting_buffer(1));
  ASSERT_TRUE(scalar.has_value());
  EXPECT_EQ((*scalar)->num_elements(), 1);
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  const auto empty = Tensor::create_contiguous(DType::kInt32, {huge, huge, 0}, Buffer::allocate(0));
  ASSERT_TRUE(empty.has_value());
  EXPECT_EQ((*empty)->num_elements(), 0);
  EXPECT_TRUE((*empty)->is_contiguous());
}

TEST(TensorTest, RefusesWhatReachesOutsideTheBuffer) {
  const auto buffer = counting_buffer(6);
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  struct Case {
    std::vector<std::int64_t> shape, strides;
    std::int64_t offset;
  };
  const Case cases[] = {
      {{7}, {4}, 0},  {{6}, {4}, 4},    {{2}, {-4}, 0},   {{1}, {4}, -1},
      {{1}, {4}, 25}, {{huge}, {4}, 0}, {{2}, {huge}, 0}, {{huge, huge}, {0, 0}, 0},
      {{-1}, {4}, 0}, {{2, 2}, {4}, 0}, {{0}, {4}, 25},   {{3, 3}, {huge, huge}, 0},
  };
  for (const Case& c : cases) {
    const auto tensor = Tensor::create(DType::kInt32, c.shape, c.strides, buffer, c.offset);
    ASSERT_FALSE(tensor.has_value()) << testing::PrintToString(c.shape);
    EXPECT_EQ(tensor.error().code(), base::ErrorCode::kInvalidArgument);
  }
  EXPECT_FALSE(Tensor::create_contiguous(DType::kInt32, {5}, buffer).has_value());
}

TEST(TensorTest, EqualityIsByLogicalOrder) {
  const auto buffer = counting_buffer(4);
  const auto plain = Tensor::create(DType::kInt32, {2}, {4}, buffer, 4);
  const auto strided = Tensor::create(DType::kInt32, {2}, {8}, buffer, 0);
  const auto reversed = Tensor::create(DType::kInt32, {2}, {-4}, buffer, 8);
  const auto same = Tensor::create(DType::kInt32, {2}, {-4}, buffer, 4);
  ASSERT_TRUE(plain.has_value() && strided.has_value() && reversed.has_value() && same.has_value());
  EXPECT_TRUE(equal(**plain, **plain));
  EXPECT_FALSE(equal(**plain, **strided));
  EXPECT_FALSE(equal(**plain, **reversed));
  const auto other_type = Tensor::create(DType::kFloat32, {2}, {4}, buffer, 4);
  ASSERT_TRUE(other_type.has_value());
  EXPECT_FALSE(equal(**plain, **other_type));
}

}  // namespace
}  // namespace penstock::core
