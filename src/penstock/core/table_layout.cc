#include "penstock/core/table_layout.h"

#include <charconv>
#include <limits>
#include <memory>
#include <utility>

#include <fmt/format.h>

namespace penstock::core {
namespace {

using base::ErrorCode;
using base::fail;

/// Parses all of `text` as a non-negative number.
bool parse_number(std::string_view text, std::int64_t* out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size() && *out >= 0;
}

TypeLayout fixed(std::int64_t width, bool is_integer = false) {
  return {.layout = Layout::kFixed, .width = width, .is_integer = is_integer};
}

base::Result<TypeLayout> parse_single(char letter, std::string_view format) {
  switch (letter) {
    case 'n':
      return TypeLayout{.layout = Layout::kNull};
    case 'b':
      return TypeLayout{.layout = Layout::kBits};
    case 'c':
    case 'C':
      return fixed(1, true);
    case 's':
    case 'S':
      return fixed(2, true);
    case 'i':
    case 'I':
      return fixed(4, true);
    case 'l':
    case 'L':
      return fixed(8, true);
    case 'e':
      return fixed(2);
    case 'f':
      return fixed(4);
    case 'g':
      return fixed(8);
    case 'u':
      return TypeLayout{.layout = Layout::kVariable32, .is_text = true};
    case 'U':
      return TypeLayout{.layout = Layout::kVariable64, .is_text = true};
    case 'z':
      return TypeLayout{.layout = Layout::kVariable32};
    case 'Z':
      return TypeLayout{.layout = Layout::kVariable64};
    default:
      return fail(ErrorCode::kUnimplemented, fmt::format("Arrow format '{}'", format));
  }
}

/// Dates, times, timestamps, durations, intervals: all fixed width.
base::Result<TypeLayout> parse_temporal(std::string_view format) {
  const std::string_view unit = format.substr(1);
  if (unit == "dD" || unit == "ts" || unit == "tm" || unit == "iM") {
    return fixed(4);
  }
  if (unit == "dm" || unit == "tu" || unit == "tn" || unit == "iD") {
    return fixed(8);
  }
  if (unit == "in") {
    return fixed(16);
  }
  const bool has_unit = unit.size() >= 2 && std::string_view("smun").contains(unit[1]);
  if (has_unit && ((unit[0] == 'D' && unit.size() == 2) ||
                   (unit[0] == 's' && unit.size() >= 3 && unit[2] == ':'))) {
    return fixed(8);
  }
  return fail(ErrorCode::kUnimplemented, fmt::format("Arrow format '{}'", format));
}

base::Result<TypeLayout> parse_decimal(std::string_view format) {
  const std::string_view text = format.substr(2);
  const std::size_t first = text.find(',');
  const std::size_t second = first == text.npos ? text.npos : text.find(',', first + 1);
  std::int64_t precision = 0, scale = 0, bits = 128;
  bool valid = first != text.npos && parse_number(text.substr(0, first), &precision);
  if (valid) {
    std::string_view digits =
        text.substr(first + 1, second == text.npos ? text.npos : second - first - 1);
    digits.remove_prefix(digits.starts_with('-') ? 1 : 0);
    valid = parse_number(digits, &scale);
  }
  if (valid && second != text.npos) {
    valid = parse_number(text.substr(second + 1), &bits);
  }
  valid = valid && (bits == 32 || bits == 64 || bits == 128 || bits == 256) && precision >= 1;
  if (!valid) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("Arrow decimal format wants 'd:precision,scale[,bits]', seen '{}'", format));
  }
  return fixed(bits / 8);
}

base::Result<TypeLayout> parse_nested(std::string_view format) {
  if (format == "+l") {
    return TypeLayout{.layout = Layout::kList32};
  }
  if (format == "+L") {
    return TypeLayout{.layout = Layout::kList64};
  }
  if (format == "+s") {
    return TypeLayout{.layout = Layout::kStruct};
  }
  if (format == "+m") {
    return TypeLayout{.layout = Layout::kList32, .is_map = true};
  }
  std::int64_t size = 0;
  if (format.starts_with("+w:") && parse_number(format.substr(3), &size) &&
      size <= std::numeric_limits<std::int32_t>::max()) {
    return TypeLayout{.layout = Layout::kFixedList, .list_size = size};
  }
  return fail(ErrorCode::kUnimplemented, fmt::format("Arrow format '{}'", format));
}

std::int64_t expected_children(const TypeLayout& type, std::int64_t seen) {
  switch (type.layout) {
    case Layout::kStruct:
      return seen;
    case Layout::kList32:
    case Layout::kList64:
    case Layout::kFixedList:
      return 1;
    default:
      return 0;
  }
}

/// The values a dictionary may hold: those whose count follows from their buffers.
bool may_be_dictionary(const ArrowSchema& values) {
  const auto type = parse_format(values.format == nullptr ? "" : values.format);
  return type.has_value() && values.dictionary == nullptr &&
         ((type->layout == Layout::kFixed && type->width > 0) ||
          type->layout == Layout::kVariable32 || type->layout == Layout::kVariable64 ||
          type->layout == Layout::kView);
}

std::string_view name_of(const ArrowSchema& schema) {
  return schema.name == nullptr ? std::string_view() : std::string_view(schema.name);
}

base::Status bad_array(const ArrowSchema& schema, std::string_view what, std::int64_t seen,
                       std::int64_t wanted) {
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("Arrow array '{}' of format '{}': {}: seen {}, wanted {}",
                          name_of(schema), schema.format, what, seen, wanted));
}

base::Status check_buffers(const ArrowSchema& schema, const TypeLayout& type,
                           const ArrowArray& array) {
  const bool is_view = type.layout == Layout::kView;
  std::int64_t wanted = 2;
  switch (type.layout) {
    case Layout::kNull:
      wanted = 0;
      break;
    case Layout::kFixedList:
    case Layout::kStruct:
      wanted = 1;
      break;
    case Layout::kVariable32:
    case Layout::kVariable64:
    case Layout::kView:
      wanted = 3;
      break;
    default:
      break;
  }
  if (is_view ? array.n_buffers < wanted : array.n_buffers != wanted) {
    return bad_array(schema, "number of buffers", array.n_buffers, wanted);
  }
  if (array.n_buffers > 0 && array.buffers == nullptr) {
    return bad_array(schema, "buffer list is null with buffers", array.n_buffers, 0);
  }
  // Of the buffers only validity and the bytes of variable values may be null in a non-empty array.
  const bool has_slots = array.length > 0 && (type.layout != Layout::kFixed || type.width > 0);
  if (has_slots && wanted >= 2 && array.buffers[1] == nullptr) {
    return bad_array(schema, "buffer 1 is null in an array of length", array.length, 0);
  }
  if (has_slots && array.null_count > 0 && wanted > 0 && array.buffers[0] == nullptr) {
    return bad_array(schema, "null count without a validity bitmap", array.null_count, 0);
  }
  return {};
}

struct OwnedSchema {
  std::string format, name;
  std::vector<ArrowSchema> children;
  std::vector<ArrowSchema*> pointers;
  ArrowSchema dictionary{};
};

void release_schema(ArrowSchema* schema) {
  auto* owned = static_cast<OwnedSchema*>(schema->private_data);
  for (ArrowSchema* child : owned->pointers) {
    if (child->release != nullptr) {
      child->release(child);
    }
  }
  if (owned->dictionary.release != nullptr) {
    owned->dictionary.release(&owned->dictionary);
  }
  schema->release = nullptr;
  delete owned;
}

}  // namespace

base::Result<TypeLayout> parse_format(std::string_view format) {
  if (format.size() == 1) {
    return parse_single(format[0], format);
  }
  if (format == "vu" || format == "vz") {
    return TypeLayout{.layout = Layout::kView, .is_text = format == "vu"};
  }
  if (format.starts_with("t") && format.size() >= 3) {
    return parse_temporal(format);
  }
  if (format.starts_with("d:")) {
    return parse_decimal(format);
  }
  std::int64_t width = 0;
  if (format.starts_with("w:") && parse_number(format.substr(2), &width) &&
      width <= std::numeric_limits<std::int32_t>::max()) {
    return fixed(width);
  }
  if (format.starts_with("+")) {
    return parse_nested(format);
  }
  return fail(ErrorCode::kUnimplemented, fmt::format("Arrow format '{}'", format));
}

base::Status check_schema(const ArrowSchema& schema, int depth) {
  if (schema.release == nullptr || schema.format == nullptr) {
    return fail(ErrorCode::kInvalidArgument, "Arrow schema is released or has no format");
  }
  if (depth > kMaxTypeDepth) {
    return fail(ErrorCode::kResourceExhausted,
                fmt::format("Arrow type nests deeper than {} levels", kMaxTypeDepth));
  }
  auto type = parse_format(schema.format);
  if (!type.has_value()) {
    return fail(type.error().with_context(fmt::format("column '{}'", name_of(schema))));
  }
  const std::int64_t wanted = expected_children(*type, schema.n_children);
  if (schema.n_children != wanted || schema.n_children < 0 ||
      (schema.n_children > 0 && schema.children == nullptr)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("Arrow schema '{}' of format '{}': seen {} children, wanted {}",
                            name_of(schema), schema.format, schema.n_children, wanted));
  }
  if (schema.dictionary != nullptr) {
    if (!type->is_integer) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("Arrow dictionary '{}' wants integer indices, seen format '{}'",
                              name_of(schema), schema.format));
    }
    if (!may_be_dictionary(*schema.dictionary)) {
      return fail(ErrorCode::kUnimplemented,
                  fmt::format("Arrow dictionary '{}' with values of format '{}'", name_of(schema),
                              schema.dictionary->format));
    }
    PENSTOCK_RETURN_IF_ERROR(check_schema(*schema.dictionary, depth + 1));
  }
  for (std::int64_t i = 0; i < schema.n_children; ++i) {
    if (schema.children[i] == nullptr) {
      return fail(ErrorCode::kInvalidArgument, "Arrow schema has a null child");
    }
    PENSTOCK_RETURN_IF_ERROR(check_schema(*schema.children[i], depth + 1));
  }
  if (type->is_map && (std::string_view(schema.children[0]->format) != "+s" ||
                       schema.children[0]->n_children != 2)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("Arrow map '{}' wants a struct of key and value", name_of(schema)));
  }
  return {};
}

base::Status check_array(const ArrowSchema& schema, const ArrowArray& array, int depth) {
  PENSTOCK_ASSIGN_OR_RETURN(const TypeLayout type, parse_format(schema.format));
  // Sums of offset and length, and products with a list size, must not overflow below.
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max() / 4;
  if (array.length < 0 || array.offset < 0 || array.length > kMax || array.offset > kMax) {
    return bad_array(schema, "length or offset", array.length, 0);
  }
  if (array.n_children != schema.n_children) {
    return bad_array(schema, "number of children", array.n_children, schema.n_children);
  }
  PENSTOCK_RETURN_IF_ERROR(check_buffers(schema, type, array));
  if ((array.dictionary == nullptr) != (schema.dictionary == nullptr)) {
    return bad_array(schema, "dictionaries", array.dictionary != nullptr ? 1 : 0,
                     schema.dictionary != nullptr ? 1 : 0);
  }
  if (array.dictionary != nullptr) {
    PENSTOCK_RETURN_IF_ERROR(check_array(*schema.dictionary, *array.dictionary, depth + 1));
  }
  const std::int64_t end = array.offset + array.length;
  for (std::int64_t i = 0; i < array.n_children; ++i) {
    const ArrowArray* child = array.children == nullptr ? nullptr : array.children[i];
    if (child == nullptr) {
      return bad_array(schema, "null child", i, array.n_children);
    }
    std::int64_t wanted = 0;
    if (type.layout == Layout::kStruct) {
      wanted = end;
    } else if (type.layout == Layout::kFixedList) {
      if (__builtin_mul_overflow(end, type.list_size, &wanted)) {
        return bad_array(schema, "length times list size overflows", end, 0);
      }
    }
    if (child->length < wanted) {
      return bad_array(schema, "length of a child", child->length, wanted);
    }
    PENSTOCK_RETURN_IF_ERROR(check_array(*schema.children[i], *child, depth + 1));
  }
  return {};
}

ArrowSchema make_schema(std::string format, std::string name, std::int64_t flags,
                        std::vector<ArrowSchema> children, const ArrowSchema* dictionary) {
  auto owned = std::make_unique<OwnedSchema>();
  owned->format = std::move(format);
  owned->name = std::move(name);
  owned->children = std::move(children);
  for (ArrowSchema& child : owned->children) {
    owned->pointers.push_back(&child);
  }
  if (dictionary != nullptr) {
    owned->dictionary = *dictionary;
  }
  ArrowSchema out{};
  out.format = owned->format.c_str();
  out.name = owned->name.c_str();
  out.flags = flags;
  out.n_children = static_cast<std::int64_t>(owned->children.size());
  out.children = owned->pointers.empty() ? nullptr : owned->pointers.data();
  out.dictionary = dictionary != nullptr ? &owned->dictionary : nullptr;
  out.release = release_schema;
  out.private_data = owned.release();
  return out;
}

void copy_schema(const ArrowSchema& schema, ArrowSchema* out) {
  std::vector<ArrowSchema> children(static_cast<std::size_t>(schema.n_children));
  for (std::int64_t i = 0; i < schema.n_children; ++i) {
    copy_schema(*schema.children[i], &children[static_cast<std::size_t>(i)]);
  }
  ArrowSchema dictionary{};
  if (schema.dictionary != nullptr) {
    copy_schema(*schema.dictionary, &dictionary);
  }
  // Flags beyond the three that say something about the type are not kept.
  const std::int64_t flags = schema.flags & (ARROW_FLAG_DICTIONARY_ORDERED | ARROW_FLAG_NULLABLE |
                                             ARROW_FLAG_MAP_KEYS_SORTED);
  *out = make_schema(schema.format, std::string(name_of(schema)), flags, std::move(children),
                     schema.dictionary != nullptr ? &dictionary : nullptr);
}

}  // namespace penstock::core
