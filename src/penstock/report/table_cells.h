// Reads single cells of a core::Table, through the Arrow C Data Interface.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/core/table.h"
#include "penstock/report/json_text.h"

namespace penstock::report {

/// IEEE binary16.
double half_to_double(std::uint16_t bits);

/// "int64", "float64", "utf8", "timestamp[us]"; the format itself for what has no short name.
std::string type_name(const ArrowSchema& field);

/// One column of a table, by row over all batches. Thread-compatible; the table must outlive it.
class ColumnReader {
 public:
  ColumnReader(const core::Table& table, std::int64_t column);

  bool is_number() const { return is_number_; }  ///< integer, float, decimal or bool
  std::int64_t num_rows() const { return starts_.back(); }
  /// NaN for null and for what is no number.
  double number(std::int64_t row) const;
  /// As text: numbers as digits, dates in ISO 8601, null as "".
  std::string text(std::int64_t row) const;
  /// Appends the cell: null, a number, text, or arrays and objects for nested types. Binary is
  /// base64; dates and times are ISO 8601 text; durations are numbers in the column's unit.
  void append_json(std::int64_t row, JsonText* out) const;

 private:
  struct Slot {
    const ArrowArray* array;
    std::int64_t index;  ///< from the start of the array's buffers, its offset included
  };
  Slot locate(std::int64_t row) const;

  const ArrowSchema& field_;
  const core::Table& table_;
  const std::int64_t column_;
  std::vector<std::int64_t> starts_;  ///< first row of each batch, then the number of rows
  bool is_number_;
};

}  // namespace penstock::report
