// What `penstock run --dry-run` prints.
#pragma once

#include <span>

#include "penstock/cli/terminal.h"
#include "penstock/flow/plan.h"
#include "penstock/flow/runner.h"

namespace penstock::cli {

/// One line per node and reason; with `json` one object per call.
void print_dry_run(const flow::Plan& plan, std::span<const flow::PlannedCall> calls, bool json,
                   Terminal& terminal);

}  // namespace penstock::cli
