#include "penstock/flow/call_node.h"

#include <unistd.h>

#include <new>

#include "penstock/base/clock.h"
#include "penstock/base/forks.h"
#include "penstock/base/out_of_memory.h"
#include "penstock/flow/isolation.h"

namespace penstock::flow {
namespace {

/// The abstract access with the two extras call_node() asks for.
struct PlainAccess {
  const TaskAccess& access;

  std::span<const core::Value* const> inputs(const Task& task,
                                             std::vector<const core::Value*>& scratch) const {
    return access.inputs(task, scratch);
  }
  std::span<core::Value> outputs(const Task& task) const { return access.outputs(task); }
  std::int64_t epoch(const Task& task, std::vector<std::int64_t>& path) const {
    return access.epoch(task, path);
  }
  const std::string& node_id(std::int32_t node) const {
    return access.plan().nodes()[static_cast<std::size_t>(node)].id;
  }
};

}  // namespace

base::Status convert_host_inputs(CallScratch& scratch, std::size_t num_inputs) {
  scratch.converted.clear();
  scratch.converted.reserve(num_inputs);  // pointers into it are handed out below
  for (std::size_t i = 0; i < num_inputs; ++i) {
    const core::Kind kind = scratch.inputs[i]->kind();
    // Containers are looked into: they may hold host objects (a gathered list of Python values).
    if (kind == core::Kind::kHost || kind == core::Kind::kList || kind == core::Kind::kTuple ||
        kind == core::Kind::kMap) {
      PENSTOCK_ASSIGN_OR_RETURN(core::Value native, core::to_native(*scratch.inputs[i]));
      scratch.converted.push_back(std::move(native));
      scratch.inputs[i] = &scratch.converted.back();
    }
  }
  return {};
}

base::Error describe_exception(std::exception_ptr thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::bad_alloc&) {
    return base::out_of_memory();
  } catch (const std::exception& e) {
    return {base::ErrorCode::kInternal, e.what()};
  } catch (...) {
    return {base::ErrorCode::kInternal, "foreign code threw something that is no std::exception"};
  }
}

base::Status OwnAssets::make(std::vector<const core::Value*>& inputs) {
  objects_.resize(assets_.size());
  for (std::size_t i = 0; i < assets_.size(); ++i) {
    core::Call call;
    call.outputs = {&objects_[i], 1};
    call.context = &context_;
    base::Result<core::Step> step = core::Step::kDone;
    try {
      const core::HostLock lock;
      step = assets_[i].op->call(call);
    } catch (...) {
      step = base::fail(describe_exception(std::current_exception()));
    }
    if (!step.has_value()) {
      (void)release();
      return base::fail(step.error());
    }
    inputs[static_cast<std::size_t>(assets_[i].input)] = &objects_[i];
  }
  return {};
}

base::Status OwnAssets::release() {
  base::Status first;
  for (std::size_t i = assets_.size(); i-- > 0;) {
    if (objects_[i].is_absent()) {
      continue;
    }
    const core::HostLock lock;
    const base::Status status =
        static_cast<const core::Asset&>(*assets_[i].op).release(objects_[i]);
    if (first.has_value() && !status.has_value()) {
      first = status;
    }
    objects_[i].reset();
  }
  return first;
}

void run_task(const TaskAccess& access, const Task& task, std::int32_t worker, Completion& out,
              core::Later* later) try {
  static thread_local CallScratch scratch;
  const Plan& plan = access.plan();
  const PlanNode& node = plan.nodes()[static_cast<std::size_t>(task.node)];
  scratch.context.seed = access.seed();
  scratch.context.cancel = access.cancel();
  scratch.context.sink = access.log_sink();
  scratch.context.loop = access.loop();
  scratch.context.wiring = access.wiring();
  const CallTarget target{.op = node.op.get(),
                          .state = access.state(task.node),
                          .needs_host = node.needs_host,
                          .native = node.native,
                          .may_see_host = plan.needs_host() || core::host_bridge() != nullptr,
                          .is_local = node.is_local,
                          .policy = node.policy.get(),
                          .is_kept = node.is_kept,
                          .own_assets = node.own_assets};
  const int forks = base::num_forks();
  const std::int64_t start_ns = base::fast_ns();
  scratch.context.deadline_ns = 0;
  if (target.policy != nullptr) [[unlikely]] {
    if (access.isolation() != nullptr && needs_isolation(node)) {
      access.isolation()->run(task, out, nullptr);
      return;
    }
    scratch.context.deadline_ns = target.policy->deadline_ns(start_ns);
  }
  auto step = call_node(PlainAccess{access}, target, task, scratch, later);
  if (base::num_forks() != forks) [[unlikely]] {
    ::_exit(0);  // a copy that the node made, and that came back here as if it were the worker
  }
  scratch.converted.clear();
  out.task = task;
  out.worker = worker;
  out.start_ns = start_ns;
  out.duration_ns = base::fast_ns() - start_ns;
  if (step.has_value()) {
    out.step = *step;
    out.status = {};
  } else {
    out.status = base::fail(step.error());
  }
} catch (const std::bad_alloc&) {
  out = {.task = task, .worker = worker, .status = base::fail_out_of_memory()};
}

}  // namespace penstock::flow
