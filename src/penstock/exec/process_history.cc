#include "penstock/exec/process_history.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include <fmt/core.h>

#include "penstock/base/buffer_pool.h"

namespace penstock::exec {

using base::BufferPool;

namespace {

constexpr std::size_t kFirstChunkBytes = std::size_t{64} << 10;

}  // namespace

void ByteStore::GiveBack::operator()(std::byte* memory) const {
  BufferPool::shared().release(memory, size_bytes);
}

std::string_view ByteStore::add(std::string_view bytes) {
  if (bytes.size() > left_bytes_) {
    chunk_bytes_ = std::clamp(2 * chunk_bytes_, kFirstChunkBytes, BufferPool::kHugePage);
    const std::size_t size = BufferPool::usable_bytes(std::max(chunk_bytes_, bytes.size()));
    std::unique_ptr<std::byte, GiveBack> chunk(BufferPool::shared().acquire(size), {size});
    if (chunk == nullptr) {
      throw std::bad_alloc();
    }
    chunks_.push_back(std::move(chunk));
    at_ = chunks_.back().get();
    left_bytes_ = size;
  }
  std::memcpy(at_, bytes.data(), bytes.size());
  const std::string_view kept(reinterpret_cast<const char*>(at_), bytes.size());
  at_ += bytes.size();
  left_bytes_ -= bytes.size();
  return kept;
}

// False when the bound is reached: then `past` forgets everything.
bool History::has_room(Node& past, std::int64_t size_bytes) {
  if (past.incomplete) {
    return false;
  }
  if (size_bytes_ + size_bytes > limit_bytes_) {
    size_bytes_ -= past.size_bytes;
    past = Node{};
    past.incomplete = true;
    return false;
  }
  past.size_bytes += size_bytes;
  size_bytes_ += size_bytes;
  return true;
}

void History::begin(std::int32_t node, std::string_view frame) {
  Node& past = nodes_[node];
  if (has_room(past, static_cast<std::int64_t>(frame.size()))) {
    past.calls.push_back({.frame = past.bytes.add(frame), .unpacked = nullptr});
  }
}

void History::begin(std::int32_t node, PastCall call, std::int64_t size_bytes) {
  Node& past = nodes_[node];
  if (has_room(past, size_bytes)) {
    past.calls.push_back(
        {.frame = {}, .unpacked = std::make_unique<const PastCall>(std::move(call))});
  }
}

void History::end(std::int32_t node, bool called) {
  const auto found = nodes_.find(node);
  // Without memory a call may be on its way that was not noted; such a run only ends.
  if (found != nodes_.end() && found->second.num_known < found->second.calls.size()) {
    found->second.calls[found->second.num_known++].called = called;
  }
}

void History::lose(std::int32_t node) {
  const auto found = nodes_.find(node);
  if (found != nodes_.end()) {
    found->second.calls.resize(found->second.num_known);
  }
}

void History::lose_all() {
  for (auto& [node, past] : nodes_) {
    past.calls.resize(past.num_known);
  }
}

bool History::has_calls(std::int32_t node) const {
  const auto found = nodes_.find(node);
  return found != nodes_.end() && (found->second.incomplete || found->second.num_known > 0 ||
                                   !found->second.counted.empty());
}

void History::count(std::int32_t node, std::int64_t epoch) {
  std::vector<ReplayMany>& counted = nodes_[node].counted;
  if (!counted.empty() && counted.back().first_epoch + counted.back().count == epoch) {
    ++counted.back().count;
  } else {
    counted.push_back({.node = node, .first_epoch = epoch, .count = 1});
  }
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
  FrameBuffer frame;
  for (const ReplayMany& calls : past.counted) {
    ReplayMany again = calls;
    again.seed = seed;
    WireWriter(frame).put(again);
    PENSTOCK_RETURN_IF_ERROR(link.send(FrameType::kReplayMany, frame.view()));
  }
  for (const Call& call : std::span(past.calls).first(past.num_known)) {
    if (call.called) {
      PENSTOCK_RETURN_IF_ERROR(send_call(node, call, seed, link, frame));
    }
  }
  if (!past.counted.empty()) {
    return static_cast<std::int32_t>(past.counted.size());
  }
  if (!past.calls.empty()) {
    // Asks for the answer that tells when all is done.
    WireWriter(frame).put(ReplayMany{.node = node});
    PENSTOCK_RETURN_IF_ERROR(link.send(FrameType::kReplayMany, frame.view()));
    return 1;
  }
  return 0;
}

base::Status History::send_call(std::int32_t node, const Call& call, std::uint64_t seed, Link& link,
                                FrameBuffer& frame) {
  if (call.unpacked == nullptr) {
    return link.send(FrameType::kReplay, call.frame);
  }
  std::vector<const core::Value*> inputs;
  for (const core::Value& value : call.unpacked->inputs) {
    inputs.push_back(&value);
  }
  const TaskHead head{.slot = kNoSlot, .node = node, .epoch = call.unpacked->epoch, .seed = seed};
  PENSTOCK_RETURN_IF_ERROR(write_task(head, call.unpacked->path, inputs, link, frame));
  return link.send(FrameType::kReplay, frame.view());
}

base::Status write_task(const TaskHead& head, std::span<const std::int64_t> path,
                        std::span<const core::Value* const> inputs, Link& link,
                        FrameBuffer& frame) {
  TaskHead full = head;
  full.path_length = static_cast<std::uint32_t>(path.size());
  full.num_inputs = static_cast<std::uint32_t>(inputs.size());
  WireWriter writer(frame);
  writer.put(full);
  for (const std::int64_t index : path) {
    writer.put(index);
  }
  const std::uint64_t mark = link.exchange().loan_mark();
  for (const core::Value* const input : inputs) {
    if (base::Status put = writer.put_value(*input, link.exchange()); !put.has_value()) {
      link.exchange().cancel_loans(mark);
      return put;
    }
  }
  return {};
}

}  // namespace penstock::exec
