// The receiving side of table_transport.h.
#include <array>
#include <utility>

#include <fmt/format.h>

#include "penstock/core/table_codec.h"
#include "penstock/core/table_layout.h"
#include "penstock/core/table_transport.h"

namespace penstock::core {
namespace {

using base::ErrorCode;
using base::fail;

std::unexpected<base::Error> bad(std::string what) {
  return fail(ErrorCode::kDataLoss, "table in transit: " + std::move(what));
}

/// What an empty buffer points to: consumers want an address, aligned, and read nothing from it.
alignas(64) constexpr std::array<std::byte, 64> kNothing{};

/// An array that owns its buffers.
struct Holder {
  std::vector<std::shared_ptr<const Buffer>> owners;
  std::vector<const void*> buffers;
  std::vector<ArrowArray> children;
  std::vector<ArrowArray*> pointers;
  ArrowArray dictionary{};
};

void release_holder(ArrowArray* array) {
  auto* const holder = static_cast<Holder*>(array->private_data);
  for (ArrowArray& child : holder->children) {
    if (child.release != nullptr) {
      child.release(&child);
    }
  }
  if (holder->dictionary.release != nullptr) {
    holder->dictionary.release(&holder->dictionary);
  }
  array->release = nullptr;
  delete holder;
}

/// Releases arrays unless they were taken over.
struct Guard {
  std::vector<ArrowArray> arrays;
  ~Guard() {
    for (ArrowArray& array : arrays) {
      if (array.release != nullptr) {
        array.release(&array);
      }
    }
  }
};

class Receiver {
 public:
  explicit Receiver(std::vector<std::shared_ptr<const Buffer>> buffers)
      : buffers_(std::move(buffers)) {}

  /// Appends the array to `out`, complete or not: `out` releases it.
  base::Status array(const ArrowSchema& field, const Value& form, int depth,
                     std::vector<ArrowArray>& out);
  bool at_end() const { return next_ == buffers_.size(); }

 private:
  base::Status take(Holder& holder, std::int64_t count);
  base::Status check_sizes(const TypeLayout& type, const Holder& holder, std::int64_t slots) const;

  std::vector<std::shared_ptr<const Buffer>> buffers_;
  std::size_t next_ = 0;
};

base::Status Receiver::take(Holder& holder, std::int64_t count) {
  if (count < 0 || static_cast<std::size_t>(count) > buffers_.size() - next_) {
    return bad(fmt::format("{} buffers wanted, {} left", count, buffers_.size() - next_));
  }
  for (std::int64_t i = 0; i < count; ++i) {
    std::shared_ptr<const Buffer>& buffer = buffers_[next_++];
    const bool is_empty = buffer->size_bytes() == 0;
    holder.buffers.push_back(!is_empty ? buffer->data() : (i == 0 ? nullptr : kNothing.data()));
    holder.owners.push_back(std::move(buffer));
  }
  return {};
}

base::Status Receiver::check_sizes(const TypeLayout& type, const Holder& holder,
                                   std::int64_t slots) const {
  const auto size = [&](std::size_t i) { return holder.owners[i]->size_bytes(); };
  const auto wants = [&](std::size_t count) { return holder.owners.size() == count; };
  const auto offsets_fit = [&]<class Offset>(Offset) {
    return size(1) == (slots + 1) * std::int64_t{sizeof(Offset)};
  };
  bool fits = type.layout == Layout::kNull ||
              (!holder.owners.empty() && (size(0) == 0 || size(0) == bitmap_bytes(slots)));
  switch (type.layout) {
    case Layout::kNull:
      fits = wants(0);
      break;
    case Layout::kBits:
      fits = fits && wants(2) && size(1) == bitmap_bytes(slots);
      break;
    case Layout::kFixed:
      fits = fits && wants(2) && size(1) == slots * type.width;
      break;
    case Layout::kVariable32:
      fits = fits && wants(3) && offsets_fit(std::int32_t{}) &&
             size(2) == load<std::int32_t>(holder.buffers[1], slots);
      break;
    case Layout::kVariable64:
      fits = fits && wants(3) && offsets_fit(std::int64_t{}) &&
             size(2) == load<std::int64_t>(holder.buffers[1], slots);
      break;
    case Layout::kView:
      fits = fits && holder.owners.size() >= 3 && size(1) == slots * 16 &&
             size(holder.owners.size() - 1) ==
                 (static_cast<std::int64_t>(holder.owners.size()) - 3) * 8;
      break;
    case Layout::kList32:
      fits = fits && wants(2) && offsets_fit(std::int32_t{});
      break;
    case Layout::kList64:
      fits = fits && wants(2) && offsets_fit(std::int64_t{});
      break;
    case Layout::kFixedList:
    case Layout::kStruct:
      fits = fits && wants(1);
      break;
  }
  if (!fits) {
    return bad(fmt::format("buffers do not fit {} slots", slots));
  }
  return {};
}

base::Status Receiver::array(const ArrowSchema& field, const Value& form, int depth,
                             std::vector<ArrowArray>& out) {
  constexpr std::size_t kItems = 6;
  if (depth > kMaxTypeDepth || !form.is(Kind::kList) || form.as_list().size() != kItems) {
    return bad("an array wants six items");
  }
  const std::vector<Value>& items = form.as_list();
  for (std::size_t i = 0; i < 4; ++i) {
    if (!items[i].is(Kind::kInt)) {
      return bad("an array wants four numbers");
    }
  }
  constexpr std::int64_t kMaxSlots = std::int64_t{1} << 48;
  const std::int64_t length = items[0].as_int();
  const std::int64_t offset = items[2].as_int();
  if (length < 0 || length > kMaxSlots || offset < 0 || offset > 7 || !items[4].is(Kind::kList) ||
      items[4].as_list().size() != static_cast<std::size_t>(field.n_children) ||
      items[5].is_null() != (field.dictionary == nullptr)) {
    return bad(fmt::format("array of field '{}': length={} offset={}", field.name, length, offset));
  }
  PENSTOCK_ASSIGN_OR_RETURN(const TypeLayout type, parse_format(field.format));
  auto* const holder = new Holder;
  ArrowArray array{};
  array.length = length;
  array.null_count = items[1].as_int();
  array.offset = offset;
  array.release = release_holder;
  array.private_data = holder;
  out.push_back(array);
  PENSTOCK_RETURN_IF_ERROR(take(*holder, items[3].as_int()));
  PENSTOCK_RETURN_IF_ERROR(check_sizes(type, *holder, offset + length));
  for (std::int64_t c = 0; c < field.n_children; ++c) {
    PENSTOCK_RETURN_IF_ERROR(this->array(*field.children[c],
                                         items[4].as_list()[static_cast<std::size_t>(c)], depth + 1,
                                         holder->children));
  }
  if (field.dictionary != nullptr) {
    Guard values;
    PENSTOCK_RETURN_IF_ERROR(this->array(*field.dictionary, items[5], depth + 1, values.arrays));
    holder->dictionary = std::exchange(values.arrays[0], ArrowArray{});
  }
  for (ArrowArray& child : holder->children) {
    holder->pointers.push_back(&child);
  }
  // `out` may have moved while the parts were added, not what it points to.
  ArrowArray& done = out.back();
  done.n_buffers = static_cast<std::int64_t>(holder->buffers.size());
  done.buffers = holder->buffers.data();
  done.n_children = field.n_children;
  done.children = holder->pointers.data();
  done.dictionary = field.dictionary != nullptr ? &holder->dictionary : nullptr;
  return {};
}

}  // namespace

base::Result<std::shared_ptr<const Table>> from_transport(TransportTable form) {
  PENSTOCK_ASSIGN_OR_RETURN(ArrowSchema schema, schema_from_form(form.schema));
  struct SchemaGuard {
    ArrowSchema& schema;
    ~SchemaGuard() {
      if (schema.release != nullptr) {
        schema.release(&schema);
      }
    }
  };
  const SchemaGuard guard{schema};
  if (!form.batches.is(Kind::kList)) {
    return bad("wants a list of batches");
  }
  Receiver receiver(std::move(form.buffers));
  Guard batches;
  for (const Value& batch : form.batches.as_list()) {
    PENSTOCK_RETURN_IF_ERROR(receiver.array(schema, batch, 0, batches.arrays));
  }
  if (!receiver.at_end()) {
    return bad("buffers are left over");
  }
  return Table::create(&schema, std::exchange(batches.arrays, {}));
}

}  // namespace penstock::core
