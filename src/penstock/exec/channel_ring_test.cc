#include "penstock/exec/channel_ring.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "penstock/exec/channel.h"

namespace penstock::exec {
namespace {

constexpr std::int64_t kRingBytes = 4096;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// Both sides of one channel in this process.
struct Ends {
  Ends() {
    auto made = Channel::create(kRingBytes);
    EXPECT_TRUE(made.has_value());
    run = std::move(*made);
    auto attached = Channel::attach(UniqueFd(::dup(run->memory_fd())), kRingBytes);
    EXPECT_TRUE(attached.has_value());
    worker = std::move(*attached);
    run->set_bells(run_bell.get(), worker_bell.get());
    worker->set_bells(worker_bell.get(), run_bell.get());
  }
  UniqueFd run_bell{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  UniqueFd worker_bell{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::unique_ptr<Channel> run, worker;
};

void sleep_until(Channel& channel, int bell, Sleep reason, const std::function<bool()>& ready) {
  channel.announce_sleep(reason);
  while (!ready()) {
    pollfd wait{bell, POLLIN, 0};
    ::poll(&wait, 1, -1);
    Channel::clear_bell(bell);
    channel.announce_sleep(reason);
  }
  channel.announce_awake();
}

TEST(ChannelRingTest, RefusesWhenFullAndGoesOnAfterPop) {
  Ends ends;
  const std::string text(1000, 'a');
  int written = 0;
  while (ends.run->writer().try_write(1, bytes_of(text))) {
    ++written;
  }
  EXPECT_EQ(written, 4);
  ASSERT_TRUE(ends.worker->reader().peek().has_value());
  EXPECT_FALSE(ends.run->writer().has_room(text.size()));
  ends.worker->reader().pop();
  EXPECT_TRUE(ends.run->writer().try_write(1, bytes_of(text)));
}

TEST(ChannelRingTest, FramesAreContiguousAcrossTheEnd) {
  Ends ends;
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    const std::string text(random() % 1500, static_cast<char>('a' + i % 26));
    ASSERT_TRUE(ends.run->writer().try_write(static_cast<std::uint32_t>(i), bytes_of(text)));
    const auto frame = ends.worker->reader().peek();
    ASSERT_TRUE(frame.has_value());
    EXPECT_EQ(frame->type, static_cast<std::uint32_t>(i));
    ASSERT_EQ(std::string(reinterpret_cast<const char*>(frame->bytes.data()), frame->bytes.size()),
              text);
    ends.worker->reader().pop();
  }
}

TEST(ChannelRingTest, SaysCorruptWhenAHeaderCannotBeTrue) {
  Ends ends;
  ASSERT_TRUE(ends.run->writer().try_write(1, bytes_of("abcdefgh")));
  // Another writer on the same memory, so that the positions disagree with the bytes.
  Channel* const worker = ends.worker.get();
  ASSERT_TRUE(worker->reader().peek().has_value());
  worker->reader().pop();
  const std::string wild(8, '\xff');
  ASSERT_TRUE(ends.run->writer().try_write(0xffff'ffff, bytes_of(wild)));
  const auto frame = worker->reader().peek();
  ASSERT_TRUE(frame.has_value());
  const auto* header = reinterpret_cast<const FrameHeader*>(frame->bytes.data()) - 1;
  const_cast<FrameHeader*>(header)->size_bytes = 4000;
  EXPECT_FALSE(worker->reader().peek().has_value());
  EXPECT_TRUE(worker->reader().is_corrupt());
}

TEST(ChannelRingTest, TwoThreadsLoseNothingAndNoWakeUp) {
  Ends ends;
  constexpr int kFrames = 100'000;
  std::thread writer([&] {
    std::mt19937 random(2);
    for (int i = 0; i < kFrames; ++i) {
      const std::string text(random() % 64, 'w');
      if (!ends.run->writer().has_room(text.size())) {
        sleep_until(*ends.run, ends.run_bell.get(), Sleep::kForRoom,
                    [&] { return ends.run->writer().has_room(text.size()); });
      }
      ends.run->writer().try_write(static_cast<std::uint32_t>(i), bytes_of(text));
      ends.run->wake_peer(Sleep::kForFrames);
    }
  });
  std::mt19937 random(2);
  std::int64_t wrong = 0;
  for (int i = 0; i < kFrames; ++i) {
    sleep_until(*ends.worker, ends.worker_bell.get(), Sleep::kForFrames,
                [&] { return !ends.worker->reader().is_empty(); });
    const auto frame = ends.worker->reader().peek();
    wrong += !frame || frame->type != static_cast<std::uint32_t>(i) ||
             frame->bytes.size() != random() % 64;
    ends.worker->reader().pop();
    ends.worker->wake_peer(Sleep::kForRoom);
  }
  writer.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace penstock::exec
