#include "penstock/exec/shm_stream.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <system_error>
#include <thread>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace penstock::exec {
namespace {

constexpr std::size_t kStreamBytes = 1 << 20;
constexpr std::size_t kTwoThreadBytes = 8 << 20;

#if defined(__SSE2__)
void copy_part(std::byte* to, const std::byte* from, std::size_t size) {
  constexpr std::size_t kLine = 64;
  const std::size_t head =
      std::min(size, (kLine - reinterpret_cast<std::uintptr_t>(to) % kLine) % kLine);
  std::memcpy(to, from, head);
  std::size_t at = head;
  for (; size - at >= kLine; at += kLine) {
    const auto* const source = reinterpret_cast<const __m128i*>(from + at);
    auto* const target = reinterpret_cast<__m128i*>(to + at);
    const __m128i a = _mm_loadu_si128(source), b = _mm_loadu_si128(source + 1),
                  c = _mm_loadu_si128(source + 2), d = _mm_loadu_si128(source + 3);
    _mm_stream_si128(target, a);
    _mm_stream_si128(target + 1, b);
    _mm_stream_si128(target + 2, c);
    _mm_stream_si128(target + 3, d);
  }
  std::memcpy(to + at, from + at, size - at);
  _mm_sfence();  // such stores are not ordered with those that will tell the other process
}
#else
void copy_part(std::byte* to, const std::byte* from, std::size_t size) {
  std::memcpy(to, from, size);
}
#endif

}  // namespace

void stream_copy(std::byte* to, const std::byte* from, std::size_t size) {
  if (size < kStreamBytes) {
    if (size != 0) {
      std::memcpy(to, from, size);
    }
    return;
  }
  static const bool has_cores = std::thread::hardware_concurrency() > 1;
  std::thread helper;
  std::size_t mine = size;
  if (has_cores && size >= kTwoThreadBytes) {
    try {
      const std::size_t half = size / 2;
      helper = std::thread(copy_part, to + half, from + half, size - half);
      mine = half;
    } catch (const std::system_error&) {
      // No more threads to be had: this one copies all.
    }
  }
  copy_part(to, from, mine);
  if (helper.joinable()) {
    helper.join();
  }
}

}  // namespace penstock::exec
