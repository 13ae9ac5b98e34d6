#include "penstock/exec/shm_arena.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "penstock/exec/shm_exchange.h"
#include "penstock/exec/shm_space.h"
#include "penstock/exec/shm_stream.h"

namespace penstock::exec {
namespace {

// Model: live blocks as intervals; no two overlap, and with none left everything fits again.
TEST(FreeSpaceTest, RandomUseKeepsBlocksApart) {
  constexpr std::int64_t kSize = 16 << 20;
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    FreeSpace space(kSize);
    std::map<std::int64_t, std::int64_t> live;
    for (int step = 0; step < 2000; ++step) {
      if (random() % 2 == 0 || live.empty()) {
        const std::int64_t size = 1 + static_cast<std::int64_t>(random() % (2 << 20));
        const auto offset = space.allocate(size);
        if (!offset) {
          continue;
        }
        const auto next = live.lower_bound(*offset);
        ASSERT_TRUE(next == live.end() || *offset + size <= next->first) << "seed " << seed;
        ASSERT_TRUE(next == live.begin() ||
                    std::prev(next)->first + std::prev(next)->second <= *offset);
        ASSERT_LE(*offset + size, kSize);
        live[*offset] = size;
      } else {
        const auto victim =
            std::next(live.begin(), static_cast<std::ptrdiff_t>(random() % live.size()));
        ASSERT_TRUE(space.release(victim->first));
        live.erase(victim);
      }
    }
    for (const auto& [offset, size] : live) {
      ASSERT_TRUE(space.release(offset));
    }
    EXPECT_TRUE(space.is_empty());
    EXPECT_EQ(space.used_bytes(), 0);
    EXPECT_EQ(space.allocate(kSize), 0);
  }
}

TEST(FreeSpaceTest, RetainKeepsABlockAndFindsItFromInside) {
  FreeSpace space(1 << 20);
  const std::int64_t block = *space.allocate(10'000);
  EXPECT_EQ(space.retain(block + 5000, 100), block);
  EXPECT_EQ(space.retain(block + 12'288, 1), std::nullopt);
  EXPECT_EQ(space.retain(block + 12'000, 1000), std::nullopt);
  EXPECT_FALSE(space.release(block));
  EXPECT_EQ(space.block_size(block), 12'288);
  EXPECT_TRUE(space.release(block));
  EXPECT_EQ(space.block_size(block), 0);
}

TEST(SharedArenaTest, MemoryIsUsedAgain) {
  SharedArena& arena = SharedArena::instance();
  const std::byte* first = nullptr;
  {
    auto buffer = arena.allocate(5 << 20);
    ASSERT_TRUE(buffer.has_value());
    first = (*buffer)->data();
    std::memset((*buffer)->mutable_data(), 1, 5 << 20);
  }
  const auto segments = arena.stats().segments;
  auto again = arena.allocate(5 << 20);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ((*again)->data(), first);
  EXPECT_EQ(arena.stats().segments, segments);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first) % 4096, 0U);
}

TEST(SharedArenaTest, LargerThanASegmentGetsItsOwn) {
  auto buffer = SharedArena::instance().allocate(100 << 20);
  ASSERT_TRUE(buffer.has_value());
  (*buffer)->mutable_data()[(100 << 20) - 1] = std::byte{1};
  EXPECT_TRUE(SharedArena::instance().owns((*buffer)->data()));
}

TEST(SharedArenaTest, RawBlocksStayWhileAdopted) {
  SharedArena& arena = SharedArena::instance();
  const auto used = arena.stats().used_bytes;
  auto* const data = static_cast<std::byte*>(arena.allocate_raw(100'000));
  ASSERT_NE(data, nullptr);
  EXPECT_GE(arena.size_raw(data), 100'000);
  const auto segment = SegmentTable::instance().find(data, 100'000);
  ASSERT_NE(segment, nullptr);
  auto view = arena.adopt(segment->id(), data - segment->base() + 64, 1000);
  ASSERT_NE(view, nullptr);
  EXPECT_EQ(view->data(), data + 64);
  arena.free_raw(data);
  EXPECT_GT(arena.stats().used_bytes, used);
  EXPECT_GT(arena.size_raw(data), 0);
  view.reset();
  EXPECT_EQ(arena.stats().used_bytes, used);
  EXPECT_EQ(arena.adopt(segment->id(), data - segment->base(), 1), nullptr);
}

TEST(SharedArenaTest, ThreadsShareIt) {
  const auto used = SharedArena::instance().stats().used_bytes;
  auto work = [](unsigned seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < 500; ++i) {
      auto buffer =
          SharedArena::instance().allocate(1 + static_cast<std::int64_t>(random() % 100'000));
      if (buffer.has_value()) {
        (*buffer)->mutable_data()[0] = std::byte{2};
      }
    }
  };
  std::thread other(work, 1);
  work(2);
  other.join();
  EXPECT_EQ(SharedArena::instance().stats().used_bytes, used);
}

TEST(SharedArenaTest, AForkedChildWritesToItsOwnCopy) {
  auto buffer = SharedArena::instance().allocate(100'000);
  ASSERT_TRUE(buffer.has_value());
  (*buffer)->mutable_data()[0] = std::byte{1};
  const pid_t child = ::fork();
  if (child == 0) {
    const bool saw = (*buffer)->data()[0] == std::byte{1};
    (*buffer)->mutable_data()[0] = std::byte{2};
    const bool refused = !SharedArena::instance().allocate(1).has_value();
    const bool unknown = SegmentTable::instance().find((*buffer)->data(), 1) == nullptr;
    ::_exit(saw && refused && unknown ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ((*buffer)->data()[0], std::byte{1});
}

TEST(BufferExchangeTest, OwnMemoryComesBackAtTheSameAddress) {
  auto pair = ChannelSocket::make_pair();
  ASSERT_TRUE(pair.has_value());
  ChannelSocket left(std::move(pair->first)), right(std::move(pair->second));
  BufferExchange lender(&left), borrower(&right);
  auto buffer = SharedArena::instance().allocate(50'000);
  ASSERT_TRUE(buffer.has_value());
  const auto bytes = std::span<const std::byte>((*buffer)->data(), 40'000).subspan(100);
  const auto ref = lender.lend(*buffer, bytes);
  ASSERT_TRUE(ref.has_value());
  EXPECT_EQ(lender.num_lent(), 1U);
  auto view = borrower.borrow(*ref);
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ((*view)->data(), bytes.data());
  std::vector<std::uint64_t> loans;
  ASSERT_TRUE(borrower.take_returned(loans));
  ASSERT_TRUE(lender.give_back(loans).has_value());
  EXPECT_EQ(lender.num_lent(), 0U);
}

TEST(BufferExchangeTest, OtherMemoryIsCopiedAndCancelledLoansAreForgotten) {
  auto pair = ChannelSocket::make_pair();
  ASSERT_TRUE(pair.has_value());
  ChannelSocket left(std::move(pair->first));
  BufferExchange lender(&left);
  const auto used = SharedArena::instance().stats().used_bytes;
  auto buffer = core::Buffer::allocate(50'000);
  const std::uint64_t mark = lender.loan_mark();
  const auto ref = lender.lend(buffer, {buffer->data(), 50'000});
  ASSERT_TRUE(ref.has_value());
  EXPECT_GT(SharedArena::instance().stats().used_bytes, used);
  lender.cancel_loans(mark);
  EXPECT_EQ(SharedArena::instance().stats().used_bytes, used);
}

TEST(BufferExchangeTest, RefusesWhatCannotBeTrue) {
  auto pair = ChannelSocket::make_pair();
  ASSERT_TRUE(pair.has_value());
  ChannelSocket left(std::move(pair->first));
  BufferExchange exchange(&left);
  EXPECT_EQ(exchange.borrow({.segment = 1, .offset = 0, .size_bytes = 1}).error().code(),
            base::ErrorCode::kUnavailable);
  const std::uint64_t never = 77;
  EXPECT_EQ(exchange.give_back({&never, 1}).error().code(), base::ErrorCode::kDataLoss);
}

TEST(BufferExchangeTest, RefusesABufferOutsideItsSegment) {
  constexpr std::int64_t kSize = 1 << 16;
  auto pair = ChannelSocket::make_pair();
  ASSERT_TRUE(pair.has_value());
  ChannelSocket left(std::move(pair->first)), right(std::move(pair->second));
  const auto segment = Segment::create(kSize);
  ASSERT_TRUE(segment.has_value());
  // An id of no segment of ours, as that of another process is.
  const SegmentId id = (*segment)->id() + 1'000'000;
  ASSERT_TRUE(left.send_segment({.id = id, .size_bytes = kSize}, (*segment)->fd()).has_value());
  BufferExchange exchange(&right);
  const auto borrow = [&](std::int64_t offset, std::int64_t size_bytes) {
    return exchange.borrow({.segment = id, .offset = offset, .size_bytes = size_bytes});
  };
  EXPECT_TRUE(borrow(0, kSize).has_value());
  EXPECT_TRUE(borrow(kSize - 1, 1).has_value());
  EXPECT_TRUE(borrow(kSize, 0).has_value());
  for (const auto& [offset, size] :
       {std::pair(std::int64_t{1}, kSize), std::pair(kSize, std::int64_t{1}),
        std::pair(kSize + 1, std::int64_t{0}), std::pair(std::int64_t{-1}, std::int64_t{1}),
        std::pair(std::int64_t{0}, std::int64_t{-1}),
        std::pair(std::int64_t{1}, std::int64_t{INT64_MAX})}) {
    const auto refused = borrow(offset, size);
    ASSERT_FALSE(refused.has_value()) << offset << " " << size;
    EXPECT_EQ(refused.error().code(), base::ErrorCode::kDataLoss);
  }
}

TEST(StreamCopyTest, CopiesWhatMemcpyCopiesAndNothingElse) {
  std::mt19937_64 random(std::random_device{}());
  std::vector<std::byte> from(20 << 20);
  for (std::size_t i = 0; i < from.size(); ++i) {
    from[i] = static_cast<std::byte>(i * 2654435761U >> 11);
  }
  for (const std::size_t most : {100UL, 70'000UL, 2UL << 20, 18UL << 20}) {
    for (int round = 0; round < 6; ++round) {
      const std::size_t size = random() % most, skip = random() % 200, gap = random() % 200;
      SCOPED_TRACE(testing::Message() << size << " bytes from " << skip << " to " << gap);
      std::vector<std::byte> to(gap + size + 100, std::byte{0xa5});
      std::vector<std::byte> expected = to;
      std::memcpy(expected.data() + gap, from.data() + skip, size);
      stream_copy(to.data() + gap, from.data() + skip, size);
      ASSERT_TRUE(to == expected);
    }
  }
}

}  // namespace
}  // namespace penstock::exec
