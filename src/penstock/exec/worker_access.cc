#include "penstock/exec/worker_access.h"

#include <exception>
#include <new>
#include <utility>

#include <fmt/core.h>

#include "penstock/base/out_of_memory.h"
#include "penstock/core/host.h"

namespace penstock::exec {

using base::ErrorCode;
using core::Value;

namespace {

std::shared_ptr<core::HostLoop> make_loop(const core::CancelToken* cancel) {
  const core::HostBridge* const bridge = core::host_bridge();
  return bridge != nullptr ? bridge->make_loop(cancel) : nullptr;
}

}  // namespace

WorkerAccess::WorkerAccess(std::shared_ptr<const flow::Plan> plan, const core::CancelToken* cancel,
                           core::LogSink* sink)
    : plan_(std::move(plan)),
      cancel_(cancel),
      sink_(sink),
      loop_(make_loop(cancel)),
      wiring_(*plan_),
      lifecycles_(*this, "processes"),
      states_(plan_->nodes().size()),
      has_state_(plan_->nodes().size()) {
}

base::Status WorkerAccess::load(std::span<const std::byte> frame, BufferExchange& exchange) {
  WireReader reader(frame);
  PENSTOCK_RETURN_IF_ERROR(begin(reader.get<TaskHead>()));
  if (head_.path_length > reader.num_left() / sizeof(std::int64_t)) {
    return base::fail(ErrorCode::kDataLoss, "a task frame is cut short");
  }
  for (std::uint32_t i = 0; i < head_.path_length; ++i) {
    path_.push_back(reader.get<std::int64_t>());
  }
  for (std::uint32_t i = 0; i < head_.num_inputs; ++i) {
    PENSTOCK_ASSIGN_OR_RETURN(Value value, reader.get_value(exchange));
    inputs_.push_back(std::move(value));
  }
  input_pointers_.reserve(inputs_.size());
  for (const Value& value : inputs_) {
    input_pointers_.push_back(&value);
  }
  return reader.status();
}

base::Status WorkerAccess::load_call(std::int32_t node, std::int64_t epoch, std::uint64_t seed) {
  return begin(TaskHead{.node = node, .epoch = epoch, .seed = seed});
}

base::Status WorkerAccess::begin(const TaskHead& head) {
  clear();
  head_ = head;
  const auto nodes = plan_->nodes();
  if (head.node < 0 || static_cast<std::size_t>(head.node) >= nodes.size() ||
      nodes[static_cast<std::size_t>(head.node)].op == nullptr) {
    return base::fail(ErrorCode::kDataLoss,
                      fmt::format("a task frame names no operator: node={}", head.node));
  }
  outputs_.resize(static_cast<std::size_t>(nodes[static_cast<std::size_t>(head.node)].num_signals));
  return {};
}

void WorkerAccess::run(std::int32_t worker, flow::Completion& out) {
  if (base::Status made = ensure_state(head_.node); !made.has_value()) {
    out.status = std::move(made);
    return;
  }
  flow::run_task(*this, flow::Task{.node = head_.node}, worker, out);
}

base::Status WorkerAccess::start_node(std::int32_t node) {
  if (node < 0 || static_cast<std::size_t>(node) >= plan_->nodes().size() ||
      !flow::has_lifecycle(plan_->nodes()[static_cast<std::size_t>(node)])) {
    return base::fail(ErrorCode::kDataLoss,
                      fmt::format("a frame names no node to start: node={}", node));
  }
  PENSTOCK_RETURN_IF_ERROR(ensure_state(node));
  return lifecycles_.start(node);
}

base::Status WorkerAccess::stop_node(std::int32_t node) {
  return lifecycles_.stop(node);
}

void WorkerAccess::clear() {
  path_.clear();
  input_pointers_.clear();
  inputs_.clear();
  outputs_.clear();
}

base::Status WorkerAccess::ensure_state(std::int32_t node) {
  const auto index = static_cast<std::size_t>(node);
  const flow::PlanNode& plan_node = plan_->nodes()[index];
  if (has_state_[index] || !plan_node.stateful) {
    return {};
  }
  try {
    if (plan_node.needs_host) {
      const core::HostLock lock;
      PENSTOCK_ASSIGN_OR_RETURN(states_[index], plan_node.op->make_state());
    } else {
      PENSTOCK_ASSIGN_OR_RETURN(states_[index], plan_node.op->make_state());
    }
  } catch (const std::bad_alloc&) {
    return base::fail_out_of_memory();
  } catch (const std::exception& thrown) {
    return base::fail(ErrorCode::kInternal, thrown.what());
  }
  has_state_[index] = true;
  return {};
}

std::span<const Value* const> WorkerAccess::inputs(const flow::Task& /*task*/,
                                                   std::vector<const Value*>& scratch) const {
  scratch = input_pointers_;
  return scratch;
}

std::span<Value> WorkerAccess::outputs(const flow::Task& /*task*/) const {
  return outputs_;
}

core::State* WorkerAccess::state(std::int32_t node) const {
  return states_[static_cast<std::size_t>(node)].get();
}

std::int64_t WorkerAccess::epoch(const flow::Task& /*task*/,
                                 std::vector<std::int64_t>& path) const {
  path = path_;
  return head_.epoch;
}

}  // namespace penstock::exec
