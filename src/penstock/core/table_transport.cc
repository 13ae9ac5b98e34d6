#include "penstock/core/table_transport.h"

#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "penstock/core/table_codec.h"
#include "penstock/core/table_layout.h"

namespace penstock::core {
namespace {

using base::ErrorCode;
using base::fail;

std::unexpected<base::Error> bad(std::string what) {
  return fail(ErrorCode::kDataLoss, "table in transit: " + std::move(what));
}

// ---- out
// -----------------------------------------------------------------------------------------

class Sender {
 public:
  explicit Sender(const std::shared_ptr<const Table>& table) : table_(table) {}

  /// Slots [begin, begin + length) of `array`, counted from the start of its buffers.
  base::Result<Value> array(const ArrowSchema& field, const ArrowArray& array, std::int64_t begin,
                            std::int64_t length);
  std::vector<std::shared_ptr<const Buffer>> take_buffers() { return std::move(buffers_); }

 private:
  void refer(const void* data, std::int64_t from, std::int64_t size_bytes) {
    buffers_.push_back(size_bytes == 0 || data == nullptr
                           ? Buffer::allocate(0)
                           : Buffer::wrap(static_cast<const std::byte*>(data) + from, size_bytes,
                                          [table = table_]() mutable { table.reset(); }));
  }
  /// Offsets of `count` slots from `start`; where what they point to begins and ends.
  template <class Offset>
  base::Result<std::pair<std::int64_t, std::int64_t>> offsets(const void* data, std::int64_t start,
                                                              std::int64_t count);
  template <class Offset>
  base::Status variable(const ArrowArray& array, std::int64_t start, std::int64_t count);
  template <class Offset>
  base::Status list(const ArrowSchema& field, const ArrowArray& array, std::int64_t start,
                    std::int64_t count, std::vector<Value>& children);
  base::Status views(const ArrowArray& array, std::int64_t start, std::int64_t count);
  base::Status child(const ArrowSchema& field, const ArrowArray& array, std::int64_t start,
                     std::int64_t count, std::vector<Value>& children);

  const std::shared_ptr<const Table>& table_;
  std::vector<std::shared_ptr<const Buffer>> buffers_;
};

template <class Offset>
base::Result<std::pair<std::int64_t, std::int64_t>> Sender::offsets(const void* data,
                                                                    std::int64_t start,
                                                                    std::int64_t count) {
  // An array without slots may come without offsets.
  if (data == nullptr || count == 0) {
    auto zero = Buffer::allocate(sizeof(Offset) * (count + 1));
    std::memset(zero->mutable_data(), 0, static_cast<std::size_t>(zero->size_bytes()));
    buffers_.push_back(std::move(zero));
    return std::pair<std::int64_t, std::int64_t>(0, 0);
  }
  const auto first = static_cast<std::int64_t>(load<Offset>(data, start));
  const auto last = static_cast<std::int64_t>(load<Offset>(data, start + count));
  if (first < 0 || last < first) {
    return bad("offsets run backwards or below zero");
  }
  constexpr std::int64_t kSize = sizeof(Offset);
  if (first == 0) {
    refer(data, start * kSize, (count + 1) * kSize);
  } else {
    auto moved = Buffer::allocate((count + 1) * kSize);
    for (std::int64_t i = 0; i <= count; ++i) {
      const auto value = static_cast<Offset>(load<Offset>(data, start + i) - first);
      std::memcpy(moved->mutable_data() + i * kSize, &value, sizeof value);
    }
    buffers_.push_back(std::move(moved));
  }
  return std::pair(first, last);
}

template <class Offset>
base::Status Sender::variable(const ArrowArray& array, std::int64_t start, std::int64_t count) {
  PENSTOCK_ASSIGN_OR_RETURN(const auto range, offsets<Offset>(array.buffers[1], start, count));
  refer(array.buffers[2], range.first, range.second - range.first);
  return {};
}

template <class Offset>
base::Status Sender::list(const ArrowSchema& field, const ArrowArray& array, std::int64_t start,
                          std::int64_t count, std::vector<Value>& children) {
  PENSTOCK_ASSIGN_OR_RETURN(const auto range, offsets<Offset>(array.buffers[1], start, count));
  return child(*field.children[0], *array.children[0], range.first, range.second - range.first,
               children);
}

base::Status Sender::views(const ArrowArray& array, std::int64_t start, std::int64_t count) {
  refer(array.buffers[1], start * 16, count * 16);
  const std::int64_t num_data = array.n_buffers - 3;
  for (std::int64_t i = 0; i < num_data; ++i) {
    const auto size = load<std::int64_t>(array.buffers[array.n_buffers - 1], i);
    if (size < 0) {
      return bad(fmt::format("a view buffer of {} bytes", size));
    }
    refer(array.buffers[2 + i], 0, size);
  }
  refer(array.buffers[array.n_buffers - 1], 0, num_data * std::int64_t{sizeof(std::int64_t)});
  return {};
}

base::Status Sender::child(const ArrowSchema& field, const ArrowArray& below, std::int64_t start,
                           std::int64_t count, std::vector<Value>& children) {
  PENSTOCK_ASSIGN_OR_RETURN(Value value, array(field, below, below.offset + start, count));
  children.push_back(std::move(value));
  return {};
}

base::Result<Value> Sender::array(const ArrowSchema& field, const ArrowArray& array,
                                  std::int64_t begin, std::int64_t length) {
  PENSTOCK_ASSIGN_OR_RETURN(const TypeLayout type, parse_format(field.format));
  // Whole bytes of bitmaps: what is left of them becomes the offset of the new array.
  const std::int64_t offset = begin % 8;
  const std::int64_t start = begin - offset;
  const std::int64_t count = offset + length;
  const std::size_t first_buffer = buffers_.size();
  const bool has_nulls =
      array.n_buffers > 0 && array.buffers[0] != nullptr && array.null_count != 0;
  std::int64_t null_count = 0;
  if (type.layout != Layout::kNull) {
    refer(has_nulls ? array.buffers[0] : nullptr, start / 8, bitmap_bytes(count));
    null_count = !has_nulls ? 0 : (length == array.length ? array.null_count : -1);
  } else {
    null_count = length;
  }
  std::vector<Value> children;
  base::Status done;
  std::size_t num_buffers = 0;
  const auto count_buffers = [&] { num_buffers = buffers_.size() - first_buffer; };
  switch (type.layout) {
    case Layout::kNull:
      break;
    case Layout::kBits:
      refer(array.buffers[1], start / 8, bitmap_bytes(count));
      break;
    case Layout::kFixed:
      refer(array.buffers[1], start * type.width, count * type.width);
      break;
    case Layout::kVariable32:
      done = variable<std::int32_t>(array, start, count);
      break;
    case Layout::kVariable64:
      done = variable<std::int64_t>(array, start, count);
      break;
    case Layout::kView:
      done = views(array, start, count);
      break;
    case Layout::kList32:
    case Layout::kList64:
      num_buffers = 2;
      done = type.layout == Layout::kList32
                 ? list<std::int32_t>(field, array, start, count, children)
                 : list<std::int64_t>(field, array, start, count, children);
      break;
    case Layout::kFixedList:
      num_buffers = 1;
      done = child(*field.children[0], *array.children[0], start * type.list_size,
                   count * type.list_size, children);
      break;
    case Layout::kStruct:
      num_buffers = 1;
      for (std::int64_t c = 0; c < field.n_children && done.has_value(); ++c) {
        done = child(*field.children[c], *array.children[c], start, count, children);
      }
      break;
  }
  PENSTOCK_RETURN_IF_ERROR(done);
  if (num_buffers == 0) {
    count_buffers();
  }
  Value dictionary = Value::null();
  if (field.dictionary != nullptr) {
    const ArrowArray& values = *array.dictionary;
    PENSTOCK_ASSIGN_OR_RETURN(dictionary,
                              this->array(*field.dictionary, values, values.offset, values.length));
  }
  return Value::list({Value::integer(length), Value::integer(null_count), Value::integer(offset),
                      Value::integer(static_cast<std::int64_t>(num_buffers)),
                      Value::list(std::move(children)), std::move(dictionary)});
}

}  // namespace

base::Result<TransportTable> to_transport(const std::shared_ptr<const Table>& table) {
  TransportTable form;
  form.schema = schema_form(table->schema());
  Sender sender(table);
  std::vector<Value> batches;
  for (const ArrowArray& batch : table->batches()) {
    PENSTOCK_ASSIGN_OR_RETURN(Value value,
                              sender.array(table->schema(), batch, batch.offset, batch.length));
    batches.push_back(std::move(value));
  }
  form.batches = Value::list(std::move(batches));
  form.buffers = sender.take_buffers();
  return form;
}

}  // namespace penstock::core
