// Plots of the report page: from the `report:` list of a tube and a result to plot records.
// The keys of each kind: docs/formats/run-record.md, "Plots".
#pragma once

#include <string>

#include "penstock/core/value.h"

namespace penstock::report {

/// The record of plot number `id` of `spec` over `result`, as JSON for the page. A plot that cannot
/// be drawn (no such column, no rows) becomes a record whose "error" says why.
std::string plot_record(const core::Value& spec, const core::Value& result, int id);

}  // namespace penstock::report
