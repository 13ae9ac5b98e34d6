#include "penstock/core/message.h"

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/core/identity.h"

namespace penstock::core {
namespace {

using Buffers = std::vector<std::span<const std::byte>>;

struct Aligned {
  explicit Aligned(std::size_t size)
      : memory(static_cast<std::byte*>(::operator new(size, std::align_val_t{kMessageAlignment}))) {
  }
  ~Aligned() { ::operator delete(memory, std::align_val_t{kMessageAlignment}); }
  std::byte* memory;
};

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Around the length from which the copy passes the cache by, from every alignment of the source.
TEST(MessageTest, LongAndShortBuffersArriveWhole) {
  constexpr std::size_t kLong = std::size_t{1} << 20;
  std::string source(kLong + 256, '\0');
  for (std::size_t i = 0; i < source.size(); ++i) {
    source[i] = static_cast<char>(i * 7 + i / 251);
  }
  for (const std::size_t size : {std::size_t{1}, std::size_t{63}, kLong - 1, kLong, kLong + 65}) {
    for (const std::size_t shift : {0, 1, 17, 64}) {
      const auto all = std::as_bytes(std::span(source));
      const Buffers buffers = {all.subspan(shift, size), all.subspan(0, 3)};
      const std::string root(shift, 'r');
      const std::size_t total = framed_bytes(root.size(), buffers);
      const Aligned out(total + 1);
      out.memory[total] = std::byte{42};
      write_frame(out.memory, root, buffers);
      EXPECT_EQ(out.memory[total], std::byte{42});
      const std::string_view message(reinterpret_cast<const char*>(out.memory), total);
      ASSERT_TRUE(is_framed(message));
      const auto parts = open_frame(message);
      ASSERT_TRUE(parts.has_value()) << parts.error().message();
      EXPECT_EQ(parts->root, root);
      ASSERT_EQ(parts->buffers.size(), 2U);
      for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_EQ(text_of(parts->buffers[i]), text_of(buffers[i])) << size << " " << shift;
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(parts->buffers[i].data()) % kMessageAlignment,
                  0U);
      }
    }
  }
}

TEST(MessageTest, NoEncodingBeginsAsAFrameDoes) {
  EXPECT_FALSE(is_framed(""));
  EXPECT_TRUE(is_framed("\xD9"));
  EXPECT_FALSE(decode("\xD9\xD9\xF7\xF6").has_value());
}

TEST(MessageTest, EveryCutIsRefused) {
  const std::string data(100, 'd');
  const Buffers buffers = {std::as_bytes(std::span(data))};
  const std::size_t total = framed_bytes(1, buffers);
  const Aligned out(total);
  write_frame(out.memory, "\xF6", buffers);
  const std::string_view message(reinterpret_cast<const char*>(out.memory), total);
  EXPECT_TRUE(open_frame(message).has_value());
  for (std::size_t size = 0; size < total; ++size) {
    const auto parts = open_frame(message.substr(0, size));
    ASSERT_FALSE(parts.has_value()) << size;
    EXPECT_EQ(parts.error().code(), base::ErrorCode::kDataLoss);
    EXPECT_THAT(parts.error().message(), testing::HasSubstr("offset="));
  }
}

}  // namespace
}  // namespace penstock::core
