// Which SQL type an Arrow format has. How values are written is in scan_fill.cc.
#include "penstock/ops/table/scan_column.h"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "penstock/core/table_canonical.h"
#include "penstock/core/table_layout.h"

namespace penstock::ops::table {
namespace {

using base::ErrorCode;
using base::fail;

/// DuckDB numbers ENUM members; a dictionary beyond this is read as plain text.
constexpr std::size_t kMaxEnumMembers = 65'535;
constexpr std::uint32_t kNullEntry = 0xffffffff;

/// Ticks per second of a unit letter: s, m, u, n.
std::int64_t ticks(char unit) {
  switch (unit) {
    case 's':
      return 1;
    case 'm':
      return 1'000;
    case 'u':
      return 1'000'000;
    default:
      return 1'000'000'000;
  }
}

base::Status no_sql_type(const ArrowSchema& schema) {
  return fail(
      ErrorCode::kUnimplemented,
      fmt::format("column '{}' of Arrow format '{}' has no SQL type", schema.name, schema.format));
}

std::vector<const ArrowArray*> children_of(const std::vector<const ArrowArray*>& arrays,
                                           std::int64_t child) {
  std::vector<const ArrowArray*> out;
  for (const ArrowArray* array : arrays) {
    out.push_back(array->children[child]);
  }
  return out;
}

}  // namespace

void ScanColumn::set(Fill fill, duckdb_type type) {
  fill_ = fill;
  type_.reset(duckdb_create_logical_type(type));
}

void ScanColumn::set_copy(duckdb_type type, std::int64_t width) {
  set(Fill::kCopy, type);
  width_ = width;
}

void ScanColumn::set_scale(Fill fill, duckdb_type type, std::int64_t factor, bool divide) {
  set(fill, type);
  factor_ = factor;
  divide_ = divide;
}

base::Result<ScanColumn> ScanColumn::create(const ArrowSchema& schema,
                                            const std::vector<const ArrowArray*>& arrays) {
  ScanColumn column;
  if (schema.dictionary != nullptr) {
    PENSTOCK_RETURN_IF_ERROR(column.set_dictionary(schema, arrays));
  } else {
    PENSTOCK_RETURN_IF_ERROR(column.set_plain(schema, arrays));
  }
  return column;
}

base::Status ScanColumn::set_plain(const ArrowSchema& schema,
                                   const std::vector<const ArrowArray*>& arrays) {
  const std::string_view format = schema.format;
  if (format.size() == 1) {
    switch (format[0]) {
      case 'n':
        set(Fill::kNull, DUCKDB_TYPE_SQLNULL);
        return {};
      case 'b':
        set(Fill::kBits, DUCKDB_TYPE_BOOLEAN);
        return {};
      case 'c':
        set_copy(DUCKDB_TYPE_TINYINT, 1);
        return {};
      case 'C':
        set_copy(DUCKDB_TYPE_UTINYINT, 1);
        return {};
      case 's':
        set_copy(DUCKDB_TYPE_SMALLINT, 2);
        return {};
      case 'S':
        set_copy(DUCKDB_TYPE_USMALLINT, 2);
        return {};
      case 'i':
        set_copy(DUCKDB_TYPE_INTEGER, 4);
        return {};
      case 'I':
        set_copy(DUCKDB_TYPE_UINTEGER, 4);
        return {};
      case 'l':
        set_copy(DUCKDB_TYPE_BIGINT, 8);
        return {};
      case 'L':
        set_copy(DUCKDB_TYPE_UBIGINT, 8);
        return {};
      case 'e':
        set(Fill::kHalf, DUCKDB_TYPE_FLOAT);
        return {};
      case 'f':
        set_copy(DUCKDB_TYPE_FLOAT, 4);
        return {};
      case 'g':
        set_copy(DUCKDB_TYPE_DOUBLE, 8);
        return {};
      case 'u':
        set(Fill::kText32, DUCKDB_TYPE_VARCHAR);
        return {};
      case 'U':
        set(Fill::kText64, DUCKDB_TYPE_VARCHAR);
        return {};
      case 'z':
        set(Fill::kText32, DUCKDB_TYPE_BLOB);
        return {};
      case 'Z':
        set(Fill::kText64, DUCKDB_TYPE_BLOB);
        return {};
      default:
        return no_sql_type(schema);
    }
  }
  if (format == "vu" || format == "vz") {
    set(Fill::kView, format == "vu" ? DUCKDB_TYPE_VARCHAR : DUCKDB_TYPE_BLOB);
    return {};
  }
  if (format.starts_with("w:")) {
    set(Fill::kFixedBytes, DUCKDB_TYPE_BLOB);
    width_ = std::atoll(schema.format + 2);
    return {};
  }
  if (format[0] == 't') {
    auto temporal = set_temporal(format);
    return temporal.has_value() ? temporal : no_sql_type(schema);
  }
  if (format.starts_with("d:")) {
    return set_decimal(schema);
  }
  return set_nested(schema, arrays);
}

base::Status ScanColumn::set_temporal(std::string_view format) {
  constexpr std::int64_t kMicros = 1'000'000;
  if (format == "tdD") {
    set_copy(DUCKDB_TYPE_DATE, 4);
  } else if (format == "tdm") {
    set(Fill::kDateMs, DUCKDB_TYPE_DATE);
  } else if (format == "tts" || format == "ttm") {
    set_scale(Fill::kScale32, DUCKDB_TYPE_TIME, kMicros / ticks(format[2]), false);
  } else if (format == "ttu") {
    set_copy(DUCKDB_TYPE_TIME, 8);
  } else if (format == "ttn") {
    set_copy(DUCKDB_TYPE_TIME_NS, 8);
  } else if (format.starts_with("ts") && format.size() == 4) {
    switch (format[2]) {
      case 's':
        set_copy(DUCKDB_TYPE_TIMESTAMP_S, 8);
        break;
      case 'm':
        set_copy(DUCKDB_TYPE_TIMESTAMP_MS, 8);
        break;
      case 'u':
        set_copy(DUCKDB_TYPE_TIMESTAMP, 8);
        break;
      default:
        set_copy(DUCKDB_TYPE_TIMESTAMP_NS, 8);
        break;
    }
  } else if (format.starts_with("ts")) {  // with a time zone: microseconds since the epoch
    const std::int64_t unit = ticks(format[2]);
    const bool divide = unit > kMicros;
    set_scale(Fill::kScale64, DUCKDB_TYPE_TIMESTAMP_TZ, divide ? unit / kMicros : kMicros / unit,
              divide);
  } else if (format.starts_with("tD")) {
    const std::int64_t unit = ticks(format[2]);
    const bool divide = unit > kMicros;
    set_scale(Fill::kDuration, DUCKDB_TYPE_INTERVAL, divide ? unit / kMicros : kMicros / unit,
              divide);
  } else if (format == "tiM") {
    set(Fill::kMonths, DUCKDB_TYPE_INTERVAL);
  } else if (format == "tiD") {
    set(Fill::kDayTime, DUCKDB_TYPE_INTERVAL);
  } else {
    set(Fill::kMonthDayNano, DUCKDB_TYPE_INTERVAL);
  }
  return {};
}

base::Status ScanColumn::set_decimal(const ArrowSchema& schema) {
  char* end = nullptr;
  const long precision = std::strtol(schema.format + 2, &end, 10);
  const long scale = std::strtol(end + 1, &end, 10);
  if (precision < 1 || precision > 38 || scale < 0 || scale > precision) {
    return no_sql_type(schema);
  }
  PENSTOCK_ASSIGN_OR_RETURN(const core::TypeLayout layout, core::parse_format(schema.format));
  fill_ = Fill::kDecimal;
  type_.reset(duckdb_create_decimal_type(static_cast<std::uint8_t>(precision),
                                         static_cast<std::uint8_t>(scale)));
  width_ = layout.width;
  out_width_ = precision <= 4 ? 2 : precision <= 9 ? 4 : precision <= 18 ? 8 : 16;
  return {};
}

base::Status ScanColumn::set_nested(const ArrowSchema& schema,
                                    const std::vector<const ArrowArray*>& arrays) {
  PENSTOCK_ASSIGN_OR_RETURN(const core::TypeLayout layout, core::parse_format(schema.format));
  for (std::int64_t i = 0; i < schema.n_children; ++i) {
    PENSTOCK_ASSIGN_OR_RETURN(ScanColumn child,
                              create(*schema.children[i], children_of(arrays, i)));
    children_.push_back(std::move(child));
  }
  switch (layout.layout) {
    case core::Layout::kList32:
      fill_ = Fill::kList32;
      if (layout.is_map) {
        type_.reset(duckdb_create_map_type(children_[0].children_[0].type(),
                                           children_[0].children_[1].type()));
        return {};
      }
      type_.reset(duckdb_create_list_type(children_[0].type()));
      return {};
    case core::Layout::kList64:
      fill_ = Fill::kList64;
      type_.reset(duckdb_create_list_type(children_[0].type()));
      return {};
    case core::Layout::kFixedList:
      if (layout.list_size < 1 || layout.list_size > 100'000) {
        return no_sql_type(schema);
      }
      fill_ = Fill::kFixedList;
      list_size_ = layout.list_size;
      type_.reset(
          duckdb_create_array_type(children_[0].type(), static_cast<idx_t>(layout.list_size)));
      return {};
    case core::Layout::kStruct: {
      if (schema.n_children == 0) {
        return no_sql_type(schema);
      }
      fill_ = Fill::kStruct;
      std::vector<duckdb_logical_type> types;
      std::vector<const char*> names;
      for (std::int64_t i = 0; i < schema.n_children; ++i) {
        types.push_back(children_[static_cast<std::size_t>(i)].type());
        names.push_back(schema.children[i]->name);
      }
      type_.reset(duckdb_create_struct_type(types.data(), names.data(), types.size()));
      return {};
    }
    default:
      return no_sql_type(schema);
  }
}

base::Status ScanColumn::set_dictionary(const ArrowSchema& schema,
                                        const std::vector<const ArrowArray*>& arrays) {
  PENSTOCK_ASSIGN_OR_RETURN(const core::TypeLayout index, core::parse_format(schema.format));
  PENSTOCK_ASSIGN_OR_RETURN(const core::TypeLayout values,
                            core::parse_format(schema.dictionary->format));
  width_ = index.width;
  signed_index_ = std::string_view("csil").contains(schema.format[0]);
  std::set<const ArrowArray*> dictionaries;
  for (const ArrowArray* array : arrays) {
    dictionaries.insert(array->dictionary);
  }
  std::set<std::string_view> texts;
  bool is_enum = values.is_text;
  const auto is_null = [](const ArrowArray& dictionary, std::int64_t slot) {
    return dictionary.null_count != 0 && dictionary.buffers[0] != nullptr &&
           !core::get_bit(dictionary.buffers[0], dictionary.offset + slot);
  };
  for (auto it = dictionaries.begin(); is_enum && it != dictionaries.end(); ++it) {
    for (std::int64_t i = 0; is_enum && i < (*it)->length; ++i) {
      if (!is_null(**it, i)) {
        const std::string_view text = core::slot_bytes(values, **it, (*it)->offset + i);
        texts.insert(text);
        // Members are C strings to DuckDB.
        is_enum = texts.size() <= kMaxEnumMembers && !text.contains('\0');
      }
    }
  }
  if (!is_enum) {
    PENSTOCK_ASSIGN_OR_RETURN(
        ScanColumn decoded, create(*schema.dictionary, {dictionaries.begin(), dictionaries.end()}));
    fill_ = Fill::kDecode;
    type_ = std::move(decoded.type_);
    children_.push_back(std::move(decoded));
    return {};
  }
  if (texts.empty()) {
    texts.insert("");  // an ENUM wants one member
  }
  // Members in text order, so that comparing and sorting codes is comparing and sorting text.
  std::map<std::string_view, std::uint32_t> codes;
  std::vector<std::string> members;
  std::vector<const char*> names;
  for (const std::string_view text : texts) {
    codes.emplace(text, static_cast<std::uint32_t>(members.size()));
    members.emplace_back(text);
  }
  for (const std::string& member : members) {
    names.push_back(member.c_str());
  }
  for (const ArrowArray* dictionary : dictionaries) {
    Remap& remap = remaps_[dictionary];
    for (std::int64_t i = 0; i < dictionary->length; ++i) {
      remap.push_back(is_null(*dictionary, i)
                          ? kNullEntry
                          : codes[core::slot_bytes(values, *dictionary, dictionary->offset + i)]);
    }
  }
  fill_ = Fill::kEnum;
  type_.reset(duckdb_create_enum_type(names.data(), names.size()));
  out_width_ = names.size() <= 0xff ? 1 : 2;
  return {};
}

}  // namespace penstock::ops::table
