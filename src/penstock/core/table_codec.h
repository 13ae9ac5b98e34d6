// The canonical form of a table inside the value encoding, and the way back.
//
// Two tables with the same schema and the same logical values have the same form, however they are
// chunked, sliced or dictionary-encoded. Byte by byte: docs/formats/value-encoding.md.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/table.h"
#include "penstock/core/tensor.h"
#include "penstock/core/value.h"

namespace penstock::core {

/// What ["table", schema, num_rows, [buffer, ...]] holds. `schema` is made of lists, maps, text and
/// integers only. `buffers` are in depth-first order of the columns, as the schema prescribes; an
/// entry is never null (an empty buffer has size 0).
struct TableForm {
  Value schema;
  std::int64_t num_rows = 0;
  std::vector<std::shared_ptr<const Buffer>> buffers;
};

/// One chunk, offset 0, no validity bitmap for a column without nulls, zeros in null slots and in
/// padding bits. Copies only what is not in that form already; `table` must outlive the buffers
/// that point into it, hence the shared pointer.
base::Result<TableForm> to_form(const std::shared_ptr<const Table>& table);

/// The columns of a table's schema as a Value: a list of fields.
Value schema_form(const ArrowSchema& schema);

/// Inverse of schema_form(); the caller releases the schema. kDataLoss for anything else.
base::Result<ArrowSchema> schema_from_form(const Value& form);

/// Inverse of to_form(). Validates everything (the form may come from a file or a peer): schema,
/// buffer count and sizes, offsets, UTF-8, and that the form is canonical. kDataLoss otherwise.
base::Result<std::shared_ptr<const Table>> from_form(TableForm form);

}  // namespace penstock::core
