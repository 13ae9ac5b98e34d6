#include "penstock/core/message.h"

#include <cstring>
#include <string>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace penstock::core {
namespace {

// The first three bytes are CBOR's own mark of itself, a tag that no value's encoding begins with.
constexpr std::string_view kMagic("\xD9\xD9\xF7PSKM\x01", 8);
constexpr std::size_t kHeadBytes = 24;
// What is longer would only push everything else out of the cache.
constexpr std::size_t kStreamBytes = std::size_t{1} << 20;

std::size_t aligned(std::size_t size) {
  return (size + kMessageAlignment - 1) & ~(kMessageAlignment - 1);
}

void put_word(std::byte* at, std::uint64_t word) {
  for (int i = 0; i < 8; ++i) {
    at[i] = static_cast<std::byte>(word >> (8 * i));
  }
}

std::uint64_t get_word(const char* at) {
  std::uint64_t word = 0;
  for (int i = 7; i >= 0; --i) {
    word = word << 8 | static_cast<std::uint8_t>(at[i]);
  }
  return word;
}

// memcpy to a multiple of 64. A store that does not read the line first moves a third less.
void copy(std::byte* out, const std::byte* from, std::size_t size) {
#if defined(__SSE2__)
  if (size >= kStreamBytes) {
    constexpr std::size_t kAhead = 2048;
    const std::size_t lines = size & ~std::size_t{63};
    for (std::size_t i = 0; i < lines; i += 64) {
      const auto* source = reinterpret_cast<const __m128i*>(from + i);
      auto* target = reinterpret_cast<__m128i*>(out + i);
      _mm_prefetch(reinterpret_cast<const char*>(from + i + kAhead), _MM_HINT_NTA);
      const __m128i a = _mm_loadu_si128(source);
      const __m128i b = _mm_loadu_si128(source + 1);
      const __m128i c = _mm_loadu_si128(source + 2);
      const __m128i d = _mm_loadu_si128(source + 3);
      _mm_stream_si128(target, a);
      _mm_stream_si128(target + 1, b);
      _mm_stream_si128(target + 2, c);
      _mm_stream_si128(target + 3, d);
    }
    _mm_sfence();
    std::memcpy(out + lines, from + lines, size - lines);
    return;
  }
#endif
  std::memcpy(out, from, size);
}

base::Error damaged(const std::string& what, std::size_t offset) {
  return {base::ErrorCode::kDataLoss,
          "invalid message: " + what + ": offset=" + std::to_string(offset)};
}

}  // namespace

bool is_framed(std::string_view message) {
  return !message.empty() && message[0] == kMagic[0];
}

std::size_t framed_bytes(std::size_t root_bytes,
                         std::span<const std::span<const std::byte>> buffers) {
  std::size_t size = kHeadBytes + 8 * buffers.size() + root_bytes;
  for (const std::span<const std::byte> buffer : buffers) {
    size = aligned(size) + buffer.size();
  }
  return size;
}

void write_frame(std::byte* out, std::string_view root,
                 std::span<const std::span<const std::byte>> buffers) {
  std::byte* at = out;
  const auto pad = [&] {
    const std::size_t offset = static_cast<std::size_t>(at - out);
    std::memset(at, 0, aligned(offset) - offset);
    at = out + aligned(offset);
  };
  std::memcpy(at, kMagic.data(), kMagic.size());
  put_word(at + 8, root.size());
  put_word(at + 16, buffers.size());
  at += kHeadBytes;
  for (const std::span<const std::byte> buffer : buffers) {
    put_word(at, buffer.size());
    at += 8;
  }
  std::memcpy(at, root.data(), root.size());
  at += root.size();
  for (const std::span<const std::byte> buffer : buffers) {
    pad();
    copy(at, buffer.data(), buffer.size());
    at += buffer.size();
  }
}

base::Result<FrameParts> open_frame(std::string_view message) {
  if (message.size() < kHeadBytes || !message.starts_with(kMagic)) {
    return base::fail(damaged("wanted the head of a message", 0));
  }
  const std::uint64_t root_bytes = get_word(message.data() + 8);
  const std::uint64_t count = get_word(message.data() + 16);
  std::size_t left = message.size() - kHeadBytes;
  // A buffer takes its length, a byte at least, and starts on a line of its own.
  if (count > left / 8 || root_bytes > left - 8 * count) {
    return base::fail(
        damaged("root and buffers beyond the message: root_bytes=" + std::to_string(root_bytes) +
                    " num_buffers=" + std::to_string(count),
                8));
  }
  std::size_t at = kHeadBytes + 8 * count;
  FrameParts parts;
  parts.root = message.substr(at, root_bytes);
  at += root_bytes;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::size_t length_at = kHeadBytes + 8 * i;
    const std::uint64_t length = get_word(message.data() + length_at);
    const std::size_t start = aligned(at);
    if (start > message.size() || length == 0 || length > message.size() - start) {
      return base::fail(damaged("buffer beyond the message: index=" + std::to_string(i) +
                                    " length=" + std::to_string(length),
                                length_at));
    }
    if (message.substr(at, start - at).find_first_not_of('\0') != std::string_view::npos) {
      return base::fail(damaged("padding that is not zero", at));
    }
    parts.buffers.push_back(std::as_bytes(std::span(message.data() + start, length)));
    at = start + length;
  }
  if (at != message.size()) {
    return base::fail(damaged("bytes after the last buffer", at));
  }
  return parts;
}

}  // namespace penstock::core
