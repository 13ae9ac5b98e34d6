// What Python adds to flow/plan_blob.h: the import path, and the script the run was started with.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "penstock/base/result.h"
#include "penstock/core/value.h"
#include "penstock/flow/plan.h"

namespace penstock::bindings {

/// The tube as YAML, its tube inputs, its digest and the import path. Lock held.
base::Result<std::string> make_plan_blob(const flow::Plan& plan, const core::Value& tube_inputs);

/// In the worker: sets the import path and compiles. Takes the lock itself.
base::Result<std::shared_ptr<const flow::Plan>> compile_plan_blob(std::string_view blob);

}  // namespace penstock::bindings
