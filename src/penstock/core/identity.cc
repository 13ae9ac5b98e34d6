#include "penstock/core/identity.h"

#include <new>

#include "penstock/base/out_of_memory.h"
#include "penstock/core/decode.h"
#include "penstock/core/encode.h"

namespace penstock::core {
namespace {

constexpr int kNumHashThreads = 2;

base::Status write_canonical(const Value& value, const BlockSink& sink, int num_threads,
                             CborWriter& out) {
  Encoder encoder(out, Encoder::Mode::kCanonical, kInlineBufferBytes);
  if (!encoder.write(value)) {
    return base::fail(encoder.error());
  }
  encoder.link(num_threads);
  return encoder.deliver(sink);
}

base::Result<Value> read_all(CborReader& in, Decoder decoder) {
  Value value;
  if (!decoder.read(value) || (!in.at_end() && !in.fail("bytes after the end of the value"))) {
    return base::fail(in.error());
  }
  return value;
}

}  // namespace

base::Result<std::string> encode(const Value& value, const BlockSink& sink) try {
  CborWriter out;
  PENSTOCK_RETURN_IF_ERROR(write_canonical(value, sink, kNumHashThreads, out));
  return std::string(out.view());
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

base::Result<Value> decode(std::string_view bytes, const BlockSource& source) try {
  CborReader in(bytes);
  return read_all(in, Decoder::canonical(in, &source));
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

base::Result<Digest> digest(const Value& value, int num_threads) try {
  CborWriter out;
  PENSTOCK_RETURN_IF_ERROR(write_canonical(value, {}, num_threads, out));
  return hash_bytes(out.view());
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

base::Result<Cid> cid(const Value& value, int num_threads) {
  PENSTOCK_ASSIGN_OR_RETURN(const Digest root, digest(value, num_threads));
  return Cid{Codec::kDagCbor, root};
}

base::Result<Message> encode_transport(const Value& value, std::int64_t threshold_bytes) try {
  CborWriter out;
  Encoder encoder(out, Encoder::Mode::kTransport, threshold_bytes);
  if (!encoder.write(value)) {
    return base::fail(encoder.error());
  }
  return Message{std::string(out.view()), std::move(encoder.owners()),
                 std::move(encoder.buffers())};
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

base::Result<Value> decode_transport(std::string_view header,
                                     std::span<const std::shared_ptr<const Buffer>> buffers) try {
  CborReader in(header);
  return read_all(in, Decoder::transport(in, buffers));
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

}  // namespace penstock::core
