#include "penstock/ops/table/scan.h"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstring>
#include <string_view>
#include <thread>
#include <utility>

#include <fmt/format.h>

namespace penstock::ops::table {
namespace {

using base::ErrorCode;
using base::fail;

using Tables = std::vector<std::shared_ptr<const ScanTable>>;

thread_local const Tables* current_tables = nullptr;

/// Rows that a thread takes at once: enough to hide the counter, few enough to share half a million
/// rows evenly. A multiple of the vector size, so that vectors begin at the same rows whatever the
/// batches of the table are.
constexpr std::int64_t kMorselRows = 16 * 2048;

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) ==
           std::tolower(static_cast<unsigned char>(y));
  });
}

struct BoundScan {
  std::shared_ptr<const ScanTable> table;
};

struct GlobalScan {
  std::vector<std::int64_t> columns;  ///< wanted; num_columns() = the row number
  std::atomic<std::int64_t> next_row{0};
};

struct LocalScan {
  std::int64_t row = 0, end = 0;
};

template <class T>
void destroy(void* data) {
  delete static_cast<T*>(data);
}

void bind_scan(duckdb_bind_info info) {
  duckdb_value index_value = duckdb_bind_get_parameter(info, 0);
  duckdb_value numbered_value = duckdb_bind_get_parameter(info, 1);
  const std::int64_t index = duckdb_get_int64(index_value);
  const bool numbered = duckdb_get_bool(numbered_value);
  duckdb_destroy_value(&index_value);
  duckdb_destroy_value(&numbered_value);
  if (current_tables == nullptr || index < 0 ||
      index >= static_cast<std::int64_t>(current_tables->size())) {
    duckdb_bind_set_error(info, "penstock_scan reads the tables of a running call only");
    return;
  }
  const auto& table = (*current_tables)[static_cast<std::size_t>(index)];
  for (std::int64_t c = 0; c < table->num_columns(); ++c) {
    duckdb_bind_add_result_column(info, std::string(table->column_name(c)).c_str(),
                                  table->column(c).type());
  }
  if (numbered || table->num_columns() == 0) {
    LogicalType bigint(duckdb_create_logical_type(DUCKDB_TYPE_BIGINT));
    duckdb_bind_add_result_column(info, kRowNumberColumn, bigint.get());
  }
  duckdb_bind_set_cardinality(info, static_cast<idx_t>(table->num_rows()), true);
  duckdb_bind_set_bind_data(info, new BoundScan{table}, destroy<BoundScan>);
}

void init_scan(duckdb_init_info info) {
  const ScanTable& table = *static_cast<BoundScan*>(duckdb_init_get_bind_data(info))->table;
  auto* scan = new GlobalScan();
  for (idx_t i = 0; i < duckdb_init_get_column_count(info); ++i) {
    scan->columns.push_back(static_cast<std::int64_t>(duckdb_init_get_column_index(info, i)));
  }
  duckdb_init_set_init_data(info, scan, destroy<GlobalScan>);
  const std::int64_t morsels = (table.num_rows() + kMorselRows - 1) / kMorselRows;
  const auto cores = static_cast<std::int64_t>(std::max(1U, std::thread::hardware_concurrency()));
  duckdb_init_set_max_threads(info,
                              static_cast<idx_t>(std::clamp<std::int64_t>(morsels, 1, cores)));
}

void init_local(duckdb_init_info info) {
  duckdb_init_set_init_data(info, new LocalScan(), destroy<LocalScan>);
}

void scan(duckdb_function_info info, duckdb_data_chunk output) {
  const ScanTable& table = *static_cast<BoundScan*>(duckdb_function_get_bind_data(info))->table;
  auto& global = *static_cast<GlobalScan*>(duckdb_function_get_init_data(info));
  auto& local = *static_cast<LocalScan*>(duckdb_function_get_local_init_data(info));
  if (local.row == local.end) {
    // Relaxed: the counter hands out disjoint ranges and orders nothing else.
    local.row = std::min(global.next_row.fetch_add(kMorselRows, std::memory_order_relaxed),
                         table.num_rows());
    local.end = std::min(local.row + kMorselRows, table.num_rows());
  }
  const std::int64_t count =
      std::min(local.end - local.row, static_cast<std::int64_t>(duckdb_vector_size()));
  for (std::size_t i = 0; count > 0 && i < global.columns.size(); ++i) {
    const std::int64_t column = global.columns[i];
    // DuckDB asks for a column that does not exist when it only counts rows.
    if (column < 0 || column > table.num_columns()) {
      continue;
    }
    duckdb_vector vector = duckdb_data_chunk_get_vector(output, i);
    if (column < table.num_columns()) {
      table.fill(column, vector, local.row, count);
      continue;
    }
    auto* numbers = static_cast<std::int64_t*>(duckdb_vector_get_data(vector));
    for (std::int64_t k = 0; k < count; ++k) {
      numbers[k] = local.row + k;
    }
  }
  duckdb_data_chunk_set_size(output, static_cast<idx_t>(count));
  local.row += count;
}

void replace(duckdb_replacement_scan_info info, const char* name, void*) {
  if (current_tables == nullptr) {
    return;
  }
  for (std::size_t i = 0; i < current_tables->size(); ++i) {
    if (!same_name((*current_tables)[i]->name(), name)) {
      continue;
    }
    duckdb_replacement_scan_set_function_name(info, "penstock_scan");
    duckdb_value index = duckdb_create_int64(static_cast<std::int64_t>(i));
    duckdb_value numbered = duckdb_create_bool(false);
    duckdb_replacement_scan_add_parameter(info, index);
    duckdb_replacement_scan_add_parameter(info, numbered);
    duckdb_destroy_value(&index);
    duckdb_destroy_value(&numbered);
    return;
  }
}

/// Empty when `a` and `b` have the same columns, else what differs.
std::string difference(const core::Table& a, const core::Table& b) {
  if (a.num_columns() != b.num_columns()) {
    return fmt::format("seen {} columns, wanted {}", b.num_columns(), a.num_columns());
  }
  for (std::int64_t c = 0; c < a.num_columns(); ++c) {
    const ArrowSchema &x = *a.schema().children[c], &y = *b.schema().children[c];
    if (a.column_name(c) != b.column_name(c)) {
      return fmt::format("column {}: seen '{}', wanted '{}'", c, y.name, x.name);
    }
    if (std::strcmp(x.format, y.format) != 0) {
      return fmt::format("column '{}': seen Arrow format '{}', wanted '{}'", x.name, y.format,
                         x.format);
    }
  }
  return {};
}

}  // namespace

base::Result<std::shared_ptr<const ScanTable>> ScanTable::create(
    std::string name, std::vector<std::shared_ptr<const core::Table>> parts) {
  if (parts.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("input '{}' is an empty list; wanted at least one table, whose columns "
                            "then are known",
                            name));
  }
  auto table = std::make_shared<ScanTable>();
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const std::string differs = difference(*parts[0], *parts[p]);
    if (!differs.empty()) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("input '{}': table {} of the list differs from the first: {}", name,
                              p, differs));
    }
    for (const ArrowArray& batch : parts[p]->batches()) {
      if (batch.length > 0) {
        table->batches_.push_back({&batch, table->num_rows_});
        table->num_rows_ += batch.length;
      }
    }
  }
  for (std::int64_t c = 0; c < parts[0]->num_columns(); ++c) {
    std::vector<const ArrowArray*> arrays;
    for (const Batch& batch : table->batches_) {
      arrays.push_back(batch.array->children[c]);
    }
    auto column = ScanColumn::create(*parts[0]->schema().children[c], arrays);
    if (!column.has_value()) {
      return fail(column.error().with_context(fmt::format("input '{}'", name)));
    }
    table->columns_.push_back(std::move(*column));
  }
  table->name_ = std::move(name);
  table->parts_ = std::move(parts);
  return table;
}

void ScanTable::fill(std::int64_t column, duckdb_vector vector, std::int64_t row,
                     std::int64_t count) const {
  auto batch = std::ranges::upper_bound(batches_, row, {}, &Batch::first_row) - 1;
  for (std::int64_t out = 0; out < count; ++batch) {
    const ArrowArray& array = *batch->array->children[column];
    const std::int64_t skip = row + out - batch->first_row;
    const std::int64_t taken = std::min(count - out, batch->array->length - skip);
    columns_[static_cast<std::size_t>(column)].fill(
        vector, out, array, array.offset + batch->array->offset + skip, taken);
    out += taken;
  }
}

ScanScope::ScanScope(const Tables& tables) {
  PENSTOCK_CHECK(current_tables == nullptr);
  current_tables = &tables;
}

ScanScope::~ScanScope() {
  current_tables = nullptr;
}

base::Status register_scan(duckdb_database database, duckdb_connection connection) {
  duckdb_table_function function = duckdb_create_table_function();
  duckdb_table_function_set_name(function, "penstock_scan");
  LogicalType bigint(duckdb_create_logical_type(DUCKDB_TYPE_BIGINT));
  LogicalType boolean(duckdb_create_logical_type(DUCKDB_TYPE_BOOLEAN));
  duckdb_table_function_add_parameter(function, bigint.get());
  duckdb_table_function_add_parameter(function, boolean.get());
  duckdb_table_function_set_bind(function, bind_scan);
  duckdb_table_function_set_init(function, init_scan);
  duckdb_table_function_set_local_init(function, init_local);
  duckdb_table_function_set_function(function, scan);
  duckdb_table_function_supports_projection_pushdown(function, true);
  const duckdb_state state = duckdb_register_table_function(connection, function);
  duckdb_destroy_table_function(&function);
  if (state != DuckDBSuccess) {
    return fail(ErrorCode::kInternal, "DuckDB refused the table function penstock_scan");
  }
  duckdb_add_replacement_scan(database, replace, nullptr, nullptr);
  return {};
}

}  // namespace penstock::ops::table
