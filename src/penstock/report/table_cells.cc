#include "penstock/report/table_cells.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

#include <fmt/core.h>

#include "penstock/core/table_canonical.h"
#include "penstock/core/table_layout.h"

namespace penstock::report {
namespace {

using core::load;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr int kMaxNesting = 8;

bool is_null(const ArrowArray& array, std::int64_t index) {
  return array.null_count != 0 && array.n_buffers > 0 && array.buffers[0] != nullptr &&
         !core::get_bit(array.buffers[0], index);
}

// Civil date of a day count from 1970-01-01 (Hinnant, "chrono-compatible low-level date
// algorithms").
std::string iso_date(std::int64_t days) {
  days += 719'468;
  const std::int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
  const std::int64_t day_of_era = days - era * 146'097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month_index = (5 * day_of_year + 2) / 153;
  const std::int64_t month = month_index < 10 ? month_index + 3 : month_index - 9;
  const std::int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  return fmt::format("{:04}-{:02}-{:02}", year, month,
                     day_of_year - (153 * month_index + 2) / 5 + 1);
}

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

std::int64_t per_second(char unit) {
  return unit == 's' ? 1 : unit == 'm' ? 1'000 : unit == 'u' ? 1'000'000 : 1'000'000'000;
}

int num_fraction_digits(char unit) {
  return unit == 's' ? 0 : unit == 'm' ? 3 : unit == 'u' ? 6 : 9;
}

// HH:MM:SS with the fraction only when there is one; `units` counts from midnight.
std::string iso_time(std::int64_t units, char unit) {
  const std::int64_t seconds = units / per_second(unit);
  const std::int64_t fraction = units % per_second(unit);
  std::string out =
      fmt::format("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
  if (fraction != 0) {
    out += fmt::format(".{:0{}}", fraction, num_fraction_digits(unit));
  }
  return out;
}

std::string decimal_text(std::string_view format, const ArrowArray& array, std::int64_t index) {
  // "d:precision,scale[,bits]"
  const std::size_t comma = format.find(',');
  const std::size_t bits_at = format.find(',', comma + 1);
  const int scale = std::atoi(format.data() + comma + 1);
  const std::int64_t width =
      bits_at == std::string_view::npos ? 16 : std::atoi(format.data() + bits_at + 1) / 8;
  std::string digits = to_decimal({static_cast<const char*>(array.buffers[1]) + index * width,
                                   static_cast<std::size_t>(width)});
  if (scale <= 0) {
    return digits == "0" ? digits : digits + std::string(static_cast<std::size_t>(-scale), '0');
  }
  const bool negative = digits[0] == '-';
  if (negative) {
    digits.erase(0, 1);
  }
  const auto places = static_cast<std::size_t>(scale);
  if (digits.size() <= places) {
    digits.insert(0, places + 1 - digits.size(), '0');
  }
  digits.insert(digits.size() - places, ".");
  return negative ? "-" + digits : digits;
}

std::string temporal_text(std::string_view format, const ArrowArray& array, std::int64_t index) {
  const void* values = array.buffers[1];
  const char unit = format[2];
  if (format == "tdD") {
    return iso_date(load<std::int32_t>(values, index));
  }
  if (format == "tdm") {
    return iso_date(floor_divide(load<std::int64_t>(values, index), 86'400'000));
  }
  if (format[1] == 't') {
    const bool narrow = unit == 's' || unit == 'm';
    return iso_time(narrow ? load<std::int32_t>(values, index) : load<std::int64_t>(values, index),
                    unit);
  }
  const std::int64_t value = load<std::int64_t>(values, index);
  const std::int64_t day = 86'400 * per_second(unit);
  const std::int64_t days = floor_divide(value, day);
  // A time zone says only how to show it; the value itself counts from the epoch in UTC.
  return iso_date(days) + "T" + iso_time(value - days * day, unit) + (format.size() > 4 ? "Z" : "");
}

double fixed_number(char format, const ArrowArray& array, std::int64_t index) {
  const void* v = array.buffers[1];
  switch (format) {
    case 'b':
      return core::get_bit(v, index) ? 1 : 0;
    case 'c':
      return load<std::int8_t>(v, index);
    case 'C':
      return load<std::uint8_t>(v, index);
    case 's':
      return load<std::int16_t>(v, index);
    case 'S':
      return load<std::uint16_t>(v, index);
    case 'i':
      return load<std::int32_t>(v, index);
    case 'I':
      return load<std::uint32_t>(v, index);
    case 'l':
      return static_cast<double>(load<std::int64_t>(v, index));
    case 'L':
      return static_cast<double>(load<std::uint64_t>(v, index));
    case 'e':
      return half_to_double(load<std::uint16_t>(v, index));
    case 'f':
      return load<float>(v, index);
    case 'g':
      return load<double>(v, index);
    default:
      return kNan;
  }
}

bool is_float(std::string_view format) {
  return format == "e" || format == "f" || format == "g";
}

void append_cell(const ArrowSchema& field, const ArrowArray& array, std::int64_t index, int depth,
                 JsonText* out);

// Slots [begin, end) of a child as a JSON array.
void append_items(const ArrowSchema& field, const ArrowArray& array, std::int64_t begin,
                  std::int64_t end, int depth, JsonText* out) {
  constexpr std::int64_t kMaxItems = 100;
  out->begin_array();
  for (std::int64_t i = begin; i < std::min(end, begin + kMaxItems); ++i) {
    append_cell(field, array, array.offset + i, depth + 1, out);
  }
  out->end_array();
}

void append_nested(const ArrowSchema& field, const core::TypeLayout& type, const ArrowArray& array,
                   std::int64_t index, int depth, JsonText* out) {
  if (type.layout == core::Layout::kStruct) {
    out->begin_object();
    for (std::int64_t i = 0; i < field.n_children; ++i) {
      out->key(field.children[i]->name == nullptr ? "" : field.children[i]->name);
      append_cell(*field.children[i], *array.children[i], array.children[i]->offset + index,
                  depth + 1, out);
    }
    out->end_object();
    return;
  }
  std::int64_t begin = index * type.list_size;
  std::int64_t end = begin + type.list_size;
  if (type.layout == core::Layout::kList32) {
    begin = load<std::int32_t>(array.buffers[1], index);
    end = load<std::int32_t>(array.buffers[1], index + 1);
  } else if (type.layout == core::Layout::kList64) {
    begin = load<std::int64_t>(array.buffers[1], index);
    end = load<std::int64_t>(array.buffers[1], index + 1);
  }
  append_items(*field.children[0], *array.children[0], begin, end, depth, out);
}

void append_fixed(std::string_view format, const core::TypeLayout& type, const ArrowArray& array,
                  std::int64_t index, JsonText* out) {
  const void* values = array.buffers[1];
  if (format == "b") {
    out->boolean(core::get_bit(values, index));
  } else if (is_float(format)) {
    out->real(fixed_number(format[0], array, index));
  } else if (format == "L") {
    out->raw(fmt::format("{}", load<std::uint64_t>(values, index)));
  } else if (format == "l") {
    out->integer(load<std::int64_t>(values, index));
  } else if (type.is_integer) {
    out->integer(static_cast<std::int64_t>(fixed_number(format[0], array, index)));
  } else if (format.starts_with("d:")) {
    out->raw(decimal_text(format, array, index));
  } else if (format.starts_with("tD")) {
    out->integer(load<std::int64_t>(values, index));
  } else if (format.starts_with("td") || format.starts_with("tt") || format.starts_with("ts")) {
    out->text(temporal_text(format, array, index));
  } else {
    out->text(to_base64({static_cast<const char*>(values) + index * type.width,
                         static_cast<std::size_t>(type.width)}));
  }
}

void append_cell(const ArrowSchema& field, const ArrowArray& array, std::int64_t index, int depth,
                 JsonText* out) {
  const auto type = core::parse_format(field.format);
  if (!type.has_value() || type->layout == core::Layout::kNull || depth > kMaxNesting ||
      is_null(array, index)) {
    out->null();
    return;
  }
  const std::string_view format = field.format;
  if (field.dictionary != nullptr) {
    const auto at = static_cast<std::int64_t>(fixed_number(format[0], array, index));
    const ArrowArray& values = *array.dictionary;
    if (at < 0 || at >= values.length) {
      out->null();
      return;
    }
    append_cell(*field.dictionary, values, values.offset + at, depth + 1, out);
    return;
  }
  switch (type->layout) {
    case core::Layout::kVariable32:
    case core::Layout::kVariable64:
    case core::Layout::kView: {
      const std::string_view bytes = core::slot_bytes(*type, array, index);
      out->text(type->is_text ? std::string(bytes) : to_base64(bytes));
      return;
    }
    case core::Layout::kBits:
    case core::Layout::kFixed:
      append_fixed(format, *type, array, index, out);
      return;
    default:
      append_nested(field, *type, array, index, depth, out);
      return;
  }
}

}  // namespace

double half_to_double(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const int fraction = bits & 1023;
  const double magnitude = exponent == 0    ? std::ldexp(fraction, -24)
                           : exponent == 31 ? (fraction == 0 ? HUGE_VAL : kNan)
                                            : std::ldexp(1024 + fraction, exponent - 25);
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

std::string type_name(const ArrowSchema& field) {
  const std::string_view format = field.format;
  if (field.dictionary != nullptr) {
    return type_name(*field.dictionary);
  }
  if (format.size() == 1) {
    switch (format[0]) {
      case 'n':
        return "null";
      case 'b':
        return "bool";
      case 'c':
        return "int8";
      case 'C':
        return "uint8";
      case 's':
        return "int16";
      case 'S':
        return "uint16";
      case 'i':
        return "int32";
      case 'I':
        return "uint32";
      case 'l':
        return "int64";
      case 'L':
        return "uint64";
      case 'e':
        return "float16";
      case 'f':
        return "float32";
      case 'g':
        return "float64";
      case 'z':
      case 'Z':
        return "binary";
      case 'u':
      case 'U':
        return "utf8";
      default:
        return std::string(format);
    }
  }
  constexpr auto unit = [](char c) {
    return c == 's' ? "s" : c == 'm' ? "ms" : c == 'u' ? "us" : "ns";
  };
  if (format == "vu")
    return "utf8";
  if (format == "vz")
    return "binary";
  if (format.starts_with("td"))
    return "date";
  if (format.starts_with("tt"))
    return fmt::format("time[{}]", unit(format[2]));
  if (format.starts_with("ts"))
    return fmt::format("timestamp[{}]", unit(format[2]));
  if (format.starts_with("tD"))
    return fmt::format("duration[{}]", unit(format[2]));
  if (format.starts_with("d:"))
    return fmt::format("decimal({})", format.substr(2));
  if (format.starts_with("+"))
    return format == "+s" ? "struct" : format == "+m" ? "map" : "list";
  return std::string(format);
}

ColumnReader::ColumnReader(const core::Table& table, std::int64_t column)
    : field_(*table.schema().children[column]), table_(table), column_(column) {
  std::int64_t row = 0;
  for (const ArrowArray& batch : table.batches()) {
    starts_.push_back(row);
    row += batch.length;
  }
  starts_.push_back(row);
  const ArrowSchema& values = field_.dictionary != nullptr ? *field_.dictionary : field_;
  const std::string_view format = values.format;
  const auto type = core::parse_format(format);
  is_number_ = format == "b" || is_float(format) || format.starts_with("d:") ||
               (type.has_value() && type->is_integer);
}

ColumnReader::Slot ColumnReader::locate(std::int64_t row) const {
  const auto batch = static_cast<std::size_t>(
      std::upper_bound(starts_.begin(), starts_.end() - 1, row) - starts_.begin() - 1);
  const ArrowArray& rows = table_.batches()[batch];
  const ArrowArray& array = *rows.children[column_];
  return {&array, array.offset + rows.offset + row - starts_[batch]};
}

double ColumnReader::number(std::int64_t row) const {
  Slot slot = locate(row);
  const ArrowSchema* field = &field_;
  if (is_null(*slot.array, slot.index) || !is_number_) {
    return kNan;
  }
  if (field->dictionary != nullptr) {
    const auto at =
        static_cast<std::int64_t>(fixed_number(field->format[0], *slot.array, slot.index));
    slot.array = slot.array->dictionary;
    if (at < 0 || at >= slot.array->length) {
      return kNan;
    }
    slot.index = slot.array->offset + at;
    field = field->dictionary;
    if (is_null(*slot.array, slot.index)) {
      return kNan;
    }
  }
  const std::string_view format = field->format;
  if (format.starts_with("d:")) {
    return std::strtod(decimal_text(format, *slot.array, slot.index).c_str(), nullptr);
  }
  return fixed_number(format[0], *slot.array, slot.index);
}

std::string ColumnReader::text(std::int64_t row) const {
  const Slot slot = locate(row);
  if (is_null(*slot.array, slot.index)) {
    return "";
  }
  const auto type = core::parse_format(field_.format);
  const std::string_view format = field_.format;
  if (field_.dictionary == nullptr && type.has_value()) {
    if (type->is_text) {
      return std::string(core::slot_bytes(*type, *slot.array, slot.index));
    }
    if (format.starts_with("td") || format.starts_with("tt") || format.starts_with("ts")) {
      return temporal_text(format, *slot.array, slot.index);
    }
  }
  JsonText json;
  append_json(row, &json);
  std::string out = json.take();
  if (out.size() >= 2 && out.front() == '"') {
    out = out.substr(1, out.size() - 2);
  }
  return out == "null" ? "" : out;
}

void ColumnReader::append_json(std::int64_t row, JsonText* out) const {
  const Slot slot = locate(row);
  append_cell(field_, *slot.array, slot.index, 0, out);
}

}  // namespace penstock::report
