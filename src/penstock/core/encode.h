// The one encoder of Values, as its callers in the codecs need it. Users call core/identity.h.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/cbor_writer.h"
#include "penstock/core/identity.h"
#include "penstock/core/tensor.h"
#include "penstock/core/value.h"

namespace penstock::core {

/// Writes Values as CBOR. Buffers above the limit are not copied: the canonical mode leaves room
/// for their links and hashes them all, in parallel, in link(); the transport mode refers to them
/// by index. Owner thread only; one message per object.
class Encoder {
 public:
  enum class Mode : std::uint8_t { kCanonical, kTransport };

  /// `limit_bytes`: longer buffers leave the encoding.
  Encoder(CborWriter& out, Mode mode, std::int64_t limit_bytes)
      : out_(out), mode_(mode), limit_bytes_(limit_bytes) {}

  /// `depth`: containers around `value`. False after the first failure, see error().
  bool write(const Value& value, int depth = 0);
  /// A byte string, or what stands for a longer one. `owner` keeps `data` alive until the end.
  void write_data(std::span<const std::byte> data, std::shared_ptr<const Buffer> owner);
  /// The same for data that the caller keeps alive until the end: its place in owners() is null.
  /// True when the data stayed outside of the encoding.
  bool write_borrowed(std::span<const std::byte> data);
  /// The head of a tensor's form; its data must follow.
  void open_tensor(DType dtype, std::span<const std::int64_t> shape);
  /// Is nothing written so far outside of the encoding?
  bool is_whole() const { return buffers_.empty() && blocks_.empty(); }
  bool write_tensor(const Tensor& tensor);
  bool write_transport_table(const std::shared_ptr<const Table>& table, int depth);
  bool write_table(const std::shared_ptr<const Table>& table, int depth);
  /// The canonical form, in either mode.
  bool write_canonical_table(const std::shared_ptr<const Table>& table, int depth);
  void write_float(double value);
  /// Any integer: sign and big-endian magnitude without leading zeros, in the form its size asks.
  void write_big_integer(bool negative, std::string_view magnitude);

  bool fail(base::Error error);
  const base::Error& error() const { return error_.front(); }

  // Canonical mode, after the last write(): first link(), then deliver() where blocks are wanted.
  bool has_links() const { return !blocks_.empty(); }
  /// Hashes the linked blocks and fills the links in. Needs no lock of the host language.
  void link(int num_threads);
  /// Hands the linked blocks to `sink`, in order.
  base::Status deliver(const BlockSink& sink) const;

  // Transport mode: the buffers referred to, in order.
  std::vector<std::shared_ptr<const Buffer>>& owners() { return owners_; }
  std::vector<std::span<const std::byte>>& buffers() { return buffers_; }

 private:
  bool write_items(const std::vector<Value>& items, int depth);
  bool write_map(const std::vector<MapEntry>& entries, int depth);
  void write_links(std::span<const std::byte> data);

  CborWriter& out_;
  const Mode mode_;
  const std::int64_t limit_bytes_;
  std::vector<std::shared_ptr<const Buffer>> owners_;
  std::vector<std::span<const std::byte>> buffers_;  ///< transport
  std::vector<std::span<const std::byte>> blocks_;   ///< canonical: raw blocks, and
  std::vector<std::size_t> digest_offsets_;          ///< where their digests belong in `out_`
  std::vector<Digest> digests_;
  std::vector<base::Error> error_;  ///< The first failure; at most one.
};

/// "value is nested too deeply", the same words in every codec.
base::Error depth_error();

}  // namespace penstock::core
