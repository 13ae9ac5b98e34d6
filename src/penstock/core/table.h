// Table: a schema and record batches in the Arrow C Data Interface. No Arrow library is needed.
//
// Immutable and thread-safe. Batches are struct arrays; the producer's memory is kept, not copied,
// and released when the last Table (or exported view) that shares it goes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/arrow_abi.h"

namespace penstock::core {

class Table {
 public:
  /// Takes over `schema` and `batches` (both are released by the Table, also on failure).
  /// Validates the layout of every array against the schema: formats we know, buffer counts,
  /// child counts, lengths. kInvalidArgument when they disagree, kUnimplemented for a format
  /// that docs/formats/value-encoding.md does not list.
  static base::Result<std::shared_ptr<const Table>> create(ArrowSchema* schema,
                                                           std::vector<ArrowArray> batches);
  /// Drains and releases `stream`.
  static base::Result<std::shared_ptr<const Table>> from_stream(ArrowArrayStream* stream);

  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;
  ~Table();

  std::int64_t num_rows() const { return num_rows_; }
  std::int64_t num_columns() const { return schema_.n_children; }
  const ArrowSchema& schema() const { return schema_; }
  const std::vector<ArrowArray>& batches() const { return batches_; }
  std::string_view column_name(std::int64_t column) const;
  /// Index of the first column of that name, or -1.
  std::int64_t find_column(std::string_view name) const;

 private:
  Table() = default;

  ArrowSchema schema_{};
  std::vector<ArrowArray> batches_;
  std::int64_t num_rows_ = 0;
};

/// Fills `out` with a stream over `table`; no copy, the table lives until the consumer releases.
void export_stream(std::shared_ptr<const Table> table, ArrowArrayStream* out);

/// Same schema (names, formats, nullability) and same logical values, however chunked.
base::Result<bool> equal(const Table& a, const Table& b);

}  // namespace penstock::core
