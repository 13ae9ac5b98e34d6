#include "penstock/ops/table/sql_value.h"

#include <algorithm>
#include <vector>

#include <arrow/c/bridge.h>
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include "penstock/ops/table/arrow_bridge.h"
#include "penstock/ops/table/scan_column.h"

namespace penstock::ops::table {
namespace {

using base::ErrorCode;
using base::fail;
using core::Kind;
using core::Value;

// DuckDB trusts that the items have the type it is told, and dies where they do not.
base::Result<SqlValue> to_sql_list(const Value& value, std::string_view name) {
  bool has_int = false, has_float = false, has_text = false, has_bool = false, has_bytes = false;
  std::vector<SqlValue> owned;
  for (const Value& item : value.as_list()) {
    if (item.is(Kind::kList) || item.is(Kind::kTuple)) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("SQL: parameter ${} is a list of lists; wanted a list of null, bool, "
                              "int, float, text or bytes",
                              name));
    }
    has_int |= item.is(Kind::kInt);
    has_float |= item.is(Kind::kFloat);
    has_text |= item.is(Kind::kText);
    has_bool |= item.is(Kind::kBool);
    has_bytes |= item.is(Kind::kBytes);
  }
  const int kinds = (has_int || has_float ? 1 : 0) + (has_text ? 1 : 0) + (has_bool ? 1 : 0) +
                    (has_bytes ? 1 : 0);
  if (kinds > 1) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("SQL: parameter ${} is a list of mixed kinds; wanted one kind", name));
  }
  const duckdb_type type = has_float   ? DUCKDB_TYPE_DOUBLE
                           : has_text  ? DUCKDB_TYPE_VARCHAR
                           : has_bool  ? DUCKDB_TYPE_BOOLEAN
                           : has_bytes ? DUCKDB_TYPE_BLOB
                                       : DUCKDB_TYPE_BIGINT;
  std::vector<duckdb_value> items;
  items.reserve(value.as_list().size() + 1);  // of an empty list too it wants an address
  for (const Value& item : value.as_list()) {
    const Value widened =
        has_float && item.is(Kind::kInt) ? Value::real(static_cast<double>(item.as_int())) : item;
    PENSTOCK_ASSIGN_OR_RETURN(SqlValue made, to_sql_value(widened, name));
    items.push_back(made.get());
    owned.push_back(std::move(made));
  }
  const LogicalType logical(duckdb_create_logical_type(type));
  return SqlValue(duckdb_create_list_value(logical.get(), items.data(), items.size()));
}

}  // namespace

base::Result<SqlValue> to_sql_value(const Value& value, std::string_view name) {
  switch (value.kind()) {
    case Kind::kNull:
      return SqlValue(duckdb_create_null_value());
    case Kind::kBool:
      return SqlValue(duckdb_create_bool(value.as_bool()));
    case Kind::kInt:
      return SqlValue(duckdb_create_int64(value.as_int()));
    case Kind::kFloat:
      return SqlValue(duckdb_create_double(value.as_float()));
    case Kind::kText:
      return SqlValue(duckdb_create_varchar_length(value.as_text().data(), value.as_text().size()));
    case Kind::kBytes:
      return SqlValue(duckdb_create_blob(
          reinterpret_cast<const std::uint8_t*>(value.as_bytes().data()), value.as_bytes().size()));
    case Kind::kList:
    case Kind::kTuple:
      return to_sql_list(value, name);
    default:
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("SQL: parameter ${} is a {}; wanted null, bool, int, float, text, "
                              "bytes or a list of them",
                              name, core::to_string(value.kind())));
  }
}

base::Result<std::shared_ptr<const core::Table>> to_table(duckdb_result& result) {
  const idx_t num_columns = duckdb_column_count(&result);
  std::vector<LogicalType> owned;
  std::vector<duckdb_logical_type> types;
  std::vector<const char*> names;
  for (idx_t i = 0; i < num_columns; ++i) {
    owned.emplace_back(duckdb_column_logical_type(&result, i));
    types.push_back(owned.back().get());
    names.push_back(duckdb_column_name(&result, i));
  }
  struct Options {
    duckdb_arrow_options options;
    ~Options() { duckdb_destroy_arrow_options(&options); }
  } arrow{duckdb_result_get_arrow_options(&result)};
  const auto failed = [](duckdb_error_data error) {
    const std::string text = duckdb_error_data_message(error);
    duckdb_destroy_error_data(&error);
    return fail(ErrorCode::kUnimplemented, fmt::format("SQL result: {}", text));
  };
  ArrowSchema schema{};
  if (duckdb_error_data error =
          duckdb_to_arrow_schema(arrow.options, types.data(), names.data(), num_columns, &schema)) {
    return failed(error);
  }
  PENSTOCK_ARROW_ASSIGN(auto arrow_schema, arrow::ImportSchema(&schema), "SQL result");
  arrow::RecordBatchVector batches;
  while (duckdb_data_chunk chunk = duckdb_fetch_chunk(result)) {
    ArrowArray array{};
    duckdb_error_data error = duckdb_data_chunk_to_arrow(arrow.options, chunk, &array);
    duckdb_destroy_data_chunk(&chunk);
    if (error != nullptr) {
      return failed(error);
    }
    PENSTOCK_ARROW_ASSIGN(auto batch, arrow::ImportRecordBatch(&array, arrow_schema), "SQL result");
    batches.push_back(std::move(batch));
  }
  if (batches.size() <= 1) {
    return from_batches(arrow_schema, std::move(batches));
  }
  PENSTOCK_ARROW_ASSIGN(auto whole, arrow::Table::FromRecordBatches(arrow_schema, batches),
                        "SQL result");
  PENSTOCK_ARROW_ASSIGN(auto combined, whole->CombineChunks(), "SQL result");
  return from_arrow(*combined);
}

}  // namespace penstock::ops::table
