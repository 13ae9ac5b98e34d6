#include "penstock/report/columns.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "penstock/core/table.h"
#include "penstock/report/json.h"
#include "penstock/report/table_cells.h"

namespace penstock::report {
namespace {

using base::ErrorCode;
using core::Kind;
using core::Value;

constexpr std::size_t kMaxNamesShown = 12;

std::string join(const std::vector<std::string>& names) {
  const std::size_t count = std::min(names.size(), kMaxNamesShown);
  return fmt::format(
      "{}{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(count), ", "),
      names.size() > count ? ", ..." : "");
}

std::vector<std::string> keys_of(const Value& value) {
  std::vector<std::string> keys;
  if (value.is(Kind::kMap)) {
    for (const auto& [key, item] : value.as_map()) {
      keys.push_back(key);
    }
  }
  return keys;
}

bool is_sequence(const Value& value) {
  return value.is(Kind::kList) || value.is(Kind::kTuple);
}

const Value* step(const Value& at, std::string_view name) {
  if (at.is(Kind::kMap)) {
    return at.find(name);
  }
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
  const bool is_index = error == std::errc() && end == name.data() + name.size();
  return is_sequence(at) && is_index && index < at.as_list().size() ? &at.as_list()[index]
                                                                    : nullptr;
}

void append_scalar(const Value* value, ColumnData* column) {
  const bool is_number = value == nullptr || value->is(Kind::kInt) || value->is(Kind::kFloat) ||
                         value->is(Kind::kBool) || value->is_null();
  if (!is_number && column->is_number) {  // the first text turns the column into text
    column->is_number = false;
    for (std::int64_t row = 0; row < std::ssize(column->numbers); ++row) {
      const double number = column->numbers[static_cast<std::size_t>(row)];
      column->texts.push_back(std::isnan(number) ? "" : fmt::format("{}", number));
    }
    column->numbers.clear();
  }
  if (!column->is_number) {
    column->texts.push_back(value == nullptr || value->is_null() ? ""
                            : value->is(Kind::kText)             ? value->as_text()
                                                                 : to_json(*value));
    return;
  }
  column->numbers.push_back(value == nullptr || value->is_null()
                                ? std::numeric_limits<double>::quiet_NaN()
                            : value->is(Kind::kInt)  ? static_cast<double>(value->as_int())
                            : value->is(Kind::kBool) ? (value->as_bool() ? 1.0 : 0.0)
                                                     : value->as_float());
}

ColumnData read_table_column(const core::Table& table, std::int64_t index) {
  const ColumnReader reader(table, index);
  ColumnData out;
  out.is_number = reader.is_number();
  for (std::int64_t row = 0; row < reader.num_rows(); ++row) {
    if (out.is_number) {
      out.numbers.push_back(reader.number(row));
    } else {
      out.texts.push_back(reader.text(row));
    }
  }
  return out;
}

}  // namespace

std::string ColumnData::text(std::int64_t row) const {
  if (!is_number) {
    return texts[static_cast<std::size_t>(row)];
  }
  const double value = numbers[static_cast<std::size_t>(row)];
  return std::isnan(value) ? "" : fmt::format("{}", value);
}

base::Result<Value> find_path(const Value& result, std::string_view path) {
  const std::string_view whole = path;
  std::string_view name = path.substr(0, path.find('.'));
  if (name != "result") {
    return base::fail(ErrorCode::kInvalidArgument,
                      fmt::format("a path starts with 'result': seen '{}'", whole.substr(0, 80)));
  }
  const Value* at = &result;
  path.remove_prefix(name.size());
  while (!path.empty()) {
    path.remove_prefix(1);
    name = path.substr(0, path.find('.'));
    const Value* next = step(*at, name);
    if (next == nullptr) {
      const auto keys = keys_of(*at);
      return base::fail(
          ErrorCode::kNotFound,
          keys.empty() ? fmt::format("no '{}' in the {} at this point of '{}'", name,
                                     core::to_string(at->kind()), whole)
                       : fmt::format("no '{}' in '{}': there are {}", name, whole, join(keys)));
    }
    at = next;
    path.remove_prefix(name.size());
  }
  return *at;
}

std::vector<std::string> column_names(const Value& data) {
  std::vector<std::string> names;
  if (data.is(Kind::kTable)) {
    for (std::int64_t i = 0; i < data.as_table()->num_columns(); ++i) {
      names.emplace_back(data.as_table()->column_name(i));
    }
  } else if (is_sequence(data) && !data.as_list().empty()) {
    names = keys_of(data.as_list().front());
  } else if (data.is(Kind::kMap)) {
    for (const auto& [key, item] : data.as_map()) {
      if (is_sequence(item)) {
        names.push_back(key);
      }
    }
  }
  return names;
}

base::Result<ColumnData> read_column(const Value& data, std::string_view name) {
  const auto too_long = [](std::int64_t rows) {
    return base::fail(
        ErrorCode::kOutOfRange,
        fmt::format("too many rows for a plot: seen {}, at most {}", rows, kMaxPlotRows));
  };
  if (data.is(Kind::kTable)) {
    const std::int64_t index = data.as_table()->find_column(name);
    if (index >= 0) {
      const std::int64_t rows = data.as_table()->num_rows();
      return rows > kMaxPlotRows
                 ? too_long(rows)
                 : base::Result<ColumnData>(read_table_column(*data.as_table(), index));
    }
  } else if (is_sequence(data) ||
             (data.is(Kind::kMap) && data.find(name) != nullptr && is_sequence(*data.find(name)))) {
    const bool by_row = is_sequence(data);
    const auto& items = by_row ? data.as_list() : data.find(name)->as_list();
    if (std::ssize(items) > kMaxPlotRows) {
      return too_long(std::ssize(items));
    }
    ColumnData column;
    bool found = !by_row;
    for (const Value& item : items) {
      const Value* cell = by_row ? item.find(name) : &item;
      found = found || cell != nullptr;
      append_scalar(cell, &column);
    }
    if (found) {
      return column;
    }
  }
  const auto names = column_names(data);
  return base::fail(
      ErrorCode::kNotFound,
      names.empty()
          ? fmt::format("no column '{}': wanted a table, a list of maps or a map of lists, seen {}",
                        name, core::to_string(data.kind()))
          : fmt::format("no column '{}': there are {}", name, join(names)));
}

}  // namespace penstock::report
