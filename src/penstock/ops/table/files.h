// Tables in files: Parquet, CSV and Arrow IPC, through Arrow C++.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/table.h"
#include "penstock/core/value.h"
#include "penstock/ops/table/sql_engine.h"

namespace penstock::ops::table {

enum class FileFormat : std::uint8_t { kParquet, kCsv, kIpc };

/// By `name` ("parquet", "csv", "ipc"), or by the extension of `path` when it is "auto".
/// kInvalidArgument when neither says.
base::Result<FileFormat> file_format(const std::string& name, const std::string& path);

struct CsvOptions {
  char delimiter = ',';
  bool header = true;
};

/// What to read. A filter is an SQL expression over the file's columns.
struct ReadRequest {
  std::string path;
  FileFormat format = FileFormat::kParquet;
  std::vector<std::string> columns;     ///< empty = all
  std::vector<std::string> dictionary;  ///< Parquet: text columns to keep dictionary-encoded
  std::string filter;                   ///< empty = all rows
  std::vector<std::pair<std::string, core::Value>> parameters;  ///< bound in the filter
  CsvOptions csv;
  const core::Context* context = nullptr;
};

/// kNotFound: no such file; kInvalidArgument: unknown column, wrong filter; kDataLoss: the file is
/// cut short, or not of its format.
base::Result<std::shared_ptr<const core::Table>> read_file(const ReadRequest& request);

/// Rows [begin, end) of a file.
struct RowRange {
  std::int64_t begin, end;
};

// Parts of read_file.
base::Result<std::shared_ptr<const core::Table>> read_parquet(const ReadRequest& request);
base::Result<std::shared_ptr<const core::Table>> read_csv(const ReadRequest& request);
base::Result<std::shared_ptr<const core::Table>> read_ipc(const ReadRequest& request);

/// The rows for which `call` (a SELECT of one ascending BIGINT column) gives a number.
base::Result<std::vector<RowRange>> select_ranges(const SqlCall& call);

/// An error for a column that is not there, with the nearest one that is.
base::Error unknown_column(const std::string& path, const std::string& name,
                           const std::vector<std::string>& known);

struct WriteRequest {
  std::string path;
  FileFormat format = FileFormat::kParquet;
  std::string codec;  ///< "auto" = the format's default
  CsvOptions csv;
};

/// Writes beside `path`, syncs, renames: `path` is the old file or the whole new one.
base::Status write_file(const std::shared_ptr<const core::Table>& table,
                        const WriteRequest& request);

}  // namespace penstock::ops::table
