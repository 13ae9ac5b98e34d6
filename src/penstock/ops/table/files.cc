// Reading CSV and IPC, row filters, and what all formats share.
#include "penstock/ops/table/files.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <arrow/buffer.h>
#include <arrow/csv/api.h>
#include <arrow/io/file.h>
#include <arrow/ipc/reader.h>
#include <fmt/format.h>

#include "penstock/ops/table/arrow_bridge.h"
#include "penstock/ops/table/sql_text.h"

namespace penstock::ops::table {
namespace {

using base::ErrorCode;
using base::fail;

base::Status check_file(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) {
    const int error = errno;
    if (error == ENOENT || error == ENOTDIR) {
      return fail(ErrorCode::kNotFound, fmt::format("no such file: '{}'", path));
    }
    return fail(ErrorCode::kFailedPrecondition,
                fmt::format("cannot read '{}': {}", path, std::strerror(error)));
  }
  if (!S_ISREG(info.st_mode)) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is not a regular file", path));
  }
  return {};
}

/// The rows of `table` for which the request's filter holds.
base::Result<std::shared_ptr<const core::Table>> filter_table(
    const ReadRequest& request, const std::shared_ptr<const core::Table>& table) {
  PENSTOCK_ASSIGN_OR_RETURN(auto scan, ScanTable::create("penstock file", {table}));
  SqlCall call{.query = fmt::format("SELECT \"{}\" FROM penstock_scan(0, true) WHERE (\n{}\n)",
                                    kRowNumberColumn, request.filter),
               .subject = "filter",
               .lines_before = 1,
               .tables = {std::move(scan)},
               .parameters = request.parameters,
               .mode = SqlMode::kSerial,
               .context = request.context};
  PENSTOCK_ASSIGN_OR_RETURN(const auto ranges, select_ranges(call));
  PENSTOCK_ASSIGN_OR_RETURN(const auto whole, to_arrow(table));
  std::vector<std::shared_ptr<arrow::Table>> slices{whole->Slice(0, 0)};
  for (const RowRange& range : ranges) {
    slices.push_back(whole->Slice(range.begin, range.end - range.begin));
  }
  PENSTOCK_ARROW_ASSIGN(auto joined, arrow::ConcatenateTables(slices), "row filter");
  PENSTOCK_ARROW_ASSIGN(joined, joined->CombineChunks(), "row filter");
  return from_arrow(*joined);
}

/// Only the wanted columns, in the wanted order.
base::Result<std::shared_ptr<arrow::Table>> select_columns(const ReadRequest& request,
                                                           std::shared_ptr<arrow::Table> table) {
  if (request.columns.empty()) {
    return table;
  }
  std::vector<int> order;
  for (const std::string& name : request.columns) {
    const int at = table->schema()->GetFieldIndex(name);
    if (at < 0) {
      return fail(unknown_column(request.path, name, table->schema()->field_names()));
    }
    order.push_back(at);
  }
  PENSTOCK_ARROW_ASSIGN(auto selected, table->SelectColumns(order), "columns");
  return selected;
}

/// Filter, then columns: a filter may use columns that are not asked for.
base::Result<std::shared_ptr<const core::Table>> finish(const ReadRequest& request,
                                                        std::shared_ptr<arrow::Table> table) {
  if (!request.filter.empty()) {
    PENSTOCK_ASSIGN_OR_RETURN(const auto read, from_arrow(*table));
    PENSTOCK_ASSIGN_OR_RETURN(const auto kept, filter_table(request, read));
    PENSTOCK_ASSIGN_OR_RETURN(table, to_arrow(kept));
  }
  PENSTOCK_ASSIGN_OR_RETURN(table, select_columns(request, std::move(table)));
  return from_arrow(*table);
}

}  // namespace

base::Error unknown_column(const std::string& path, const std::string& name,
                           const std::vector<std::string>& known) {
  std::vector<std::string> first(known.begin(),
                                 known.begin() + std::min<std::ptrdiff_t>(std::ssize(known), 20));
  base::Error error(ErrorCode::kInvalidArgument,
                    fmt::format("'{}' has no column '{}'; it has: {}{}", path, name,
                                fmt::join(first, ", "), known.size() > 20 ? ", ..." : ""));
  const std::string nearest = core::nearest_name(name, known);
  return nearest.empty() ? error : error.with_help(fmt::format("did you mean '{}'?", nearest));
}

base::Result<FileFormat> file_format(const std::string& name, const std::string& path) {
  static constexpr std::pair<std::string_view, FileFormat> kFormats[] = {
      {"parquet", FileFormat::kParquet}, {".parquet", FileFormat::kParquet},
      {".pq", FileFormat::kParquet},     {"csv", FileFormat::kCsv},
      {".csv", FileFormat::kCsv},        {".tsv", FileFormat::kCsv},
      {"ipc", FileFormat::kIpc},         {".arrow", FileFormat::kIpc},
      {".arrows", FileFormat::kIpc},     {".feather", FileFormat::kIpc},
      {".ipc", FileFormat::kIpc}};
  const std::string key =
      name == "auto" ? to_lower(std::filesystem::path(path).extension().string()) : name;
  for (const auto& [known, format] : kFormats) {
    if (known == key) {
      return format;
    }
  }
  return fail(base::Error(ErrorCode::kInvalidArgument,
                          fmt::format("format of '{}' is not known by its extension; wanted "
                                      ".parquet, .csv, .tsv, .arrow, .feather or .ipc",
                                      path))
                  .with_help("add to params: format: parquet (or csv, ipc)"));
}

base::Result<std::vector<RowRange>> select_ranges(const SqlCall& call) {
  std::vector<RowRange> ranges;
  const auto collect = [&ranges](duckdb_result& result) -> base::Status {
    while (duckdb_data_chunk chunk = duckdb_fetch_chunk(result)) {
      const idx_t rows = duckdb_data_chunk_get_size(chunk);
      const auto* numbers = static_cast<const std::int64_t*>(
          duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0)));
      for (idx_t i = 0; i < rows; ++i) {
        if (!ranges.empty() && ranges.back().end == numbers[i]) {
          ++ranges.back().end;
        } else {
          ranges.push_back({numbers[i], numbers[i] + 1});
        }
      }
      duckdb_destroy_data_chunk(&chunk);
    }
    return {};
  };
  PENSTOCK_RETURN_IF_ERROR(run_sql(call, collect));
  return ranges;
}

base::Result<std::shared_ptr<const core::Table>> read_csv(const ReadRequest& request) {
  const std::string what = fmt::format("cannot read '{}' as CSV", request.path);
  PENSTOCK_ARROW_ASSIGN(auto input, arrow::io::ReadableFile::Open(request.path), what);
  auto read = arrow::csv::ReadOptions::Defaults();
  auto parse = arrow::csv::ParseOptions::Defaults();
  auto convert = arrow::csv::ConvertOptions::Defaults();
  read.autogenerate_column_names = !request.csv.header;
  parse.delimiter = request.csv.delimiter;
  PENSTOCK_ARROW_ASSIGN(
      auto reader,
      arrow::csv::TableReader::Make(arrow::io::default_io_context(), input, read, parse, convert),
      what);
  PENSTOCK_ARROW_ASSIGN(auto table, reader->Read(), what);
  return finish(request, std::move(table));
}

base::Result<std::shared_ptr<const core::Table>> read_ipc(const ReadRequest& request) {
  const std::string what = fmt::format("cannot read '{}' as Arrow IPC", request.path);
  PENSTOCK_ARROW_ASSIGN(
      auto input, arrow::io::MemoryMappedFile::Open(request.path, arrow::io::FileMode::READ), what);
  // A file begins with the magic that also ends it; a stream begins with a message.
  PENSTOCK_ARROW_ASSIGN(const auto magic, input->ReadAt(0, 6), what);
  std::shared_ptr<arrow::Table> table;
  if (magic->ToString() == "ARROW1") {
    PENSTOCK_ARROW_ASSIGN(auto reader, arrow::ipc::RecordBatchFileReader::Open(input), what);
    PENSTOCK_ARROW_ASSIGN(table, reader->ToTable(), what);
  } else {
    PENSTOCK_ARROW_ASSIGN(auto reader, arrow::ipc::RecordBatchStreamReader::Open(input), what);
    PENSTOCK_ARROW_ASSIGN(table, reader->ToTable(), what);
  }
  PENSTOCK_ARROW_RETURN(table->ValidateFull(), what);
  return finish(request, std::move(table));
}

base::Result<std::shared_ptr<const core::Table>> read_file(const ReadRequest& request) {
  PENSTOCK_RETURN_IF_ERROR(check_file(request.path));
  switch (request.format) {
    case FileFormat::kParquet:
      return read_parquet(request);
    case FileFormat::kCsv:
      return read_csv(request);
    case FileFormat::kIpc:
      return read_ipc(request);
  }
  return fail(ErrorCode::kInternal, "unknown file format");
}

}  // namespace penstock::ops::table
