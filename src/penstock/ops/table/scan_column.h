// One Arrow column as DuckDB sees it: its SQL type, and how slots become vector entries.
//
// Fixed-width values are copied into DuckDB's execution vectors, 2,048 at a time, which stay in the
// cache; text and bytes are referred to where they lie. No table is ever copied.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <duckdb.h>

#include "penstock/base/result.h"
#include "penstock/core/table.h"

namespace penstock::ops::table {

/// Owns a duckdb_logical_type.
struct LogicalTypeDeleter {
  void operator()(duckdb_logical_type type) const { duckdb_destroy_logical_type(&type); }
};
using LogicalType = std::unique_ptr<_duckdb_logical_type, LogicalTypeDeleter>;

/// How the slots of one Arrow format are written.
enum class Fill : std::uint8_t {
  kNull,
  kBits,
  kCopy,
  kHalf,
  kText32,
  kText64,
  kView,
  kFixedBytes,
  kDateMs,    ///< date64 -> DATE
  kScale32,   ///< int32 -> int64, times `factor`
  kScale64,   ///< int64 -> int64, times or divided by `factor`
  kDuration,  ///< int64 -> INTERVAL
  kMonths,
  kDayTime,
  kMonthDayNano,
  kDecimal,  ///< any width -> the width DuckDB uses for the precision
  kList32,
  kList64,
  kFixedList,
  kStruct,
  kEnum,    ///< dictionary of text -> ENUM, sorted as text
  kDecode,  ///< any other dictionary -> its values
};

/// A column of a scanned table. Immutable and thread-safe once made.
class ScanColumn {
 public:
  /// `arrays`: this column in every batch, to collect dictionaries. kUnimplemented for a type that
  /// SQL does not have.
  static base::Result<ScanColumn> create(const ArrowSchema& schema,
                                         const std::vector<const ArrowArray*>& arrays);

  duckdb_logical_type type() const { return type_.get(); }

  /// Writes slots [begin, begin + count) of `array` (counted from the start of its buffers) to
  /// entries `out` onwards of `vector`.
  void fill(duckdb_vector vector, std::int64_t out, const ArrowArray& array, std::int64_t begin,
            std::int64_t count) const;

 private:
  using Remap = std::vector<std::uint32_t>;

  base::Status set_plain(const ArrowSchema& schema, const std::vector<const ArrowArray*>& arrays);
  base::Status set_temporal(std::string_view format);
  base::Status set_decimal(const ArrowSchema& schema);
  base::Status set_nested(const ArrowSchema& schema, const std::vector<const ArrowArray*>& arrays);
  base::Status set_dictionary(const ArrowSchema& schema,
                              const std::vector<const ArrowArray*>& arrays);
  void set(Fill fill, duckdb_type type);
  void set_copy(duckdb_type type, std::int64_t width);
  void set_scale(Fill fill, duckdb_type type, std::int64_t factor, bool divide);

  void fill_values(duckdb_vector vector, std::int64_t out, const ArrowArray& array,
                   std::int64_t begin, std::int64_t count) const;
  void fill_interval(duckdb_vector vector, std::int64_t out, const void* data, std::int64_t begin,
                     std::int64_t count) const;
  void fill_decimal(duckdb_vector vector, std::int64_t out, const void* data, std::int64_t begin,
                    std::int64_t count) const;
  template <class Offset>
  void fill_list(duckdb_vector vector, std::int64_t out, const ArrowArray& array,
                 std::int64_t begin, std::int64_t count) const;
  void fill_dictionary(duckdb_vector vector, std::int64_t out, const ArrowArray& array,
                       std::int64_t begin, std::int64_t count) const;

  Fill fill_ = Fill::kNull;
  LogicalType type_;
  std::int64_t width_ = 0;      ///< bytes of a source value; index width of a dictionary
  std::int64_t out_width_ = 0;  ///< bytes of an ENUM code or DECIMAL
  std::int64_t factor_ = 1;
  bool divide_ = false;
  bool signed_index_ = false;
  std::int64_t list_size_ = 0;
  std::vector<ScanColumn> children_;
  /// Per dictionary: entry -> ENUM code, or kNullEntry.
  std::map<const ArrowArray*, Remap> remaps_;
};

}  // namespace penstock::ops::table
