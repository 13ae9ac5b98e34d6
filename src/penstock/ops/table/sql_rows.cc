// Cells of a result as plain values, for nodes that want no table.
#include <cmath>
#include <cstdlib>
#include <set>
#include <string>

#include <fmt/format.h>

#include "penstock/core/table_canonical.h"
#include "penstock/core/table_layout.h"
#include "penstock/ops/table/sql_value.h"

namespace penstock::ops::table {
namespace {

using base::ErrorCode;
using base::fail;
using core::load;
using core::Value;

struct Date {
  std::int64_t year;
  unsigned month, day;
};

/// Days since 1970-01-01 to a proleptic Gregorian date (Hinnant, "chrono-compatible low-level date
/// algorithms", civil_from_days).
Date to_date(std::int64_t days) {
  days += 719468;
  const std::int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const auto day_of_era = static_cast<unsigned>(days - era * 146097);
  const unsigned year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const unsigned day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned shifted = (5 * day_of_year + 2) / 153;
  const unsigned month = shifted < 10 ? shifted + 3 : shifted - 9;
  return {std::int64_t{year_of_era} + era * 400 + (month <= 2 ? 1 : 0), month,
          day_of_year - (153 * shifted + 2) / 5 + 1};
}

std::string date_text(std::int64_t days) {
  const Date date = to_date(days);
  return fmt::format("{:04}-{:02}-{:02}", date.year, date.month, date.day);
}

/// `ticks` of `per_second` since midnight or the epoch.
std::string instant_text(std::int64_t ticks, std::int64_t per_second, bool with_date) {
  const std::int64_t per_day = per_second * 86'400;
  std::int64_t days = ticks / per_day, rest = ticks % per_day;
  if (rest < 0) {
    rest += per_day;
    --days;
  }
  const std::int64_t seconds = rest / per_second, fraction = rest % per_second;
  std::string text = with_date ? date_text(days) + "T" : std::string();
  text += fmt::format("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
  if (fraction != 0) {
    const int digits = per_second == 1'000 ? 3 : per_second == 1'000'000 ? 6 : 9;
    text += fmt::format(".{:0{}}", fraction, digits);
  }
  return text;
}

std::int64_t per_second(char unit) {
  return unit == 's' ? 1 : unit == 'm' ? 1'000 : unit == 'u' ? 1'000'000 : 1'000'000'000;
}

Value unsigned_value(std::uint64_t value) {
  std::string magnitude;
  for (int shift = 56; shift >= 0; shift -= 8) {
    const auto byte = static_cast<char>(value >> shift);
    if (byte != 0 || !magnitude.empty()) {
      magnitude.push_back(byte);
    }
  }
  return Value::big_integer(false, std::move(magnitude));
}

/// A decimal of 16 bytes: an integer when the scale is 0 and it fits, else the nearest double.
Value decimal_value(const void* data, std::int64_t slot, long scale) {
  const auto low = load<std::uint64_t>(data, slot * 2);
  const auto high = load<std::int64_t>(data, slot * 2 + 1);
  const bool fits = high == (static_cast<std::int64_t>(low) < 0 ? -1 : 0);
  if (scale == 0 && fits) {
    return Value::integer(static_cast<std::int64_t>(low));
  }
  const double value = std::ldexp(static_cast<double>(high), 64) + static_cast<double>(low);
  return Value::real(value / std::pow(10.0, static_cast<double>(scale)));
}

base::Status no_value(const ArrowSchema& schema) {
  return fail(ErrorCode::kUnimplemented,
              fmt::format("column '{}' of Arrow format '{}' has no plain value; cast it in the "
                          "query",
                          schema.name, schema.format));
}

base::Result<Value> fixed_value(const ArrowSchema& schema, const void* data, std::int64_t slot) {
  const std::string_view format = schema.format;
  switch (format[0]) {
    case 'c':
      return Value::integer(load<std::int8_t>(data, slot));
    case 'C':
      return Value::integer(load<std::uint8_t>(data, slot));
    case 's':
      return Value::integer(load<std::int16_t>(data, slot));
    case 'S':
      return Value::integer(load<std::uint16_t>(data, slot));
    case 'i':
      return Value::integer(load<std::int32_t>(data, slot));
    case 'I':
      return Value::integer(load<std::uint32_t>(data, slot));
    case 'l':
      return Value::integer(load<std::int64_t>(data, slot));
    case 'L':
      return unsigned_value(load<std::uint64_t>(data, slot));
    case 'f':
      return Value::real(load<float>(data, slot));
    case 'g':
      return Value::real(load<double>(data, slot));
    default:
      break;
  }
  if (format == "tdD") {
    return Value::text(date_text(load<std::int32_t>(data, slot)));
  }
  if (format == "ttu" || format == "ttn") {
    return Value::text(instant_text(load<std::int64_t>(data, slot), per_second(format[2]), false));
  }
  if (format.starts_with("ts")) {
    std::string text = instant_text(load<std::int64_t>(data, slot), per_second(format[2]), true);
    return Value::text(format.size() > 4 ? text + "Z" : text);
  }
  if (format.starts_with("d:")) {
    char* end = nullptr;
    std::strtol(schema.format + 2, &end, 10);
    const long scale = std::strtol(end + 1, &end, 10);
    if (*end == '\0') {
      return decimal_value(data, slot, scale);
    }
  }
  return fail(no_value(schema).error());
}

template <class Offset>
base::Result<Value> list_value(const ArrowSchema& schema, const ArrowArray& array,
                               std::int64_t slot) {
  std::vector<Value> items;
  for (std::int64_t i = load<Offset>(array.buffers[1], slot);
       i < std::int64_t{load<Offset>(array.buffers[1], slot + 1)}; ++i) {
    PENSTOCK_ASSIGN_OR_RETURN(Value item, to_value(*schema.children[0], *array.children[0], i));
    items.push_back(std::move(item));
  }
  return Value::list(std::move(items));
}

/// Calls `visit(batch, row)` for every row.
template <class Visit>
base::Status for_each_row(const core::Table& table, Visit visit) {
  for (const ArrowArray& batch : table.batches()) {
    for (std::int64_t row = 0; row < batch.length; ++row) {
      PENSTOCK_RETURN_IF_ERROR(visit(batch, batch.offset + row));
    }
  }
  return {};
}

}  // namespace

base::Result<Value> to_value(const ArrowSchema& schema, const ArrowArray& array, std::int64_t row) {
  PENSTOCK_ASSIGN_OR_RETURN(const core::TypeLayout type, core::parse_format(schema.format));
  const std::int64_t slot = array.offset + row;
  if (type.layout == core::Layout::kNull || (array.null_count != 0 && array.buffers[0] != nullptr &&
                                             !core::get_bit(array.buffers[0], slot))) {
    return Value::null();
  }
  if (schema.dictionary != nullptr) {
    PENSTOCK_ASSIGN_OR_RETURN(const Value index, fixed_value(schema, array.buffers[1], slot));
    if (!index.is(core::Kind::kInt) || index.as_int() < 0 ||
        index.as_int() >= array.dictionary->length) {
      return fail(ErrorCode::kDataLoss,
                  fmt::format("index beyond the dictionary of column '{}'", schema.name));
    }
    return to_value(*schema.dictionary, *array.dictionary, index.as_int());
  }
  switch (type.layout) {
    case core::Layout::kBits:
      return Value::boolean(core::get_bit(array.buffers[1], slot));
    case core::Layout::kVariable32:
    case core::Layout::kVariable64:
    case core::Layout::kView: {
      std::string bytes(core::slot_bytes(type, array, slot));
      return type.is_text ? Value::text(std::move(bytes)) : Value::bytes(std::move(bytes));
    }
    case core::Layout::kFixed:
      return fixed_value(schema, array.buffers[1], slot);
    case core::Layout::kList32:
      return list_value<std::int32_t>(schema, array, slot);
    case core::Layout::kList64:
      return list_value<std::int64_t>(schema, array, slot);
    case core::Layout::kStruct: {
      std::vector<core::MapEntry> entries;
      for (std::int64_t c = 0; c < schema.n_children; ++c) {
        PENSTOCK_ASSIGN_OR_RETURN(Value cell,
                                  to_value(*schema.children[c], *array.children[c], slot));
        entries.emplace_back(schema.children[c]->name, std::move(cell));
      }
      return Value::map(std::move(entries));
    }
    default:
      return fail(no_value(schema).error());
  }
}

base::Result<Value> to_rows(const core::Table& table) {
  std::set<std::string_view> names;
  for (std::int64_t c = 0; c < table.num_columns(); ++c) {
    if (!names.insert(table.column_name(c)).second) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("SQL: two columns are called '{}'; rows as maps want different names",
                              table.column_name(c)));
    }
  }
  std::vector<Value> rows;
  rows.reserve(static_cast<std::size_t>(table.num_rows()));
  PENSTOCK_RETURN_IF_ERROR(
      for_each_row(table, [&](const ArrowArray& batch, std::int64_t row) -> base::Status {
        std::vector<core::MapEntry> entries;
        for (std::int64_t c = 0; c < table.num_columns(); ++c) {
          PENSTOCK_ASSIGN_OR_RETURN(Value cell,
                                    to_value(*table.schema().children[c], *batch.children[c], row));
          entries.emplace_back(table.column_name(c), std::move(cell));
        }
        rows.push_back(Value::map(std::move(entries)));
        return {};
      }));
  return Value::list(std::move(rows));
}

base::Result<Value> to_list(const core::Table& table) {
  if (table.num_columns() != 1) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("SQL: a list wants one column, seen {}", table.num_columns()));
  }
  std::vector<Value> items;
  items.reserve(static_cast<std::size_t>(table.num_rows()));
  PENSTOCK_RETURN_IF_ERROR(
      for_each_row(table, [&](const ArrowArray& batch, std::int64_t row) -> base::Status {
        PENSTOCK_ASSIGN_OR_RETURN(Value cell,
                                  to_value(*table.schema().children[0], *batch.children[0], row));
        items.push_back(std::move(cell));
        return {};
      }));
  return Value::list(std::move(items));
}

base::Result<Value> to_cell(const core::Table& table) {
  if (table.num_columns() != 1 || table.num_rows() != 1) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("SQL: a value wants one row and one column, seen {} rows and {} columns",
                    table.num_rows(), table.num_columns()));
  }
  PENSTOCK_ASSIGN_OR_RETURN(const Value list, to_list(table));
  return list.as_list().front();
}

}  // namespace penstock::ops::table
