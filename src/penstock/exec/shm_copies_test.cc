#include "penstock/exec/shm_copies.h"

#include <cstdint>
#include <memory>
#include <span>

#include <gtest/gtest.h>

namespace penstock::exec {
namespace {

using core::Buffer;

std::span<const std::byte> bytes_of(const std::shared_ptr<Buffer>& buffer) {
  return {buffer->data(), static_cast<std::size_t>(buffer->size_bytes())};
}

class CopyCacheTest : public testing::Test {
 protected:
  static constexpr std::int64_t kLimit = 100;

  // A buffer of which the cache holds a copy, if there is room.
  std::shared_ptr<Buffer> add(std::int64_t size_bytes) {
    std::shared_ptr<Buffer> original = Buffer::allocate(size_bytes);
    cache_.add(original, bytes_of(original), Buffer::allocate(size_bytes));
    return original;
  }
  bool holds(const std::shared_ptr<Buffer>& original) {
    return cache_.find(bytes_of(original)) != nullptr;
  }

  CopyCache cache_{kLimit};
};

TEST_F(CopyCacheTest, KnowsExactlyTheBytesThatWereCopied) {
  const std::shared_ptr<Buffer> original = Buffer::allocate(10);
  const std::shared_ptr<Buffer> copy = Buffer::allocate(10);
  cache_.add(original, bytes_of(original), copy);
  EXPECT_EQ(cache_.find(bytes_of(original)), copy);
  EXPECT_EQ(cache_.find(bytes_of(original).first(9)), nullptr);
  EXPECT_EQ(cache_.find(bytes_of(original).subspan(1)), nullptr);
  // The first copy stays.
  cache_.add(original, bytes_of(original), Buffer::allocate(10));
  EXPECT_EQ(cache_.find(bytes_of(original)), copy);
}

TEST_F(CopyCacheTest, TheOldestGoesWhenThereIsNoRoom) {
  const auto first = add(40);
  const auto second = add(60);
  EXPECT_TRUE(holds(first));
  EXPECT_TRUE(holds(second));
  const auto third = add(40);
  EXPECT_FALSE(holds(first));
  EXPECT_TRUE(holds(second));
  EXPECT_TRUE(holds(third));
}

TEST_F(CopyCacheTest, WhatIsLargerThanTheLimitIsNotHeld) {
  const auto small = add(1);
  EXPECT_FALSE(holds(add(kLimit + 1)));
  EXPECT_TRUE(holds(small));
  const auto whole = add(kLimit);
  EXPECT_TRUE(holds(whole));
  EXPECT_FALSE(holds(small));
}

TEST_F(CopyCacheTest, HasAllItsRoomAgainOnceItIsCleared) {
  const auto before = add(kLimit);
  cache_.clear();
  EXPECT_FALSE(holds(before));
  EXPECT_TRUE(holds(add(kLimit)));
  EXPECT_EQ(before.use_count(), 1);
}

}  // namespace
}  // namespace penstock::exec
