// Identity of values: canonical DAG-CBOR encoding, BLAKE3 digest, CIDv1.
//
// One encoder, two modes. Canonical: map keys in DAG-CBOR order, long buffers as linked raw blocks;
// its root block's hash is the value's digest. Transport: between our own processes only; maps keep
// insertion order and long buffers travel out of band (never copied into the encoding).
// Byte by byte: docs/formats/value-encoding.md.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/tensor.h"
#include "penstock/core/value.h"

namespace penstock::core {

/// BLAKE3-256.
struct Digest {
  std::array<std::uint8_t, 32> bytes{};

  friend bool operator==(const Digest&, const Digest&) = default;
  friend auto operator<=>(const Digest&, const Digest&) = default;
  std::string to_hex() const;
  static base::Result<Digest> from_hex(std::string_view hex);
};

Digest hash_bytes(std::span<const std::byte> bytes);
inline Digest hash_bytes(std::string_view bytes) {
  return hash_bytes(std::as_bytes(std::span(bytes.data(), bytes.size())));
}

/// Multicodec of a CID.
enum class Codec : std::uint8_t { kRaw = 0x55, kDagCbor = 0x71 };

/// CIDv1, blake3 multihash; text form is base32 lower case with the prefix "b".
struct Cid {
  Codec codec = Codec::kDagCbor;
  Digest digest;

  friend bool operator==(const Cid&, const Cid&) = default;
  std::string to_string() const;
  static base::Result<Cid> parse(std::string_view text);
};

inline constexpr int kMaxDepth = 256;                       ///< Nesting limit, both directions.
inline constexpr std::int64_t kInlineBufferBytes = 65'536;  ///< Longer buffers are linked.
inline constexpr std::int64_t kBlockBytes = 1 << 20;        ///< Size of a linked raw block.

/// Receives the raw blocks a canonical encoding links to. Return an error to stop.
using BlockSink = std::function<base::Status(const Digest&, std::span<const std::byte>)>;
/// Delivers a raw block by digest, already verified.
using BlockSource = std::function<base::Result<std::shared_ptr<const Buffer>>(const Digest&)>;

/// Canonical root block of `value`; raw blocks go to `sink` (may be empty: they are only hashed).
/// kInvalidArgument for absent or unencodable host objects, kResourceExhausted beyond kMaxDepth.
base::Result<std::string> encode(const Value& value, const BlockSink& sink = {});

/// Inverse of encode(). Strict: rejects non-canonical bytes, duplicate or unsorted keys, invalid
/// UTF-8, depth beyond kMaxDepth, lengths beyond the input, unknown reserved forms (kDataLoss).
base::Result<Value> decode(std::string_view bytes, const BlockSource& source = {});

/// Digest of the canonical root block; linked blocks are hashed on up to `num_threads` threads.
base::Result<Digest> digest(const Value& value, int num_threads = 2);
base::Result<Cid> cid(const Value& value, int num_threads = 2);

/// A transport encoding: `header` plus the buffers it refers to, in order, not copied.
struct Message {
  std::string header;
  std::vector<std::shared_ptr<const Buffer>> owners;  ///< Keeps `buffers` alive; same length.
  std::vector<std::span<const std::byte>> buffers;
};

/// Buffers longer than `threshold_bytes` go out of band.
base::Result<Message> encode_transport(const Value& value, std::int64_t threshold_bytes = 4096);

/// `buffers`: in the order of encode_transport; kept alive by the decoded tensors and tables.
base::Result<Value> decode_transport(std::string_view header,
                                     std::span<const std::shared_ptr<const Buffer>> buffers);

}  // namespace penstock::core
