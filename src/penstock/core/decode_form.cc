// Reserved forms: {"$penstock": [name, ...]}. The reader stands behind the key.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "penstock/core/decode.h"
#include "penstock/core/table_codec.h"
#include "penstock/core/table_transport.h"

namespace penstock::core {

bool Decoder::read_form(int depth, Value& out) {
  std::uint64_t num_items = 0;
  std::string_view name;
  if (!in_.array(num_items) || num_items == 0 || !in_.text(name)) {
    return in_.fail("reserved form without a name");
  }
  struct Row {
    std::string_view name;
    std::uint64_t num_items;
  };
  constexpr Row kForms[] = {{"float", 2},  {"int", 3},   {"tuple", 2}, {"map", 2},
                            {"tensor", 4}, {"table", 4}, {"ext", 3},   {"arrow", 4}};
  const Row* row = std::find_if(std::begin(kForms), std::end(kForms),
                                [&](const Row& form) { return form.name == name; });
  // Tables as they lie are for processes of one run only.
  if (row == std::end(kForms) || (row->name == "arrow" && !transport_)) {
    return read_long_bytes(name, num_items, out);
  }
  if (row->num_items != num_items) {
    return in_.fail("reserved form with the wrong number of items: form=" + std::string(name) +
                    " wanted=" + std::to_string(row->num_items) +
                    " seen=" + std::to_string(num_items));
  }
  switch (row - kForms) {
    case 0:
      return read_float(out);
    case 1:
      return read_big_integer(out);
    case 2: {
      std::uint64_t count = 0;
      std::vector<Value> items;
      if (!in_.array(count) || !read_items(count, depth, items)) {
        return false;
      }
      out = Value::tuple(std::move(items));
      return true;
    }
    case 3:
      return read_escaped_map(depth, out);
    case 4:
      return read_tensor(out);
    case 5:
      return read_table(depth, out);
    case 6:
      return read_extension(depth, out);
    default:
      return read_transport_table(depth, out);
  }
}

bool Decoder::read_float(Value& out) {
  std::string_view bytes;
  if (!in_.bytes(bytes)) {
    return false;
  }
  std::uint64_t bits = 0;
  if (bytes.size() != sizeof bits) {
    return in_.fail("float form: wanted 8 bytes");
  }
  std::memcpy(&bits, bytes.data(), sizeof bits);
  const double value = std::bit_cast<double>(__builtin_bswap64(bits));
  if (std::isfinite(value)) {
    return in_.fail("float form of a finite number, wanted a plain float");
  }
  out = Value::real(value);
  return true;
}

bool Decoder::read_big_integer(Value& out) {
  CborHead sign;
  std::string_view magnitude;
  if (!in_.head(sign)) {
    return false;
  }
  const bool negative = sign.major == CborMajor::kNegative && sign.argument == 0;
  if (!negative && !(sign.major == CborMajor::kUnsigned && sign.argument == 1)) {
    return in_.fail("int form: the sign must be 1 or -1");
  }
  if (!in_.bytes(magnitude)) {
    return false;
  }
  const bool is_lowest =  // -2^64 is the last one that CBOR's own integers hold
      negative && magnitude == std::string_view("\1\0\0\0\0\0\0\0\0", 9);
  if (magnitude.size() <= 8 || magnitude[0] == 0 || is_lowest) {
    return in_.fail("int form of an integer that has a shorter form");
  }
  out = Value::big_integer(negative, std::string(magnitude));
  return true;
}

bool Decoder::read_escaped_map(int depth, Value& out) {
  std::uint64_t count = 0;
  if (!in_.array(count)) {
    return false;
  }
  if (depth >= kMaxDepth) {
    return in_.fail("nested too deeply: limit=" + std::to_string(kMaxDepth));
  }
  std::vector<MapEntry> entries;
  std::string_view previous;
  bool has_reserved_key = false;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string_view key;
    if (!in_.array_of(2) || !read_key(i, previous, key)) {
      return false;
    }
    has_reserved_key = has_reserved_key || key == kReservedKey;
    entries.emplace_back(key, Value());
    if (!read(entries.back().second, depth + 1)) {
      return false;
    }
    previous = key;
  }
  if (!has_reserved_key) {
    return in_.fail("escaped map without the reserved key, wanted a plain map");
  }
  if (transport_ && !check_unique(entries)) {
    return false;
  }
  out = Value::map(std::move(entries));
  return true;
}

bool Decoder::read_tensor(Value& out) {
  std::string_view name;
  std::uint64_t num_dimensions = 0;
  if (!in_.text(name)) {
    return false;
  }
  const base::Result<DType> dtype = parse_dtype(name);
  if (!dtype.has_value()) {
    return in_.fail("tensor form: unknown dtype");
  }
  if (!in_.array(num_dimensions)) {
    return false;
  }
  std::vector<std::int64_t> shape;
  for (std::uint64_t i = 0; i < num_dimensions; ++i) {
    std::uint64_t extent = 0;
    if (!in_.unsigned_integer(extent)) {
      return false;
    }
    if (extent > INT64_MAX) {
      return in_.fail("tensor form: extent beyond 63 bits");
    }
    shape.push_back(static_cast<std::int64_t>(extent));
  }
  std::shared_ptr<const Buffer> buffer;
  if (!read_buffer(buffer)) {
    return false;
  }
  auto tensor = Tensor::create_contiguous(*dtype, std::move(shape), std::move(buffer));
  if (!tensor.has_value()) {
    return in_.fail("tensor form: " + tensor.error().message());
  }
  out = Value::tensor(std::move(*tensor));
  return true;
}

bool Decoder::read_table(int depth, Value& out) {
  TableForm form;
  std::uint64_t num_rows = 0;
  std::uint64_t num_buffers = 0;
  if (!read(form.schema, depth) || !in_.unsigned_integer(num_rows)) {
    return false;
  }
  if (num_rows > INT64_MAX) {
    return in_.fail("table form: number of rows beyond 63 bits");
  }
  form.num_rows = static_cast<std::int64_t>(num_rows);
  if (!in_.array(num_buffers)) {
    return false;
  }
  for (std::uint64_t i = 0; i < num_buffers; ++i) {
    if (!read_buffer(form.buffers.emplace_back())) {
      return false;
    }
  }
  base::Result<std::shared_ptr<const Table>> table = from_form(std::move(form));
  if (!table.has_value()) {
    return in_.fail(table.error());
  }
  out = Value::table(std::move(*table));
  return true;
}

bool Decoder::read_transport_table(int depth, Value& out) {
  TransportTable form;
  std::uint64_t num_buffers = 0;
  if (!read(form.schema, depth) || !read(form.batches, depth) || !in_.array(num_buffers)) {
    return false;
  }
  for (std::uint64_t i = 0; i < num_buffers; ++i) {
    if (!read_buffer(form.buffers.emplace_back())) {
      return false;
    }
  }
  base::Result<std::shared_ptr<const Table>> table = from_transport(std::move(form));
  if (!table.has_value()) {
    return in_.fail(table.error());
  }
  out = Value::table(std::move(*table));
  return true;
}

bool Decoder::read_extension(int depth, Value& out) {
  std::string_view type;
  Value payload;
  if (!in_.text(type)) {
    return false;
  }
  if (depth >= kMaxDepth) {
    return in_.fail("nested too deeply: limit=" + std::to_string(kMaxDepth));
  }
  if (!read(payload, depth + 1)) {
    return false;
  }
  out = Value::extension(std::string(type), std::move(payload));
  return true;
}

bool Decoder::read_long_bytes(std::string_view name, std::uint64_t num_items, Value& out) {
  Data data;
  if (!read_data_form(name, num_items, data)) {
    return false;
  }
  const Buffer& buffer = *data.buffer;
  out = Value::bytes(std::string(reinterpret_cast<const char*>(buffer.data()),
                                 static_cast<std::size_t>(buffer.size_bytes())));
  return true;
}

}  // namespace penstock::core
