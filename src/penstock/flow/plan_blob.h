// What a worker process is sent to compile the very plan of the run: one form for the native
// command and for Python. Whether it did compile that plan is checked by its digest in
// exec/worker.cc.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "penstock/base/result.h"
#include "penstock/core/value.h"
#include "penstock/flow/plan.h"

namespace penstock::flow {

struct PlanBlob {
  std::shared_ptr<const Spec> spec;
  core::Value tube_inputs;  ///< a map
  core::Value host;         ///< what write_plan_blob was given; null for none
};

/// The tube as YAML, its tube inputs and `host` (what the host language needs to find the same
/// nodes). kInvalidArgument when an input cannot leave this process.
base::Result<std::string> write_plan_blob(const Plan& plan, const core::Value& tube_inputs,
                                          const core::Value& host = core::Value::null());

/// Inverse of write_plan_blob(); kDataLoss for bytes it did not write.
base::Result<PlanBlob> read_plan_blob(std::string_view bytes);

}  // namespace penstock::flow
