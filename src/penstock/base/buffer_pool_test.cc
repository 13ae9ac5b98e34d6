#include "penstock/base/buffer_pool.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <latch>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace penstock::base {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

void expect_balance(const BufferPool& pool) {
  const BufferPool::Stats stats = pool.stats();
  EXPECT_EQ(stats.acquired, stats.released + stats.out);
  EXPECT_EQ(stats.acquired, stats.hits + stats.misses);
  EXPECT_EQ(stats.misses, stats.system_frees + stats.kept + stats.out);
}

TEST(BufferPoolTest, SizesArePowersOfTwoAndTheHalvesBetween) {
  std::vector<std::size_t> sizes;
  for (std::size_t bytes = 0; bytes <= 24 * kMiB; bytes = sizes.back() + 1) {
    sizes.push_back(BufferPool::usable_bytes(bytes));
  }
  const std::vector<std::size_t> small(sizes.begin(), sizes.begin() + 7);
  EXPECT_EQ(small, (std::vector<std::size_t>{64, 128, 192, 256, 384, 512, 768}));
  const std::vector<std::size_t> large(sizes.end() - 8, sizes.end());
  EXPECT_EQ(large, (std::vector<std::size_t>{3 * kMiB / 2, 2 * kMiB, 4 * kMiB, 6 * kMiB, 8 * kMiB,
                                             12 * kMiB, 16 * kMiB, 24 * kMiB}));
  EXPECT_EQ(BufferPool::usable_bytes(BufferPool::kMaxKept), BufferPool::kMaxKept);
  EXPECT_EQ(BufferPool::usable_bytes(BufferPool::kMaxKept + 1),
            BufferPool::kMaxKept + BufferPool::kHugePage);
}

TEST(BufferPoolTest, EverySizeHoldsWhatWasAskedAndIsAligned) {
  BufferPool pool(64 * kMiB);
  std::mt19937_64 random(5);
  for (int round = 0; round < 400; ++round) {
    const std::size_t bytes = random() >> (40 + random() % 24);  // up to 16 MiB, small ones often
    std::byte* const data = pool.acquire(bytes);
    ASSERT_NE(data, nullptr);
    const std::size_t usable = BufferPool::usable_bytes(bytes);
    ASSERT_GE(usable, bytes);
    EXPECT_TRUE(usable <= 64 || usable < 2 * bytes);
    const std::size_t border = usable >= BufferPool::kHugePage ? BufferPool::kHugePage : 64;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(data) % border, 0U);
    std::memset(data, 1, usable);
    pool.release(data, bytes);
  }
  expect_balance(pool);
}

TEST(BufferPoolTest, WhatIsGivenBackIsUsedAgain) {
  BufferPool pool(kMiB);
  std::byte* const first = pool.acquire(1000);
  pool.release(first, 1000);
  std::byte* const again = pool.acquire(900);
  EXPECT_EQ(again, first);
  pool.release(again, 1024);
  const BufferPool::Stats stats = pool.stats();
  EXPECT_EQ(stats.hits, 1);
  EXPECT_EQ(stats.misses, 1);
  EXPECT_EQ(stats.kept, 1);
  EXPECT_EQ(stats.kept_bytes, 1024);
  EXPECT_EQ(stats.out, 0);
  EXPECT_EQ(stats.out_bytes, 0);
  pool.release(nullptr, 5);
  expect_balance(pool);
}

TEST(BufferPoolTest, KeepsNoMoreThanItsBound) {
  BufferPool pool(8 * kMiB);
  std::vector<std::byte*> out;
  for (int i = 0; i < 8; ++i) {
    out.push_back(pool.acquire(2 * kMiB));
  }
  EXPECT_EQ(pool.stats().out_bytes, 16 << 20);
  for (std::byte* const data : out) {
    pool.release(data, 2 * kMiB);
  }
  EXPECT_EQ(pool.stats().kept, 4);
  EXPECT_EQ(pool.stats().kept_bytes, 8 << 20);
  expect_balance(pool);
  pool.trim();
  EXPECT_EQ(pool.stats().kept_bytes, 0);
  expect_balance(pool);
  std::byte* const large = pool.acquire(9 * kMiB);
  pool.release(large, 9 * kMiB);
  EXPECT_EQ(pool.stats().kept, 0);
}

TEST(BufferPoolTest, WhatNobodyAsksForMakesRoom) {
  BufferPool pool(4 * kMiB);
  std::vector<std::byte*> out;
  for (int i = 0; i < 4; ++i) {
    out.push_back(pool.acquire(kMiB));
  }
  for (std::byte* const data : out) {
    pool.release(data, kMiB);
  }
  // The bound is reached by buffers of 1 MiB; from now on only those of 2 MiB are in use.
  for (int round = 0; round < 6; ++round) {
    std::byte* const data = pool.acquire(2 * kMiB);
    pool.release(data, 2 * kMiB);
  }
  EXPECT_GE(pool.stats().hits, 1);
  expect_balance(pool);
}

TEST(BufferPoolTest, GrowKeepsWhatWasWritten) {
  BufferPool pool(64 * kMiB);
  for (const bool is_warm : {false, true}) {
    std::size_t bytes = 100;
    std::byte* data = pool.acquire(bytes);
    ASSERT_NE(data, nullptr);
    std::memset(data, 7, bytes);
    while (bytes < 30 * kMiB) {
      const std::size_t more = bytes + bytes / 3;
      data = pool.grow(data, bytes, more, bytes);
      ASSERT_NE(data, nullptr);
      for (std::size_t at = 0; at < bytes; at += at < 4096 ? 1 : 4095) {
        ASSERT_EQ(data[at], std::byte{7}) << at << " of " << bytes << " warm=" << is_warm;
      }
      std::memset(data + bytes, 7, more - bytes);
      if (BufferPool::usable_bytes(more) >= BufferPool::kHugePage) {
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(data) % BufferPool::kHugePage, 0U);
      }
      bytes = more;
    }
    pool.release(data, bytes);
    EXPECT_EQ(pool.stats().out, 0);
    EXPECT_EQ(pool.stats().out_bytes, 0);
    expect_balance(pool);
  }
}

TEST(BufferPoolTest, MoreThanThereIsIsNull) {
  BufferPool pool(kMiB);
  EXPECT_EQ(pool.acquire(SIZE_MAX), nullptr);
  EXPECT_EQ(pool.acquire(SIZE_MAX / 4), nullptr);
  EXPECT_EQ(pool.acquire(std::size_t{1} << 50), nullptr);
  std::byte* const data = pool.acquire(4 * kMiB);
  ASSERT_NE(data, nullptr);
  data[0] = std::byte{3};
  EXPECT_EQ(pool.grow(data, 4 * kMiB, std::size_t{1} << 50, 1), nullptr);
  EXPECT_EQ(data[0], std::byte{3});
  EXPECT_EQ(pool.stats().out, 1);
  pool.release(data, 4 * kMiB);
  expect_balance(pool);
}

// Each buffer is marked with its holder: nobody else may get it meanwhile.
TEST(BufferPoolTest, ThreadsNeverShareABuffer) {
  BufferPool pool(4 * kMiB);
  constexpr int kThreads = 8;
  std::vector<int> num_wrong(kThreads, 0);
  {
    std::latch start(kThreads);
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        std::mt19937 random(static_cast<std::uint32_t>(thread));
        std::vector<std::pair<std::byte*, std::size_t>> held;
        start.arrive_and_wait();
        for (int step = 0; step < 3000; ++step) {
          if (held.size() < 6 && random() % 2 == 0) {
            const std::size_t bytes = std::size_t{64} << (random() % 12);
            std::byte* const data = pool.acquire(bytes);
            data[0] = data[bytes - 1] = static_cast<std::byte>(thread);
            held.emplace_back(data, bytes);
          } else if (!held.empty()) {
            const auto [data, bytes] = held.back();
            held.pop_back();
            num_wrong[static_cast<std::size_t>(thread)] +=
                data[0] != static_cast<std::byte>(thread) ||
                data[bytes - 1] != static_cast<std::byte>(thread);
            pool.release(data, bytes);
          }
          if (step % 500 == 0) {
            pool.trim();
          }
        }
        for (const auto& [data, bytes] : held) {
          pool.release(data, bytes);
        }
      });
    }
  }
  for (const int count : num_wrong) {
    EXPECT_EQ(count, 0);
  }
  EXPECT_EQ(pool.stats().out, 0);
  EXPECT_EQ(pool.stats().out_bytes, 0);
  expect_balance(pool);
}

// Other threads hold its locks all the time while this one forks.
TEST(BufferPoolTest, TheSharedOneSurvivesAFork) {
  BufferPool& pool = BufferPool::shared();
  std::byte* const data = pool.acquire(5000);
  std::memset(data, 1, 5000);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 2; ++i) {
      threads.emplace_back([&pool](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
          std::byte* const mine = pool.acquire(5000);
          pool.release(mine, 5000);
        }
      });
    }
    for (int round = 0; round < 20; ++round) {
      const pid_t child = ::fork();
      if (child == 0) {
        std::byte* const mine = pool.acquire(5000);
        const bool is_apart = mine != nullptr && mine != data && data[4999] == std::byte{1};
        std::memset(data, 2, 5000);  // its own copy
        pool.release(data, 5000);
        pool.release(mine, 5000);
        ::_exit(is_apart ? 0 : 1);
      }
      int status = 0;
      ::waitpid(child, &status, 0);
      ASSERT_TRUE(WIFEXITED(status));
      ASSERT_EQ(WEXITSTATUS(status), 0);
    }
  }
  EXPECT_EQ(data[0], std::byte{1});
  pool.release(data, 5000);
  expect_balance(pool);
}

TEST(BufferPoolDeathTest, GivingBackMoreThanWasTakenIsABug) {
  BufferPool pool(kMiB);
  std::byte memory[64];
  EXPECT_DEATH(pool.release(memory, 64), "released < ");
}

}  // namespace
}  // namespace penstock::base
