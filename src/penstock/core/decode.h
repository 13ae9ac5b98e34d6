// The one decoder of Values, as its callers in the codecs need it. Users call core/identity.h.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/cbor_reader.h"
#include "penstock/core/identity.h"
#include "penstock/core/tensor.h"
#include "penstock/core/value.h"

namespace penstock::core {

/// Reads Values from strict DAG-CBOR. Failures are noted in the reader. Owner thread only.
class Decoder {
 public:
  using Buffers = std::span<const std::shared_ptr<const Buffer>>;

  /// Canonical: map keys must be in order; `source` (borrowed, may be null) delivers linked blocks.
  static Decoder canonical(CborReader& in, const BlockSource* source) {
    return Decoder(in, source, {}, false);
  }
  /// Transport: keys in any order, but unique; `buffers` is the out-of-band table.
  static Decoder transport(CborReader& in, Buffers buffers) {
    return Decoder(in, nullptr, buffers, true);
  }

  /// One item; `depth`: containers around it. False when the input is not a value's encoding.
  bool read(Value& out, int depth = 0);

 private:
  /// Bytes inside the encoding, or a buffer outside of it (then `buffer` is set).
  struct Data {
    std::string_view inside;
    std::shared_ptr<const Buffer> buffer;
  };

  Decoder(CborReader& in, const BlockSource* source, Buffers buffers, bool transport)
      : in_(in), source_(source), buffers_(buffers), transport_(transport) {}

  std::uint64_t room_for(std::uint64_t count, std::uint64_t item_bytes) const;
  bool read_items(std::uint64_t count, int depth, std::vector<Value>& items);
  bool read_map(std::uint64_t count, int depth, Value& out);
  bool read_key(std::uint64_t index, std::string_view previous, std::string_view& key);
  bool check_unique(const std::vector<MapEntry>& entries);

  // decode_form.cc: the reserved form, after its key.
  bool read_form(int depth, Value& out);
  bool read_float(Value& out);
  bool read_big_integer(Value& out);
  bool read_escaped_map(int depth, Value& out);
  bool read_tensor(Value& out);
  bool read_table(int depth, Value& out);
  bool read_transport_table(int depth, Value& out);
  bool read_extension(int depth, Value& out);
  bool read_long_bytes(std::string_view name, std::uint64_t num_items, Value& out);

  // decode_data.cc: byte strings and what stands for long ones.
  bool read_data(Data& out);
  bool read_data_form(std::string_view name, std::uint64_t num_items, Data& out);
  bool read_linked(Data& out);
  bool read_buffer_reference(Data& out);
  bool read_link(Digest& digest);
  bool read_buffer(std::shared_ptr<const Buffer>& out);

  CborReader& in_;
  const BlockSource* source_;
  Buffers buffers_;
  bool transport_;
  std::uint64_t owed_ = 0;  ///< bytes that the items still to come in open containers take at least
};

}  // namespace penstock::core
