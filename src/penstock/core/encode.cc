#include "penstock/core/encode.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "penstock/core/hash.h"
#include "penstock/core/host.h"
#include "penstock/core/memory_size.h"
#include "penstock/core/table_codec.h"
#include "penstock/core/table_transport.h"

namespace penstock::core {
namespace {

// CIDv1, raw, blake3, 32 bytes: what precedes the digest in a link.
constexpr char kLinkHead[] = {'\xD8', '\x2A', '\x58', '\x25', 0, 1, 0x55, 0x1E, 0x20};
constexpr std::size_t kDigestBytes = 32;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// Entries in canonical order; `entries` itself is used when it is sorted already.
std::vector<const MapEntry*> sorted(const std::vector<MapEntry>& entries) {
  std::vector<const MapEntry*> order(entries.size());
  std::transform(entries.begin(), entries.end(), order.begin(),
                 [](const MapEntry& e) { return &e; });
  std::sort(order.begin(), order.end(),
            [](const MapEntry* a, const MapEntry* b) { return key_less(a->first, b->first); });
  return order;
}

bool is_sorted(const std::vector<MapEntry>& entries) {
  for (std::size_t i = 1; i < entries.size(); ++i) {
    if (!key_less(entries[i - 1].first, entries[i].first)) {
      return false;
    }
  }
  return true;
}

}  // namespace

base::Error depth_error() {
  return {base::ErrorCode::kResourceExhausted,
          "value is nested too deeply: limit=" + std::to_string(kMaxDepth)};
}

bool Encoder::fail(base::Error error) {
  if (error_.empty()) {
    error_.push_back(std::move(error));
  }
  return false;
}

bool Encoder::write(const Value& value, int depth) {
  switch (value.kind()) {
    case Kind::kAbsent:
      return fail(
          {base::ErrorCode::kInvalidArgument, "an absent event has no encoding; wanted a value"});
    case Kind::kNull:
      out_.null();
      return true;
    case Kind::kBool:
      out_.boolean(value.as_bool());
      return true;
    case Kind::kInt:
      out_.integer(value.as_int());
      return true;
    case Kind::kFloat:
      write_float(value.as_float());
      return true;
    case Kind::kText:
      out_.text(value.as_text());
      return true;
    case Kind::kBytes: {
      const std::span<const std::byte> data = bytes_of(value.as_bytes());
      if (static_cast<std::int64_t>(data.size()) <= limit_bytes_) {
        out_.bytes(data);
      } else {
        write_data(data,
                   Buffer::wrap(data.data(), static_cast<std::int64_t>(data.size()), [value] {}));
      }
      return true;
    }
    case Kind::kList:
      return write_items(value.as_list(), depth + 1);
    case Kind::kTuple:
      open_form(out_, "tuple", 2);
      return write_items(value.as_list(), depth + 1);
    case Kind::kMap:
      return write_map(value.as_map(), depth + 1);
    case Kind::kBigInt:
      write_big_integer(value.big_negative(), value.big_magnitude());
      return true;
    case Kind::kTensor:
      return write_tensor(*value.as_tensor());
    case Kind::kTable:
      return write_table(value.as_table(), depth);
    case Kind::kExtension:
      if (depth >= kMaxDepth) {
        return fail(depth_error());
      }
      open_form(out_, "ext", 3);
      out_.text(value.extension_type());
      return write(value.extension_payload(), depth + 1);
    case Kind::kHost: {
      const base::Result<Value> native = to_native(value);
      return native.has_value() ? write(*native, depth) : fail(native.error());
    }
  }
  return false;
}

bool Encoder::write_items(const std::vector<Value>& items, int depth) {
  if (depth > kMaxDepth) {
    return fail(depth_error());
  }
  out_.array(items.size());
  for (const Value& item : items) {
    if (!write(item, depth)) {
      return false;
    }
  }
  return true;
}

bool Encoder::write_map(const std::vector<MapEntry>& entries, int depth) {
  if (depth > kMaxDepth) {
    return fail(depth_error());
  }
  const bool escaped = std::any_of(entries.begin(), entries.end(),
                                   [](const MapEntry& e) { return e.first == kReservedKey; });
  if (escaped) {
    open_form(out_, "map", 2);
    out_.array(entries.size());
  } else {
    out_.map(entries.size());
  }
  const auto write_entry = [&](const MapEntry& entry) {
    if (escaped) {
      out_.array(2);
    }
    out_.text(entry.first);
    return write(entry.second, depth);
  };
  if (mode_ == Mode::kTransport || is_sorted(entries)) {
    return std::all_of(entries.begin(), entries.end(), write_entry);
  }
  const std::vector<const MapEntry*> order = sorted(entries);
  return std::all_of(order.begin(), order.end(),
                     [&](const MapEntry* entry) { return write_entry(*entry); });
}

void Encoder::write_float(double value) {
  if (std::isfinite(value)) {
    out_.real(value);
    return;
  }
  open_form(out_, "float", 2);
  const std::uint64_t bits = __builtin_bswap64(std::bit_cast<std::uint64_t>(value));
  out_.head(CborMajor::kBytes, sizeof bits);
  out_.raw(&bits, sizeof bits);
}

void Encoder::write_big_integer(bool negative, std::string_view magnitude) {
  // CBOR's own integers hold the magnitude, or the magnitude minus one when negative, in 64 bits.
  const bool is_lowest = negative && magnitude.size() == 9 && magnitude[0] == 1 &&
                         magnitude.find_first_not_of('\0', 1) == std::string_view::npos;
  if (magnitude.size() <= 8 || is_lowest) {
    std::uint64_t small = 0;
    for (const char byte : magnitude) {
      small = small << 8 | static_cast<std::uint8_t>(byte);
    }
    if (negative && (small != 0 || is_lowest)) {
      out_.head(CborMajor::kNegative, small - 1);
    } else {
      out_.head(CborMajor::kUnsigned, small);
    }
    return;
  }
  open_form(out_, "int", 3);
  out_.integer(negative ? -1 : 1);
  out_.bytes(std::as_bytes(std::span(magnitude.data(), magnitude.size())));
}

bool Encoder::write_tensor(const Tensor& tensor) {
  // A broadcast array of a few bytes may stand for more elements than any memory holds.
  if (!tensor.is_contiguous() && tensor.size_bytes() > machine_memory_bytes()) {
    return fail({base::ErrorCode::kResourceExhausted,
                 "tensor longer than this machine's memory: size_bytes=" +
                     std::to_string(tensor.size_bytes())});
  }
  open_tensor(tensor.dtype(), tensor.shape());
  const std::shared_ptr<const Tensor> packed = tensor.contiguous();
  write_data({packed->data(), static_cast<std::size_t>(packed->size_bytes())}, packed->buffer());
  return true;
}

void Encoder::open_tensor(DType dtype, std::span<const std::int64_t> shape) {
  open_form(out_, "tensor", 4);
  out_.text(to_string(dtype));
  out_.array(shape.size());
  for (const std::int64_t extent : shape) {
    out_.integer(extent);
  }
}

bool Encoder::write_table(const std::shared_ptr<const Table>& table, int depth) {
  return mode_ == Mode::kTransport ? write_transport_table(table, depth)
                                   : write_canonical_table(table, depth);
}

bool Encoder::write_canonical_table(const std::shared_ptr<const Table>& table, int depth) {
  base::Result<TableForm> form = to_form(table);
  if (!form.has_value()) {
    return fail(form.error());
  }
  open_form(out_, "table", 4);
  // The schema is lists, maps, text and integers, nested no deeper than the columns are.
  if (!write(form->schema, depth)) {
    return false;
  }
  out_.integer(form->num_rows);
  out_.array(form->buffers.size());
  for (const std::shared_ptr<const Buffer>& buffer : form->buffers) {
    write_data({buffer->data(), static_cast<std::size_t>(buffer->size_bytes())}, buffer);
  }
  return true;
}

bool Encoder::write_transport_table(const std::shared_ptr<const Table>& table, int depth) {
  base::Result<TransportTable> form = to_transport(table);
  if (!form.has_value()) {
    return fail(form.error());
  }
  open_form(out_, "arrow", 4);
  if (!write(form->schema, depth) || !write(form->batches, depth)) {
    return false;
  }
  out_.array(form->buffers.size());
  for (const std::shared_ptr<const Buffer>& buffer : form->buffers) {
    write_data({buffer->data(), static_cast<std::size_t>(buffer->size_bytes())}, buffer);
  }
  return true;
}

void Encoder::write_data(std::span<const std::byte> data, std::shared_ptr<const Buffer> owner) {
  if (write_borrowed(data)) {
    owners_.back() = std::move(owner);
  }
}

bool Encoder::write_borrowed(std::span<const std::byte> data) {
  if (static_cast<std::int64_t>(data.size()) <= limit_bytes_) {
    out_.bytes(data);
    return false;
  }
  if (mode_ == Mode::kTransport) {
    open_form(out_, "buffer", 3);
    out_.integer(static_cast<std::int64_t>(buffers_.size()));
    out_.integer(static_cast<std::int64_t>(data.size()));
    buffers_.push_back(data);
  } else {
    write_links(data);
  }
  owners_.emplace_back();
  return true;
}

void Encoder::write_links(std::span<const std::byte> data) {
  const std::size_t count = (data.size() + kBlockBytes - 1) / kBlockBytes;
  open_form(out_, "bytes", 3);
  out_.integer(static_cast<std::int64_t>(data.size()));
  out_.array(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t start = i * kBlockBytes;
    blocks_.push_back(data.subspan(start, std::min<std::size_t>(kBlockBytes, data.size() - start)));
    char* at = out_.reserve(sizeof kLinkHead + kDigestBytes);
    std::memcpy(at, kLinkHead, sizeof kLinkHead);
    std::memset(at + sizeof kLinkHead, 0, kDigestBytes);
    out_.commit(at + sizeof kLinkHead + kDigestBytes);
    digest_offsets_.push_back(out_.size() - kDigestBytes);
  }
}

void Encoder::link(int num_threads) {
  digests_.resize(blocks_.size());
  hash_blocks(blocks_, digests_, num_threads);
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    std::memcpy(out_.at_offset(digest_offsets_[i]), digests_[i].bytes.data(), kDigestBytes);
  }
}

base::Status Encoder::deliver(const BlockSink& sink) const {
  for (std::size_t i = 0; sink && i < blocks_.size(); ++i) {
    PENSTOCK_RETURN_IF_ERROR(sink(digests_[i], blocks_[i]));
  }
  return {};
}

}  // namespace penstock::core
