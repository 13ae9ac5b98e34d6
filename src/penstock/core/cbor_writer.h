// Writes canonical CBOR items (RFC 8949, shortest heads) into one growing buffer of the shared
// pool.
//
// Internal to the codecs (core/encode.h and the bindings' direct encoder). Owner thread only.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "penstock/base/result.h"

namespace penstock::core {

/// The three high bits of an item's first byte.
enum class CborMajor : std::uint8_t {
  kUnsigned = 0x00,
  kNegative = 0x20,
  kBytes = 0x40,
  kText = 0x60,
  kArray = 0x80,
  kMap = 0xA0,
  kTag = 0xC0,
  kSimple = 0xE0,
};

inline constexpr char kCborFalse = '\xF4', kCborTrue = '\xF5', kCborNull = '\xF6';
inline constexpr char kCborFloat64 = '\xFB';
inline constexpr std::size_t kMaxCborHead = 9;  ///< Bytes of the longest head.

/// Writes a head in its shortest form at `at` (room for kMaxCborHead bytes); returns the end.
inline char* put_cbor_head(char* at, CborMajor major, std::uint64_t argument) {
  const auto lead = static_cast<std::uint8_t>(major);
  if (argument < 24) {
    *at = static_cast<char>(lead | argument);
    return at + 1;
  }
  // Big endian: the argument's bytes end up in the low end of the swapped word.
  const std::uint64_t swapped = __builtin_bswap64(argument);
  const int log2 = argument <= 0xFF ? 0 : argument <= 0xFFFF ? 1 : argument <= 0xFFFFFFFF ? 2 : 3;
  *at = static_cast<char>(lead | (24 + log2));
  const std::uint64_t word = swapped >> (64 - (8 << log2));
  std::memcpy(at + 1, &word, 8);
  return at + 1 + (std::size_t{1} << log2);
}

/// memcpy, without the call for lengths that keys and short texts have.
[[gnu::always_inline]] inline void copy_short(char* out, const char* from, std::size_t size) {
  const auto both_ends = [&]<std::size_t Size>(std::integral_constant<std::size_t, Size>) {
    char first[Size], last[Size];
    std::memcpy(first, from, Size);
    std::memcpy(last, from + size - Size, Size);
    std::memcpy(out, first, Size);
    std::memcpy(out + size - Size, last, Size);
  };
  if (size > 32) {
    std::memcpy(out, from, size);
  } else if (size >= 16) {
    both_ends(std::integral_constant<std::size_t, 16>());
  } else if (size >= 8) {
    both_ends(std::integral_constant<std::size_t, 8>());
  } else if (size >= 4) {
    both_ends(std::integral_constant<std::size_t, 4>());
  } else if (size > 0) {
    const char middle = from[size / 2], last = from[size - 1];
    out[0] = from[0];
    out[size / 2] = middle;
    out[size - 1] = last;
  }
}

class CborWriter {
 public:
  CborWriter() = default;
  CborWriter(const CborWriter&) = delete;
  CborWriter& operator=(const CborWriter&) = delete;
  ~CborWriter();

  std::size_t size() const { return static_cast<std::size_t>(at_ - begin_); }
  const char* data() const { return begin_; }
  std::string_view view() const { return {begin_, size()}; }
  char* at_offset(std::size_t offset) { return begin_ + offset; }

  /// Forgets what was written; keeps memory up to `keep_bytes` for the next message.
  void clear(std::size_t keep_bytes = std::size_t{1} << 20);

  /// Gives the memory away: what was written lies at its beginning, and it goes back to
  /// base::BufferPool::shared() as `capacity` bytes. The writer is empty.
  struct Memory {
    std::byte* data;
    std::size_t size;
    std::size_t capacity;
  };
  Memory take() {
    const Memory taken{memory(), size(), capacity()};
    begin_ = at_ = end_ = nullptr;
    return taken;
  }

  /// Room for `num_bytes` at the returned place; say what was used with commit().
  char* reserve(std::size_t num_bytes) {
    if (static_cast<std::size_t>(end_ - at_) < num_bytes) [[unlikely]] {
      grow(num_bytes);
    }
    return at_;
  }
  void commit(char* end) { at_ = end; }

  void head(CborMajor major, std::uint64_t argument) {
    commit(put_cbor_head(reserve(kMaxCborHead), major, argument));
  }
  void byte(char value) {
    char* at = reserve(1);
    *at = value;
    commit(at + 1);
  }
  void raw(const void* bytes, std::size_t size) {
    char* at = reserve(size);
    if (size > 0) {
      std::memcpy(at, bytes, size);
    }
    commit(at + size);
  }
  void raw(std::string_view bytes) { raw(bytes.data(), bytes.size()); }

  void array(std::uint64_t count) { head(CborMajor::kArray, count); }
  void map(std::uint64_t count) { head(CborMajor::kMap, count); }
  void null() { byte(kCborNull); }
  void boolean(bool value) { byte(value ? kCborTrue : kCborFalse); }
  void integer(std::int64_t value) {
    // -1 - value without overflow is the complement.
    const auto bits = static_cast<std::uint64_t>(value);
    value < 0 ? head(CborMajor::kNegative, ~bits) : head(CborMajor::kUnsigned, bits);
  }
  /// `value` must be finite: the others have a reserved form.
  void real(double value) {
    char* at = reserve(9);
    *at = kCborFloat64;
    const std::uint64_t bits = __builtin_bswap64(std::bit_cast<std::uint64_t>(value));
    std::memcpy(at + 1, &bits, 8);
    commit(at + 9);
  }
  void text(std::string_view value) {
    char* at = put_cbor_head(reserve(value.size() + kMaxCborHead), CborMajor::kText, value.size());
    copy_short(at, value.data(), value.size());
    commit(at + value.size());
  }
  void bytes(std::span<const std::byte> value) {
    head(CborMajor::kBytes, value.size());
    raw(value.data(), value.size());
  }

 private:
  void grow(std::size_t num_bytes);
  std::size_t capacity() const { return static_cast<std::size_t>(end_ - begin_); }
  std::byte* memory() { return reinterpret_cast<std::byte*>(begin_); }

  char* begin_ = nullptr;
  char* at_ = nullptr;
  char* end_ = nullptr;
};

/// Opens the reserved form {"$penstock": [name, ...]}; `num_items` counts the name.
inline constexpr std::string_view kReservedKey = "$penstock";
inline void open_form(CborWriter& out, std::string_view name, std::uint64_t num_items) {
  out.map(1);
  out.text(kReservedKey);
  out.array(num_items);
  out.text(name);
}

/// Canonical order of map keys: shorter first, then bytewise.
inline bool key_less(std::string_view a, std::string_view b) {
  return a.size() != b.size() ? a.size() < b.size() : a < b;
}

}  // namespace penstock::core
