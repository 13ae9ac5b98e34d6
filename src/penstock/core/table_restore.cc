// A table from its canonical form. The form may come from a file or a peer: nothing is believed.
#include <cstring>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "penstock/core/table_codec.h"
#include "penstock/core/table_layout.h"

namespace penstock::core {
namespace {

using base::ErrorCode;
using base::fail;

constexpr std::int64_t kKnownFlags =
    ARROW_FLAG_DICTIONARY_ORDERED | ARROW_FLAG_NULLABLE | ARROW_FLAG_MAP_KEYS_SORTED;

std::unexpected<base::Error> bad(std::string what) {
  return fail(ErrorCode::kDataLoss, "table form: " + std::move(what));
}

// ---- schema
// --------------------------------------------------------------------------------------

struct SchemaGuard {
  std::vector<ArrowSchema> fields;
  ~SchemaGuard() {
    for (ArrowSchema& field : fields) {
      if (field.release != nullptr) {
        field.release(&field);
      }
    }
  }
};

base::Result<ArrowSchema> parse_field(const Value& form, int depth) {
  if (depth > kMaxTypeDepth) {
    return bad(fmt::format("types nest deeper than {} levels", kMaxTypeDepth));
  }
  const Value* name = form.find("name");
  const Value* type = form.find("type");
  const Value* flags = form.find("flags");
  const Value* children = form.find("children");
  const Value* dictionary = form.find("dictionary");
  if (name == nullptr || !name->is(Kind::kText) || type == nullptr || !type->is(Kind::kText) ||
      flags == nullptr || !flags->is(Kind::kInt)) {
    return bad("a field wants the keys name, type (texts) and flags (an int)");
  }
  const std::size_t known = 3U + (children != nullptr ? 1 : 0) + (dictionary != nullptr ? 1 : 0);
  if (form.as_map().size() != known) {
    return bad(fmt::format("field '{}' has keys beyond those of the format", name->as_text()));
  }
  // C strings: what follows a zero byte would be invisible, so two forms would give one table.
  if (name->as_text().contains('\0') || type->as_text().contains('\0')) {
    return bad("a field's name or type contains a zero byte");
  }
  if ((flags->as_int() & ~kKnownFlags) != 0) {
    return bad(fmt::format("unknown flags: seen {}, wanted a sum of 1, 2 and 4", flags->as_int()));
  }
  SchemaGuard below;
  if (children != nullptr) {
    if (!children->is(Kind::kList) || children->as_list().empty()) {
      return bad("'children' wants a list that is not empty");
    }
    for (const Value& child : children->as_list()) {
      PENSTOCK_ASSIGN_OR_RETURN(ArrowSchema parsed, parse_field(child, depth + 1));
      below.fields.push_back(parsed);
    }
  }
  ArrowSchema values{};
  if (dictionary != nullptr) {
    PENSTOCK_ASSIGN_OR_RETURN(values, parse_field(*dictionary, depth + 1));
  }
  return make_schema(type->as_text(), name->as_text(), flags->as_int(),
                     std::exchange(below.fields, {}), dictionary != nullptr ? &values : nullptr);
}

// ---- arrays
// --------------------------------------------------------------------------------------

/// An array that owns its buffers.
struct OwnedArray {
  std::vector<std::shared_ptr<const Buffer>> owners;
  std::vector<const void*> buffers;
  std::vector<ArrowArray> children;
  std::vector<ArrowArray*> pointers;
  ArrowArray dictionary{};
};

void release_array(ArrowArray* array) {
  auto* owned = static_cast<OwnedArray*>(array->private_data);
  for (ArrowArray* child : owned->pointers) {
    if (child->release != nullptr) {
      child->release(child);
    }
  }
  if (owned->dictionary.release != nullptr) {
    owned->dictionary.release(&owned->dictionary);
  }
  array->release = nullptr;
  delete owned;
}

struct ArrayGuard {
  ArrowArray array{};
  ~ArrayGuard() {
    if (array.release != nullptr) {
      array.release(&array);
    }
  }
  ArrowArray take() { return std::exchange(array, ArrowArray{}); }
};

class Restorer {
 public:
  explicit Restorer(std::vector<std::shared_ptr<const Buffer>> buffers)
      : buffers_(std::move(buffers)) {}

  base::Result<ArrowArray> column(const ArrowSchema& field, std::int64_t length);
  bool at_end() const { return next_ == buffers_.size(); }

 private:
  using Owned = std::unique_ptr<OwnedArray>;

  /// The next buffer; its size must be `wanted` bytes, or anything when that is negative.
  base::Result<std::shared_ptr<const Buffer>> take(std::int64_t wanted, const char* what);
  base::Status take_validity(OwnedArray& out, std::int64_t length, std::int64_t* null_count);
  template <class Offset>
  base::Result<std::int64_t> take_offsets(OwnedArray& out, std::int64_t length);
  template <class Offset>
  base::Status take_variable(OwnedArray& out, std::int64_t length, bool is_text);
  base::Status take_views(OwnedArray& out, std::int64_t length, bool is_text);
  base::Status add_child(OwnedArray& out, const ArrowSchema& field, std::int64_t length);
  base::Status take_body(OwnedArray& out, const ArrowSchema& field, const TypeLayout& type,
                         std::int64_t length);
  base::Result<ArrowArray> take_dictionary(const ArrowSchema& field);

  std::vector<std::shared_ptr<const Buffer>> buffers_;
  std::size_t next_ = 0;
};

void push(OwnedArray& out, std::shared_ptr<const Buffer> buffer) {
  out.buffers.push_back(buffer->data());
  out.owners.push_back(std::move(buffer));
}

ArrowArray finish(std::unique_ptr<OwnedArray> owned, std::int64_t length, std::int64_t null_count) {
  for (ArrowArray& child : owned->children) {
    owned->pointers.push_back(&child);
  }
  ArrowArray array{};
  array.length = length;
  array.null_count = null_count;
  array.n_buffers = static_cast<std::int64_t>(owned->buffers.size());
  array.buffers = owned->buffers.data();
  array.n_children = static_cast<std::int64_t>(owned->children.size());
  array.children = owned->pointers.data();
  array.dictionary = owned->dictionary.release != nullptr ? &owned->dictionary : nullptr;
  array.release = release_array;
  array.private_data = owned.release();
  return array;
}

/// Whole text valid and no value starts inside a character.
template <class Offset>
bool is_text_valid(const Buffer& data, const Buffer& offsets, std::int64_t length) {
  const auto* bytes = reinterpret_cast<const char*>(data.data());
  if (!is_valid_utf8({bytes, static_cast<std::size_t>(data.size_bytes())})) {
    return false;
  }
  for (std::int64_t i = 1; i < length; ++i) {
    const std::int64_t at = load<Offset>(offsets.data(), i);
    if (at < data.size_bytes() && (bytes[at] & 0xC0) == 0x80) {
      return false;
    }
  }
  return true;
}

base::Result<std::shared_ptr<const Buffer>> Restorer::take(std::int64_t wanted, const char* what) {
  if (next_ == buffers_.size()) {
    return bad(fmt::format("too few buffers: seen {}, wanted more ({})", buffers_.size(), what));
  }
  auto buffer = buffers_[next_++];
  if (buffer == nullptr || (wanted >= 0 && buffer->size_bytes() != wanted)) {
    return bad(fmt::format("size of buffer {} ({}): seen {} bytes, wanted {}", next_ - 1, what,
                           buffer == nullptr ? -1 : buffer->size_bytes(), wanted));
  }
  // Values are read in place by Arrow, which wants them aligned; parts of a message may not be.
  if (buffer->size_bytes() > 0 && reinterpret_cast<std::uintptr_t>(buffer->data()) % 8 != 0) {
    auto aligned = Buffer::allocate(buffer->size_bytes());
    std::memcpy(aligned->mutable_data(), buffer->data(),
                static_cast<std::size_t>(buffer->size_bytes()));
    return aligned;
  }
  return buffer;
}

base::Status Restorer::take_validity(OwnedArray& out, std::int64_t length,
                                     std::int64_t* null_count) {
  PENSTOCK_ASSIGN_OR_RETURN(auto bits, take(-1, "validity"));
  *null_count = 0;
  if (bits->size_bytes() == 0) {
    out.buffers.push_back(nullptr);
    return {};
  }
  if (bits->size_bytes() != bitmap_bytes(length)) {
    return bad(fmt::format("validity of {} slots: seen {} bytes, wanted 0 or {}", length,
                           bits->size_bytes(), bitmap_bytes(length)));
  }
  for (std::int64_t i = 0; i < length; ++i) {
    *null_count += get_bit(bits->data(), i) ? 0 : 1;
  }
  push(out, std::move(bits));
  return {};
}

template <class Offset>
base::Result<std::int64_t> Restorer::take_offsets(OwnedArray& out, std::int64_t length) {
  std::int64_t wanted = 0;
  if (__builtin_mul_overflow(length + 1, std::int64_t{sizeof(Offset)}, &wanted)) {
    return bad(fmt::format("{} rows do not fit", length));
  }
  PENSTOCK_ASSIGN_OR_RETURN(auto offsets, take(wanted, "offsets"));
  Offset last = load<Offset>(offsets->data(), 0);
  bool ordered = last == 0;
  for (std::int64_t i = 1; i <= length; ++i) {
    const Offset next = load<Offset>(offsets->data(), i);
    ordered = ordered && next >= last;
    last = next;
  }
  if (!ordered) {
    return bad("offsets do not start at 0 or run backwards");
  }
  push(out, std::move(offsets));
  return std::int64_t{last};
}

template <class Offset>
base::Status Restorer::take_variable(OwnedArray& out, std::int64_t length, bool is_text) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::int64_t size, take_offsets<Offset>(out, length));
  PENSTOCK_ASSIGN_OR_RETURN(auto data, take(size, "bytes"));
  if (is_text && !is_text_valid<Offset>(*data, *out.owners.back(), length)) {
    return bad("text that is not UTF-8");
  }
  push(out, std::move(data));
  return {};
}

base::Status Restorer::take_views(OwnedArray& out, std::int64_t length, bool is_text) {
  OwnedArray packed;
  PENSTOCK_RETURN_IF_ERROR(take_variable<std::int64_t>(packed, length, is_text));
  const auto& offsets = packed.owners[0];
  const auto& data = packed.owners[1];
  // A view addresses its buffer with 31 bits.
  if (data->size_bytes() > std::numeric_limits<std::int32_t>::max()) {
    return bad(fmt::format("bytes of a view column: seen {}, wanted at most 2147483647",
                           data->size_bytes()));
  }
  auto views = Buffer::allocate(length * 16);
  std::memset(views->mutable_data(), 0, static_cast<std::size_t>(length * 16));
  for (std::int64_t i = 0; i < length; ++i) {
    const auto begin = load<std::int64_t>(offsets->data(), i);
    const auto size = static_cast<std::int32_t>(load<std::int64_t>(offsets->data(), i + 1) - begin);
    std::byte* view = views->mutable_data() + i * 16;
    std::memcpy(view, &size, 4);
    if (size > 0) {
      std::memcpy(view + 4, data->data() + begin, static_cast<std::size_t>(size <= 12 ? size : 4));
    }
    if (size > 12) {
      const auto offset = static_cast<std::int32_t>(begin);
      std::memcpy(view + 12, &offset, 4);
    }
  }
  auto sizes = Buffer::allocate(8);
  const std::int64_t size = data->size_bytes();
  std::memcpy(sizes->mutable_data(), &size, 8);
  push(out, std::move(views));
  push(out, data);
  push(out, std::move(sizes));
  return {};
}

base::Status Restorer::add_child(OwnedArray& out, const ArrowSchema& field, std::int64_t length) {
  PENSTOCK_ASSIGN_OR_RETURN(ArrowArray child, column(field, length));
  out.children.push_back(child);
  return {};
}

base::Status Restorer::take_body(OwnedArray& out, const ArrowSchema& field, const TypeLayout& type,
                                 std::int64_t length) {
  switch (type.layout) {
    case Layout::kNull:
      return {};
    case Layout::kBits: {
      PENSTOCK_ASSIGN_OR_RETURN(auto bits, take(bitmap_bytes(length), "bits"));
      push(out, std::move(bits));
      return {};
    }
    case Layout::kFixed: {
      std::int64_t size = 0;
      if (__builtin_mul_overflow(length, type.width, &size)) {
        return bad(fmt::format("{} values of {} bytes do not fit", length, type.width));
      }
      PENSTOCK_ASSIGN_OR_RETURN(auto data, take(size, "values"));
      push(out, std::move(data));
      return {};
    }
    case Layout::kVariable32:
      return take_variable<std::int32_t>(out, length, type.is_text);
    case Layout::kVariable64:
      return take_variable<std::int64_t>(out, length, type.is_text);
    case Layout::kView:
      return take_views(out, length, type.is_text);
    case Layout::kList32: {
      PENSTOCK_ASSIGN_OR_RETURN(const std::int64_t total, take_offsets<std::int32_t>(out, length));
      return add_child(out, *field.children[0], total);
    }
    case Layout::kList64: {
      PENSTOCK_ASSIGN_OR_RETURN(const std::int64_t total, take_offsets<std::int64_t>(out, length));
      return add_child(out, *field.children[0], total);
    }
    case Layout::kFixedList: {
      std::int64_t total = 0;
      if (__builtin_mul_overflow(length, type.list_size, &total)) {
        return bad(fmt::format("{} lists of {} do not fit", length, type.list_size));
      }
      return add_child(out, *field.children[0], total);
    }
    case Layout::kStruct:
      for (std::int64_t c = 0; c < field.n_children; ++c) {
        PENSTOCK_RETURN_IF_ERROR(add_child(out, *field.children[c], length));
      }
      return {};
  }
  return {};
}

base::Result<ArrowArray> Restorer::take_dictionary(const ArrowSchema& field) {
  PENSTOCK_ASSIGN_OR_RETURN(const TypeLayout type, parse_format(field.format));
  if (next_ + 1 >= buffers_.size() || buffers_[next_ + 1] == nullptr) {
    return bad("too few buffers for a dictionary");
  }
  // Its length is not written: it follows from the size of its values or of their offsets.
  const std::int64_t size = buffers_[next_ + 1]->size_bytes();
  std::int64_t length = 0;
  if (type.layout == Layout::kFixed) {
    length = size / type.width;
  } else {
    length = size / (type.layout == Layout::kVariable32 ? 4 : 8) - 1;
  }
  if (length < 0) {
    return bad("a dictionary without offsets");
  }
  return column(field, length);
}

base::Result<ArrowArray> Restorer::column(const ArrowSchema& field, std::int64_t length) {
  if (length > std::numeric_limits<std::int64_t>::max() / 4) {
    return bad(fmt::format("length of column '{}': seen {}", field.name, length));
  }
  PENSTOCK_ASSIGN_OR_RETURN(const TypeLayout type, parse_format(field.format));
  // Built inside a guard, so that children made before an error are released.
  ArrayGuard guard{.array = finish(std::make_unique<OwnedArray>(), 0, 0)};
  auto* owned = static_cast<OwnedArray*>(guard.array.private_data);
  std::int64_t null_count = type.layout == Layout::kNull ? length : 0;
  if (type.layout != Layout::kNull) {
    PENSTOCK_RETURN_IF_ERROR(take_validity(*owned, length, &null_count));
  }
  // add_child() may move `children`; the guard's pointers are set again by finish().
  auto filled = take_body(*owned, field, type, length);
  if (filled.has_value() && field.dictionary != nullptr) {
    auto values = take_dictionary(*field.dictionary);
    if (values.has_value()) {
      owned->dictionary = *values;
    } else {
      filled = fail(values.error());
    }
  }
  for (ArrowArray& child : owned->children) {
    owned->pointers.push_back(&child);
  }
  if (!filled.has_value()) {
    return fail(filled.error());
  }
  owned->pointers.clear();
  guard.take();
  return finish(std::unique_ptr<OwnedArray>(owned), length, null_count);
}

bool same_form(const TableForm& a, const std::vector<std::shared_ptr<const Buffer>>& buffers) {
  if (a.buffers.size() != buffers.size()) {
    return false;
  }
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    const Buffer &x = *a.buffers[i], &y = *buffers[i];
    if (x.size_bytes() != y.size_bytes() ||
        (x.size_bytes() > 0 && x.data() != y.data() &&
         std::memcmp(x.data(), y.data(), static_cast<std::size_t>(x.size_bytes())) != 0)) {
      return false;
    }
  }
  return true;
}

}  // namespace

base::Result<ArrowSchema> schema_from_form(const Value& form) {
  if (!form.is(Kind::kList)) {
    return bad("wants a list of fields");
  }
  SchemaGuard fields;
  for (const Value& field : form.as_list()) {
    PENSTOCK_ASSIGN_OR_RETURN(ArrowSchema parsed, parse_field(field, 1));
    fields.fields.push_back(parsed);
  }
  SchemaGuard root;
  root.fields.push_back(make_schema("+s", "", 0, std::exchange(fields.fields, {}), nullptr));
  if (auto checked = check_schema(root.fields[0]); !checked.has_value()) {
    return bad(checked.error().message());
  }
  return std::exchange(root.fields[0], ArrowSchema{});
}

base::Result<std::shared_ptr<const Table>> from_form(TableForm form) {
  if (form.num_rows < 0) {
    return bad("wants a number of rows that is not negative");
  }
  SchemaGuard root;
  PENSTOCK_ASSIGN_OR_RETURN(ArrowSchema parsed, schema_from_form(form.schema));
  root.fields.push_back(parsed);
  const ArrowSchema& schema = root.fields[0];
  const std::vector<std::shared_ptr<const Buffer>> buffers = std::move(form.buffers);
  Restorer restorer(buffers);
  auto owned = std::make_unique<OwnedArray>();
  owned->buffers.push_back(nullptr);
  ArrayGuard batch{.array = finish(std::move(owned), form.num_rows, 0)};
  auto* columns = static_cast<OwnedArray*>(batch.array.private_data);
  columns->children.reserve(static_cast<std::size_t>(schema.n_children));
  for (std::int64_t c = 0; c < schema.n_children; ++c) {
    PENSTOCK_ASSIGN_OR_RETURN(ArrowArray column,
                              restorer.column(*schema.children[c], form.num_rows));
    columns->children.push_back(column);
    columns->pointers.push_back(&columns->children.back());
  }
  if (!restorer.at_end()) {
    return bad(fmt::format("buffers left over: seen {}", buffers.size()));
  }
  batch.array.n_children = schema.n_children;
  batch.array.children = columns->pointers.data();
  std::vector<ArrowArray> batches;
  batches.push_back(batch.take());
  PENSTOCK_ASSIGN_OR_RETURN(auto table, Table::create(&root.fields[0], std::move(batches)));

  // One value, one form: what does not come back bit by bit was not canonical.
  PENSTOCK_ASSIGN_OR_RETURN(const TableForm again, to_form(table));
  if (!(again.schema == form.schema) || !same_form(again, buffers)) {
    return bad("not canonical (null slots, padding, dictionary order or offsets)");
  }
  return table;
}

}  // namespace penstock::core
