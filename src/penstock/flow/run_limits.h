// What a run has for nodes that ask for something, as its caller says it.
#pragma once

#include "penstock/base/result.h"
#include "penstock/core/value.h"
#include "penstock/flow/policy.h"

namespace penstock::flow {

/// default_resources(), but for the kinds that `given` (a map: cpu, io, memory) speaks of.
/// kInvalidArgument, PS0122 or PS0125: the first problem of `given`.
base::Result<Resources> run_resources(const core::Value& given, std::int32_t num_workers);

}  // namespace penstock::flow
