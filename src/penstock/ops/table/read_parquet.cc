// Parquet: DuckDB decides which rows (it prunes row groups by their statistics), Arrow reads them.
#include <algorithm>
#include <set>
#include <utility>

#include <arrow/array/builder_primitive.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/io/file.h>
#include <fmt/format.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/schema.h>
#include <parquet/exception.h>
#include <parquet/file_reader.h>

#include "penstock/ops/table/arrow_bridge.h"
#include "penstock/ops/table/files.h"

namespace penstock::ops::table {
namespace {

using base::ErrorCode;
using base::fail;

/// The files database sees a path as a pattern; a name with such letters is filtered after reading.
bool is_pattern(const std::string& path) {
  return path.find_first_of("*?[") != path.npos;
}

base::Result<std::vector<RowRange>> filter_rows(const ReadRequest& request) {
  SqlCall call{.query = fmt::format("SELECT file_row_number FROM read_parquet($\"penstock path\", "
                                    "file_row_number = true) WHERE (\n{}\n)",
                                    request.filter),
               .subject = "filter",
               .lines_before = 1,
               .tables = {},
               .parameters = request.parameters,
               .mode = SqlMode::kFiles,
               .context = request.context};
  call.parameters.emplace_back("penstock path", core::Value::text(request.path));
  return select_ranges(call);
}

/// One open file.
class ParquetFile {
 public:
  static base::Result<ParquetFile> open(const ReadRequest& request) {
    ParquetFile file(request);
    try {
      PENSTOCK_ARROW_ASSIGN(
          file.input_, arrow::io::MemoryMappedFile::Open(request.path, arrow::io::FileMode::READ),
          fmt::format("cannot open '{}'", request.path));
      // Pages without a checksum are taken as they are; those with one must match it.
      auto checked = parquet::default_reader_properties();
      checked.set_page_checksum_verification(true);
      auto raw = parquet::ParquetFileReader::Open(file.input_, checked);
      file.metadata_ = raw->metadata();
      parquet::ArrowReaderProperties properties;
      properties.set_use_threads(true);
      properties.set_pre_buffer(false);  // the file is mapped: there is nothing to fetch ahead
      for (const std::string& name : request.dictionary) {
        const int column = file.metadata_->schema()->ColumnIndex(name);
        if (column < 0) {
          return fail(unknown_column(request.path, name, file.names()));
        }
        properties.set_read_dictionary(column, true);
      }
      PENSTOCK_ARROW_ASSIGN(file.reader_,
                            parquet::arrow::FileReader::Make(arrow::default_memory_pool(),
                                                             std::move(raw), properties),
                            fmt::format("'{}'", request.path));
    } catch (const parquet::ParquetException& thrown) {
      return fail(ErrorCode::kDataLoss,
                  fmt::format("'{}' is no readable Parquet file: {}", request.path, thrown.what()));
    }
    return file;
  }

  std::vector<std::string> names() const {
    std::vector<std::string> out;
    const auto* root = metadata_->schema()->group_node();
    for (int i = 0; i < root->field_count(); ++i) {
      out.push_back(root->field(i)->name());
    }
    return out;
  }

  /// `ranges`: null = all rows.
  base::Result<std::shared_ptr<arrow::Table>> read(const std::vector<RowRange>* ranges) {
    PENSTOCK_ASSIGN_OR_RETURN(const std::vector<int> leaves, leaf_columns());
    // Row groups that hold a wanted row, and where each begins among the rows read.
    std::vector<int> groups;
    std::vector<RowRange> kept;  // wanted rows, counted among the rows of `groups`
    std::int64_t first = 0, read_rows = 0;
    std::size_t next = 0;
    for (int g = 0; g < metadata_->num_row_groups(); ++g) {
      const std::int64_t rows = metadata_->RowGroup(g)->num_rows();
      const std::int64_t end = first + rows;
      bool wanted = ranges == nullptr;
      while (ranges != nullptr && next < ranges->size() && (*ranges)[next].begin < end) {
        const RowRange range = (*ranges)[next];
        wanted = true;
        const RowRange here{std::max(range.begin, first) - first + read_rows,
                            std::min(range.end, end) - first + read_rows};
        if (!kept.empty() && kept.back().end == here.begin) {
          kept.back().end = here.end;
        } else {
          kept.push_back(here);
        }
        if (range.end > end) {
          break;  // goes on in the next group
        }
        ++next;
      }
      if (wanted) {
        groups.push_back(g);
        read_rows += rows;
      }
      first = end;
    }
    PENSTOCK_ASSIGN_OR_RETURN(auto table, read_groups(groups, leaves));
    if (ranges == nullptr) {
      return table;
    }
    return select_rows(std::move(table), kept);
  }

 private:
  explicit ParquetFile(const ReadRequest& request) : request_(&request) {}

  base::Result<std::vector<int>> leaf_columns() const {
    const auto known = names();
    const auto& wanted = request_->columns.empty() ? known : request_->columns;
    std::vector<int> leaves;
    for (const std::string& name : wanted) {
      const auto at = std::ranges::find(known, name);
      if (at == known.end()) {
        return fail(unknown_column(request_->path, name, known));
      }
      const auto* schema = metadata_->schema();
      for (int leaf = 0; leaf < schema->num_columns(); ++leaf) {
        if (schema->GetColumnRoot(leaf)->name() == name) {
          leaves.push_back(leaf);
        }
      }
    }
    return leaves;
  }

  base::Result<std::shared_ptr<arrow::Table>> read_groups(const std::vector<int>& groups,
                                                          const std::vector<int>& leaves) {
    const std::string what = fmt::format("cannot read '{}'", request_->path);
    std::shared_ptr<arrow::Table> table;
    try {
      PENSTOCK_ARROW_ASSIGN(table, reader_->ReadRowGroups(groups, leaves), what);
    } catch (const parquet::ParquetException& thrown) {
      return fail(ErrorCode::kDataLoss, fmt::format("{}: {}", what, thrown.what()));
    }
    // Arrow gives the columns in file order.
    if (!request_->columns.empty()) {
      std::vector<int> order;
      for (const std::string& name : request_->columns) {
        order.push_back(table->schema()->GetFieldIndex(name));
      }
      PENSTOCK_ARROW_ASSIGN(table, table->SelectColumns(order), what);
    }
    // The bytes are somebody else's: text must be UTF-8 before anything relies on it.
    PENSTOCK_ARROW_RETURN(table->ValidateFull(), what);
    return table;
  }

  static base::Result<std::shared_ptr<arrow::Table>> select_rows(
      std::shared_ptr<arrow::Table> table, const std::vector<RowRange>& kept) {
    if (kept.empty()) {
      return table->Slice(0, 0);
    }
    constexpr std::size_t kMaxSlices = 64;
    if (kept.size() <= kMaxSlices) {
      std::vector<std::shared_ptr<arrow::Table>> slices;
      for (const RowRange& range : kept) {
        slices.push_back(table->Slice(range.begin, range.end - range.begin));
      }
      PENSTOCK_ARROW_ASSIGN(auto joined, arrow::ConcatenateTables(slices), "row filter");
      return joined;
    }
    arrow::BooleanBuilder mask;
    PENSTOCK_ARROW_RETURN(mask.Reserve(table->num_rows()), "row filter");
    std::int64_t at = 0;
    for (const RowRange& range : kept) {
      PENSTOCK_ARROW_RETURN(mask.AppendValues(range.begin - at, false), "row filter");
      PENSTOCK_ARROW_RETURN(mask.AppendValues(range.end - range.begin, true), "row filter");
      at = range.end;
    }
    PENSTOCK_ARROW_RETURN(mask.AppendValues(table->num_rows() - at, false), "row filter");
    PENSTOCK_ARROW_ASSIGN(auto bits, mask.Finish(), "row filter");
    PENSTOCK_ARROW_ASSIGN(auto filtered,
                          arrow::compute::Filter(arrow::Datum(table), arrow::Datum(bits)),
                          "row filter");
    return filtered.table();
  }

  const ReadRequest* request_;
  std::shared_ptr<arrow::io::MemoryMappedFile> input_;
  std::shared_ptr<parquet::FileMetaData> metadata_;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
};

}  // namespace

base::Result<std::shared_ptr<const core::Table>> read_parquet(const ReadRequest& request) {
  // Opened first: a file that is missing or broken is reported by one engine, in one way.
  PENSTOCK_ASSIGN_OR_RETURN(ParquetFile file, ParquetFile::open(request));
  if (request.filter.empty()) {
    PENSTOCK_ASSIGN_OR_RETURN(const auto table, file.read(nullptr));
    return from_arrow(*table);
  }
  if (is_pattern(request.path)) {
    return fail(ErrorCode::kUnimplemented,
                fmt::format("a filter on the Parquet file '{}', whose name has one of * ? [",
                            request.path));
  }
  PENSTOCK_ASSIGN_OR_RETURN(const std::vector<RowRange> ranges, filter_rows(request));
  PENSTOCK_ASSIGN_OR_RETURN(const auto table, file.read(&ranges));
  return from_arrow(*table);
}

}  // namespace penstock::ops::table
