// Columns of a result by path and name, for plots: from a table, a list of maps or a map of lists.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/value.h"

namespace penstock::report {

/// Numbers, or text when any value of the column is text. A null is NaN, or "".
struct ColumnData {
  bool is_number = true;
  std::vector<double> numbers;     ///< when is_number
  std::vector<std::string> texts;  ///< when not

  std::int64_t size() const { return std::ssize(numbers) + std::ssize(texts); }
  double number(std::int64_t row) const {
    return is_number ? numbers[static_cast<std::size_t>(row)]
                     : std::numeric_limits<double>::quiet_NaN();
  }
  /// Numbers as their shortest digits.
  std::string text(std::int64_t row) const;
};

/// More rows than this are not read for a plot.
inline constexpr std::int64_t kMaxPlotRows = 2'000'000;

/// The part of `result` at `path`: "result", "result.by_hour", "result.months.0".
/// kNotFound names the keys there are.
base::Result<core::Value> find_path(const core::Value& result, std::string_view path);

/// Column names of `data`; empty when it is no table, list of maps or map of lists.
std::vector<std::string> column_names(const core::Value& data);

/// Column `name` of `data`. kNotFound names the columns there are; kOutOfRange beyond kMaxPlotRows.
base::Result<ColumnData> read_column(const core::Value& data, std::string_view name);

}  // namespace penstock::report
