// CIDv1 as text: multibase prefix "b", then base32 (RFC 4648, lower case, no padding) of
// version, codec, multihash code, digest length, digest.
#include <string>

#include "penstock/core/identity.h"

namespace penstock::core {
namespace {

constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";
constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kBlake3 = 0x1E;
constexpr std::size_t kNumBytes = 4 + 32;
constexpr std::size_t kNumDigits = (kNumBytes * 8 + 4) / 5;

std::unexpected<base::Error> bad_cid(std::string_view text) {
  return base::fail(base::ErrorCode::kInvalidArgument,
                    "not a CIDv1 of dag-cbor or raw with blake3-256 in base32: cid=" +
                        std::string(text.substr(0, 80)));
}

}  // namespace

std::string Cid::to_string() const {
  std::array<std::uint8_t, kNumBytes> bytes{kVersion, static_cast<std::uint8_t>(codec), kBlake3,
                                            static_cast<std::uint8_t>(digest.bytes.size())};
  std::copy(digest.bytes.begin(), digest.bytes.end(), bytes.begin() + 4);
  std::string text = "b";
  text.reserve(1 + kNumDigits);
  std::uint32_t pending = 0;
  int num_bits = 0;
  for (const std::uint8_t byte : bytes) {
    pending = pending << 8 | byte;
    for (num_bits += 8; num_bits >= 5; num_bits -= 5) {
      text += kAlphabet[pending >> (num_bits - 5) & 31];
    }
  }
  text += kAlphabet[pending << (5 - num_bits) & 31];
  return text;
}

base::Result<Cid> Cid::parse(std::string_view text) {
  if (text.size() != 1 + kNumDigits || text[0] != 'b') {
    return bad_cid(text);
  }
  std::array<std::uint8_t, kNumBytes> bytes{};
  std::size_t size = 0;
  std::uint32_t pending = 0;
  int num_bits = 0;
  for (const char digit : text.substr(1)) {
    const std::size_t value = kAlphabet.find(digit);
    if (value == std::string_view::npos) {
      return bad_cid(text);
    }
    pending = pending << 5 | static_cast<std::uint32_t>(value);
    num_bits += 5;
    if (num_bits >= 8) {
      num_bits -= 8;
      bytes[size++] = static_cast<std::uint8_t>(pending >> num_bits);
    }
  }
  const bool padding_is_zero = (pending & ((1U << num_bits) - 1)) == 0;
  const auto codec = static_cast<Codec>(bytes[1]);
  if (!padding_is_zero || bytes[0] != kVersion || bytes[2] != kBlake3 || bytes[3] != 32 ||
      (codec != Codec::kRaw && codec != Codec::kDagCbor)) {
    return bad_cid(text);
  }
  Cid cid{codec, {}};
  std::copy(bytes.begin() + 4, bytes.end(), cid.digest.bytes.begin());
  return cid;
}

}  // namespace penstock::core
