// RunRecord <-> Value: the form of a record in the history file (docs/formats/history.md).
#pragma once

#include "penstock/base/result.h"
#include "penstock/core/value.h"
#include "penstock/flow/history.h"

namespace penstock::flow {

core::Value to_value(const RunRecord& record);
/// kDataLoss when a field is missing or of the wrong kind. Unknown fields are ignored.
base::Result<RunRecord> record_from_value(const core::Value& value);

}  // namespace penstock::flow
