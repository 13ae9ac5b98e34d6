// A plan as bytes, for ProcessOptions::plan and WorkerHooks::compile: the tube's text and the values
// of its tube-scoped inputs. A worker compiles it again; the digests are compared.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "penstock/base/result.h"
#include "penstock/core/value.h"
#include "penstock/flow/plan.h"

namespace penstock::exec {

/// `tube_inputs` are the values the plan was compiled with; `host` is whatever the host language's
/// side of the worker needs (absent or a native value). kInvalidArgument for an input that cannot
/// leave this process.
base::Result<std::string> pack_plan(const flow::Plan& plan, const core::Value& tube_inputs,
                                    const core::Value& host = {});

struct PackedPlan {
  std::string text, file;
  core::Value tube_inputs;
  core::Value host;
};

/// kDataLoss for bytes that pack_plan() did not make.
base::Result<PackedPlan> unpack_plan(std::string_view bytes);

/// Compiles an unpacked plan.
base::Result<std::shared_ptr<const flow::Plan>> compile_packed(
    const PackedPlan& packed, std::span<const flow::Resolver* const> resolvers);

}  // namespace penstock::exec
