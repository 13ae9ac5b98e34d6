// DuckDB inside this process: in memory, no extensions fetched, no files for queries.
//
// Three databases, each opened at its first use (35 ms): `serial` runs a query on the caller's
// thread alone, so that its result is a function of its input (float sums, ties, row order);
// `parallel` uses all cores, for queries whose author says that they give one result in any order;
// `files` may read files and serves table.read only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <duckdb.h>

#include "penstock/base/result.h"
#include "penstock/core/operator.h"
#include "penstock/core/table.h"
#include "penstock/core/value.h"
#include "penstock/ops/table/scan.h"

namespace penstock::ops::table {

enum class SqlMode : std::uint8_t { kSerial, kParallel, kFiles };

/// A query and all it may see.
struct SqlCall {
  std::string query;
  std::string subject = "query";  ///< what the user's part of it is called in errors
  int lines_before = 0;           ///< lines of ours before the user's part
  std::vector<std::shared_ptr<const ScanTable>> tables;
  std::vector<std::pair<std::string, core::Value>> parameters;  ///< bound as $name
  SqlMode mode = SqlMode::kSerial;
  const core::Context* context = nullptr;  ///< asked for cancellation; may be null
};

/// Takes the result, which is destroyed afterwards.
using SqlSink = std::function<base::Status(duckdb_result& result)>;

/// Runs one SELECT. Thread-safe. kInvalidArgument for a query that is wrong, or is no SELECT;
/// kCancelled when the context says so; kResourceExhausted when memory runs out.
base::Status run_sql(const SqlCall& call, const SqlSink& sink);

/// The result as a table; DuckDB's types as its Arrow export gives them.
base::Result<std::shared_ptr<const core::Table>> run_sql_table(const SqlCall& call);

}  // namespace penstock::ops::table
