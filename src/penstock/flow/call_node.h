// Calls one node's operator: the one place where an operator is entered. Internal to flow.
//
// A template over the access object so that the runner's inline loop pays no virtual calls; every
// other executor uses run_task() (executor.h), which is this function over the abstract TaskAccess.
#pragma once

#include <exception>
#include <span>
#include <string>
#include <vector>

#include "penstock/core/host.h"
#include "penstock/core/operator.h"
#include "penstock/flow/executor.h"

namespace penstock::flow {

/// What a call needs to know of a node.
struct CallTarget {
  const core::Operator* op = nullptr;  ///< null: a structural node (map, gather, return)
  core::State* state = nullptr;
  bool needs_host = false;
  bool native = true;
  bool may_see_host = false;       ///< an input may be a host object (the plan has host nodes)
  bool is_local = false;           ///< PlanNode::is_local
  const Policy* policy = nullptr;  ///< PlanNode::policy
  bool is_kept = false;            ///< PlanNode::is_kept
  std::span<const OwnAsset> own_assets;
};

/// Buffers of one calling thread, reused from call to call. Owner thread only.
struct CallScratch {
  std::vector<const core::Value*> inputs;
  std::vector<core::Value> converted;
  std::vector<std::int64_t> path;
  core::Context context;
  bool holds_host = false;  ///< this thread has the interpreter lock until the run returns
};

/// Replaces host objects among the inputs of a native operator by native copies held in `scratch`.
base::Status convert_host_inputs(CallScratch& scratch, std::size_t num_inputs);

/// Turns whatever foreign code threw into an Error.
base::Error describe_exception(std::exception_ptr thrown);

/// Assets of scope node for one call: made by make(), let go of by release() in reverse order.
class OwnAssets {
 public:
  OwnAssets(std::span<const OwnAsset> assets, core::Context& context)
      : assets_(assets), context_(context) {}
  /// Puts the objects into `inputs`. On an error nothing is left behind.
  base::Status make(std::vector<const core::Value*>& inputs);
  /// The first error of those that let go.
  base::Status release();

 private:
  std::span<const OwnAsset> assets_;
  core::Context& context_;
  std::vector<core::Value> objects_;
};

template <class Access>
base::Result<core::Step> call_inputs(const Access& access, const CallTarget& target,
                                     const Task& task, CallScratch& scratch, core::Call& call);

/// call_node() of a node with assets of its own.
template <class Access>
base::Result<core::Step> call_with_assets(const Access& access, const CallTarget& target,
                                          const Task& task, CallScratch& scratch) {
  core::Call call;
  const auto inputs = access.inputs(task, scratch.inputs);
  if (inputs.data() != scratch.inputs.data()) {
    scratch.inputs.assign(inputs.begin(), inputs.end());
  }
  scratch.context.node = task.node;
  scratch.context.node_id = &access.node_id(task.node);
  OwnAssets assets(target.own_assets, scratch.context);
  PENSTOCK_RETURN_IF_ERROR(assets.make(scratch.inputs));
  call.inputs = {scratch.inputs.data(), inputs.size()};
  auto step = call_inputs(access, target, task, scratch, call);
  const base::Status released = assets.release();
  if (step.has_value() && !released.has_value()) {
    return base::fail(released.error());
  }
  return step;
}

template <class Access>
base::Result<core::Step> call_node(const Access& access, const CallTarget& target, const Task& task,
                                   CallScratch& scratch, core::Later* later = nullptr) {
  if (!target.own_assets.empty()) [[unlikely]] {
    return call_with_assets(access, target, task, scratch);
  }
  core::Call call;
  call.later = later;
  call.inputs = access.inputs(task, scratch.inputs);
  return call_inputs(access, target, task, scratch, call);
}

template <class Access>
base::Result<core::Step> call_inputs(const Access& access, const CallTarget& target,
                                     const Task& task, CallScratch& scratch, core::Call& call) {
  if (target.native && target.may_see_host) {
    if (call.inputs.data() != scratch.inputs.data()) {
      scratch.inputs.assign(call.inputs.begin(), call.inputs.end());
    }
    PENSTOCK_RETURN_IF_ERROR(convert_host_inputs(scratch, call.inputs.size()));
    call.inputs = {scratch.inputs.data(), call.inputs.size()};
  }
  call.outputs = access.outputs(task);
  call.state = target.state;
  core::Context& context = scratch.context;
  context.node = task.node;
  context.node_id = &access.node_id(task.node);
  context.epoch = access.epoch(task, scratch.path);
  context.path = scratch.path;
  call.context = &context;
  try {
    if (core::host_bridge() == nullptr || (target.needs_host && scratch.holds_host)) {
      return target.op->call(call);
    }
    if (target.needs_host) {
      const core::HostLock lock;
      return target.op->call(call);
    }
    const core::HostUnlock unlock;
    return target.op->call(call);
  } catch (...) {
    return base::fail(describe_exception(std::current_exception()));
  }
}

}  // namespace penstock::flow
