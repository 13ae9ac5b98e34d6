// UTF-8 validation. Most text in pipelines is ASCII: 32 bytes are looked at per step until a
// multi-byte sequence appears, then one sequence at a time.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "penstock/core/value.h"

namespace penstock::core {
namespace {

constexpr std::uint64_t kHighBits = 0x8080808080808080;

std::uint64_t load_word(const unsigned char* at) {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

const unsigned char* skip_ascii(const unsigned char* at, const unsigned char* end) {
  while (end - at >= 32) {
    const std::uint64_t all =
        load_word(at) | load_word(at + 8) | load_word(at + 16) | load_word(at + 24);
    if ((all & kHighBits) != 0) {
      break;
    }
    at += 32;
  }
  while (end - at >= 8 && (load_word(at) & kHighBits) == 0) {
    at += 8;
  }
  while (at < end && *at < 0x80) {
    ++at;
  }
  return at;
}

bool is_tail(unsigned char byte) {
  return (byte & 0xC0) == 0x80;
}

// Length of the well-formed multi-byte sequence at `at`, 0 when there is none (Unicode 15, table
// 3-7: the second byte's range excludes overlong forms, surrogates and what lies beyond U+10FFFF).
std::ptrdiff_t sequence_length(const unsigned char* at, const unsigned char* end) {
  const unsigned char lead = *at;
  const std::ptrdiff_t left = end - at;
  if (lead < 0xC2 || lead > 0xF4) {
    return 0;
  }
  if (lead < 0xE0) {
    return left >= 2 && is_tail(at[1]) ? 2 : 0;
  }
  if (lead < 0xF0) {
    const unsigned char low = lead == 0xE0 ? 0xA0 : 0x80;
    const unsigned char high = lead == 0xED ? 0x9F : 0xBF;
    return left >= 3 && at[1] >= low && at[1] <= high && is_tail(at[2]) ? 3 : 0;
  }
  const unsigned char low = lead == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = lead == 0xF4 ? 0x8F : 0xBF;
  return left >= 4 && at[1] >= low && at[1] <= high && is_tail(at[2]) && is_tail(at[3]) ? 4 : 0;
}

}  // namespace

bool is_valid_utf8(std::string_view text) {
  const auto* at = reinterpret_cast<const unsigned char*>(text.data());
  const unsigned char* const end = at + text.size();
  for (at = skip_ascii(at, end); at < end;) {
    const std::ptrdiff_t length = sequence_length(at, end);
    if (length == 0) {
      return false;
    }
    at += length;
    if (at < end && *at < 0x80) {
      at = skip_ascii(at, end);
    }
  }
  return true;
}

}  // namespace penstock::core
