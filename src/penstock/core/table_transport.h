// A table as it lies, for other processes of the same run: nothing is copied, merged or checked
// beyond sizes. Its canonical form (table_codec.h) is for identity and for strangers.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/table.h"
#include "penstock/core/tensor.h"
#include "penstock/core/value.h"

namespace penstock::core {

/// What ["arrow", schema, batches, [buffer, ...]] holds (transport mode only). `batches` is a list
/// of arrays; an array is [length, null_count, offset, num_buffers, [child, ...], dictionary or
/// null]. Buffers are in depth-first order; an empty first one stands for no validity bitmap.
struct TransportTable {
  Value schema;
  Value batches;
  std::vector<std::shared_ptr<const Buffer>> buffers;
};

/// The buffers point into `table`, cut to the slice that it shows. Only offsets that do not start
/// at 0 are written anew. kDataLoss when offsets run backwards.
base::Result<TransportTable> to_transport(const std::shared_ptr<const Table>& table);

/// Inverse. Checks the shape and that every buffer is as long as its array needs; not the bytes.
/// kDataLoss otherwise.
base::Result<std::shared_ptr<const Table>> from_transport(TransportTable form);

}  // namespace penstock::core
