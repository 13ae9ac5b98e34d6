// Plots of the report page: from the `report:` list of a tube and a result to plot records.
// The keys of each kind: docs/formats/run-record.md, "Plots".
#pragma once

#include <string>

#include "penstock/base/result.h"
#include "penstock/core/value.h"

namespace penstock::report {

/// What is wrong with a `report:` value whatever the result: no list, an unknown kind or key (with
/// the ones there are), a missing key. kInvalidArgument.
base::Status check_plots(const core::Value& report);

/// The record of plot number `id` of `spec` over `result`, as JSON for the page. A plot that cannot
/// be drawn (no such column, no rows) becomes a record whose "error" says why.
std::string plot_record(const core::Value& spec, const core::Value& result, int id);

}  // namespace penstock::report
