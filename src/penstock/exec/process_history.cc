#include "penstock/exec/process_history.h"

#include <utility>

#include <fmt/core.h>

namespace penstock::exec {

void History::add(std::int32_t node, PastCall call, std::int64_t size_bytes) {
  Node& past = nodes_[node];
  if (past.incomplete) {
    return;
  }
  if (call.inputs.empty() && call.path.empty()) {
    if (!past.counted.empty() &&
        past.counted.back().first_epoch + past.counted.back().count == call.epoch) {
      ++past.counted.back().count;
    } else {
      past.counted.push_back({.node = node, .first_epoch = call.epoch, .count = 1});
    }
    return;
  }
  if (size_bytes_ + size_bytes > limit_bytes_) {
    past.incomplete = true;
    past.calls.clear();
    past.calls.shrink_to_fit();
    size_bytes_ -= std::exchange(past.size_bytes, 0);
    return;
  }
  past.calls.push_back(std::move(call));
  past.size_bytes += size_bytes;
  size_bytes_ += size_bytes;
}

base::Result<std::int32_t> History::replay(std::int32_t node, const std::string& node_id,
                                           std::uint64_t seed, Link& link) const {
  const auto found = nodes_.find(node);
  if (found == nodes_.end()) {
    return 0;
  }
  const Node& past = found->second;
  if (past.incomplete) {
    return base::fail(
        base::Error(base::ErrorCode::kFailedPrecondition,
                    fmt::format("the worker of stateful node '{}' ended, and its state cannot be "
                                "rebuilt: the inputs of its calls exceed {} MiB",
                                node_id, limit_bytes_ >> 20))
            .with_id("PS0506")
            .with_help("run it again, or use the threads runner for this tube"));
  }
  std::string frame;
  for (const ReplayMany& calls : past.counted) {
    ReplayMany again = calls;
    again.seed = seed;
    WireWriter(frame).put(again);
    PENSTOCK_RETURN_IF_ERROR(link.send(FrameType::kReplayMany, frame));
  }
  std::vector<const core::Value*> inputs;
  for (const PastCall& call : past.calls) {
    inputs.clear();
    for (const core::Value& value : call.inputs) {
      inputs.push_back(&value);
    }
    const TaskHead head{.slot = kNoSlot, .node = node, .epoch = call.epoch, .seed = seed};
    PENSTOCK_RETURN_IF_ERROR(write_task(head, call.path, inputs, link, frame));
    PENSTOCK_RETURN_IF_ERROR(link.send(FrameType::kReplay, frame));
  }
  if (!past.counted.empty()) {
    return static_cast<std::int32_t>(past.counted.size());
  }
  if (!past.calls.empty()) {
    // Asks for the answer that tells when all is done.
    WireWriter(frame).put(ReplayMany{.node = node});
    PENSTOCK_RETURN_IF_ERROR(link.send(FrameType::kReplayMany, frame));
    return 1;
  }
  return 0;
}

base::Status write_task(const TaskHead& head, std::span<const std::int64_t> path,
                        std::span<const core::Value* const> inputs, Link& link, std::string& frame,
                        std::int64_t* size_bytes) {
  TaskHead full = head;
  full.path_length = static_cast<std::uint32_t>(path.size());
  full.num_inputs = static_cast<std::uint32_t>(inputs.size());
  WireWriter writer(frame);
  writer.put(full);
  for (const std::int64_t index : path) {
    writer.put(index);
  }
  const std::uint64_t mark = link.exchange().loan_mark();
  const std::int64_t lent = link.exchange().lent_bytes();
  for (const core::Value* const input : inputs) {
    if (base::Status put = writer.put_value(*input, link.exchange()); !put.has_value()) {
      link.exchange().cancel_loans(mark);
      return put;
    }
  }
  if (size_bytes != nullptr) {
    *size_bytes = static_cast<std::int64_t>(frame.size()) + link.exchange().lent_bytes() - lent;
  }
  return {};
}

}  // namespace penstock::exec
