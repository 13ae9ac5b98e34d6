// Python functions, generators and class instances as node types.
//
// What an object's slots and signals are is found out in Python (penstock._nodes.describe); calls
// go straight from here through the vectorcall protocol. Everything needs the interpreter lock.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <Python.h>

#include "penstock/core/operator.h"
#include "penstock/flow/plan.h"

namespace penstock::bindings {

/// Resolves "pkg.mod.obj" and bare builtins. Owner: the module, for the life of the process.
class PythonResolver final : public flow::Resolver {
 public:
  base::Result<std::unique_ptr<core::NodeType>> resolve(const flow::NodeSpec& node,
                                                        const core::Value& params) const override;
  base::Result<std::unique_ptr<core::NodeType>> resolve_asset(
      const flow::AssetSpec& asset, const core::Value& params) const override;
};

}  // namespace penstock::bindings
