// Reads strict DAG-CBOR items: shortest heads, definite lengths, 64-bit floats, nothing else.
//
// Internal to the codecs (core/decode.h and the bindings' direct decoder). Every call that can fail
// returns false after noting the first failure; callers pass the false on and ask error() at the
// end, which keeps the hot path free of error objects. Owner thread only.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "penstock/base/result.h"
#include "penstock/core/cbor_writer.h"

namespace penstock::core {

struct CborHead {
  CborMajor major = CborMajor::kUnsigned;
  std::uint8_t info = 0;       ///< The five low bits.
  std::uint64_t argument = 0;  ///< Value, length or count; IEEE bits for a 64-bit float.
};

class CborReader {
 public:
  /// `bytes` must outlive the reader and every view it gives.
  explicit CborReader(std::string_view bytes)
      : begin_(bytes.data()), at_(begin_), end_(begin_ + bytes.size()) {}

  std::size_t offset() const { return static_cast<std::size_t>(at_ - begin_); }
  std::uint64_t remaining() const { return static_cast<std::uint64_t>(end_ - at_); }
  bool at_end() const { return at_ == end_; }
  const char* position() const { return at_; }
  void seek(const char* position) { at_ = position; }
  std::string_view since(const char* start) const {
    return {start, static_cast<std::size_t>(at_ - start)};
  }

  /// Reads one head. Lengths and counts are already checked against the remaining input.
  [[gnu::always_inline]] bool head(CborHead& head) {
    if (at_ == end_) [[unlikely]] {
      return fail("input ends inside an item");
    }
    const auto lead = static_cast<std::uint8_t>(*at_++);
    head.major = static_cast<CborMajor>(lead & 0xE0);
    head.info = lead & 0x1F;
    head.argument = head.info;
    if (head.info >= 24 && !long_argument(head)) [[unlikely]] {
      return false;
    }
    switch (head.major) {
      case CborMajor::kBytes:
      case CborMajor::kText:
      case CborMajor::kArray:
        return head.argument <= remaining() || fail_length(head.argument);
      case CborMajor::kMap:  // an entry takes two bytes at least
        return head.argument <= remaining() / 2 || fail_length(head.argument);
      default:
        return true;
    }
  }

  /// A head that must have this major type; `what` names the wanted item in the error.
  bool head_of(CborMajor major, CborHead& head_out, const char* what) {
    return head(head_out) && (head_out.major == major || fail(what));
  }
  /// The next `size` bytes; a head has checked that they are there.
  std::string_view take(std::uint64_t size) {
    const std::string_view bytes(at_, size);
    at_ += size;
    return bytes;
  }
  bool text(std::string_view& out);    ///< A text string, UTF-8 checked.
  bool bytes(std::string_view& out);   ///< A byte string.
  bool array(std::uint64_t& count);    ///< The head of an array.
  bool array_of(std::uint64_t count);  ///< The head of an array of exactly `count` items.
  bool unsigned_integer(std::uint64_t& out);

  /// Notes the first failure, at the current offset; always false.
  [[gnu::cold]] bool fail(const std::string& what,
                          base::ErrorCode code = base::ErrorCode::kDataLoss);
  bool fail(base::Error error);  ///< An error from elsewhere, kept as it is.
  bool failed() const { return error_.has_value(); }
  /// The first failure: "what: offset=..."; only after a call returned false.
  base::Error error() const { return *error_; }

 private:
  /// The one, two, four or eight bytes behind the first, which say what does not fit into it.
  bool long_argument(CborHead& head) {
    const int log2 = head.info - 24;
    if (log2 > 3 || remaining() < (std::uint64_t{1} << log2)) [[unlikely]] {
      return fail_head(head);
    }
    const int num_bits = 8 << log2;
    if (remaining() >= 8) {
      std::uint64_t word;
      std::memcpy(&word, at_, sizeof word);
      head.argument = __builtin_bswap64(word) >> (64 - num_bits);
    } else {
      head.argument = 0;
      for (int i = 0; i < num_bits / 8; ++i) {
        head.argument = head.argument << 8 | static_cast<std::uint8_t>(at_[i]);
      }
    }
    // The shortest form: what half the bytes could say must not take all of them.
    const bool is_short = head.argument < (log2 == 0 ? 24 : std::uint64_t{1} << (num_bits / 2));
    if (head.major == CborMajor::kSimple ? log2 != 3 : is_short) [[unlikely]] {
      return fail_head(head);
    }
    at_ += num_bits / 8;
    return true;
  }
  /// Says what is wrong with a head that long_argument() refused.
  [[gnu::cold]] bool fail_head(const CborHead& head);
  [[gnu::cold]] bool fail_length(std::uint64_t argument);

  const char* begin_;
  const char* at_;
  const char* end_;
  std::optional<base::Error> error_;
};

}  // namespace penstock::core
