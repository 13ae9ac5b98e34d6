// The tables of one SQL call, and the DuckDB table function that reads them.
//
// A name in the query that is no table of the database is looked up among the call's tables by a
// replacement scan. DuckDB binds on the thread that prepares and starts the query, so the call's
// tables are found through a thread-local pointer: nothing is registered, nothing leaks from one
// call to another.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <duckdb.h>

#include "penstock/base/result.h"
#include "penstock/core/table.h"
#include "penstock/ops/table/scan_column.h"

namespace penstock::ops::table {

/// One named table of a call: one or more parts with equal columns, read one after the other.
/// Immutable once made.
class ScanTable {
 public:
  /// kInvalidArgument when the parts' columns differ, kUnimplemented for types without SQL type.
  static base::Result<std::shared_ptr<const ScanTable>> create(
      std::string name, std::vector<std::shared_ptr<const core::Table>> parts);

  const std::string& name() const { return name_; }
  std::int64_t num_rows() const { return num_rows_; }
  std::int64_t num_columns() const { return static_cast<std::int64_t>(columns_.size()); }
  const ScanColumn& column(std::int64_t index) const {
    return columns_[static_cast<std::size_t>(index)];
  }
  std::string_view column_name(std::int64_t index) const { return parts_[0]->column_name(index); }

  /// Writes rows [row, row + count) of column `column` into `vector`.
  void fill(std::int64_t column, duckdb_vector vector, std::int64_t row, std::int64_t count) const;

 private:
  struct Batch {
    const ArrowArray* array;
    std::int64_t first_row;
  };

  std::string name_;
  std::vector<std::shared_ptr<const core::Table>> parts_;
  std::vector<Batch> batches_;
  std::vector<ScanColumn> columns_;
  std::int64_t num_rows_ = 0;
};

/// Makes `tables` visible to queries prepared and started by this thread. Never nested.
class ScanScope {
 public:
  explicit ScanScope(const std::vector<std::shared_ptr<const ScanTable>>& tables);
  ~ScanScope();
  ScanScope(const ScanScope&) = delete;
  ScanScope& operator=(const ScanScope&) = delete;
};

/// The column with which a filter asks for the number of a row.
inline constexpr const char* kRowNumberColumn = "penstock row number";

/// Registers `penstock_scan(index, with_row_number)` and the replacement scan.
base::Status register_scan(duckdb_database database, duckdb_connection connection);

}  // namespace penstock::ops::table
