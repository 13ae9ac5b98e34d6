// Values as SQL parameters, and SQL results as tables and plain values.
#pragma once

#include <memory>
#include <string_view>

#include <duckdb.h>

#include "penstock/base/result.h"
#include "penstock/core/table.h"
#include "penstock/core/value.h"

namespace penstock::ops::table {

struct SqlValueDeleter {
  void operator()(duckdb_value value) const { duckdb_destroy_value(&value); }
};
using SqlValue = std::unique_ptr<_duckdb_value, SqlValueDeleter>;

/// Null, bool, int, float, text, bytes, and lists of one of them. kInvalidArgument for the rest.
base::Result<SqlValue> to_sql_value(const core::Value& value, std::string_view name);

/// All rows of a result as one record batch (none when there are no rows).
base::Result<std::shared_ptr<const core::Table>> to_table(duckdb_result& result);

/// Slot `row` of a column as a plain value: null, bool, int, float, text, bytes, list, map. Dates
/// and times come as ISO 8601 text. kUnimplemented for the rest.
base::Result<core::Value> to_value(const ArrowSchema& schema, const ArrowArray& array,
                                   std::int64_t row);

/// The table's rows as maps, its first column as a list, or its only cell.
base::Result<core::Value> to_rows(const core::Table& table);
base::Result<core::Value> to_list(const core::Table& table);
base::Result<core::Value> to_cell(const core::Table& table);

}  // namespace penstock::ops::table
