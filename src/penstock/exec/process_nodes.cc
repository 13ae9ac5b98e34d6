// Nodes that are told of the beginning and the end of a run, where they live: in the workers.
#include <algorithm>
#include <tuple>
#include <utility>

#include <fmt/core.h>

#include "penstock/base/clock.h"
#include "penstock/core/host.h"
#include "penstock/exec/process_executor.h"
#include "penstock/flow/lifecycles.h"

namespace penstock::exec {
namespace {

using base::ErrorCode;

constexpr std::int64_t kPollNs = 50'000'000;

}  // namespace

base::Status ProcessExecutor::start_nodes() {
  const auto nodes = access_->plan().nodes();
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto node = static_cast<std::int32_t>(i);
    if (!flow::has_lifecycle(nodes[i]) || nodes[i].is_local || !access_->is_enabled(node)) {
      continue;
    }
    if (auto started = start_node(node); !started.has_value()) {
      std::ignore = stop_nodes();  // the first error is the one to tell
      return started;
    }
  }
  return {};
}

base::Status ProcessExecutor::start_node(std::int32_t node) {
  const core::HostUnlock unlock;
  check_health();  // its worker may have ended since the last epoch
  if (broken_) {
    return base::fail(*broken_);
  }
  const std::int32_t worker = placement_->pinned(node);
  if (peers_[static_cast<std::size_t>(worker)] == nullptr) {
    PENSTOCK_RETURN_IF_ERROR(start_peer(worker));
  }
  PENSTOCK_RETURN_IF_ERROR(ask(FrameType::kStartNode, node, options_.start_timeout_ms));
  started_nodes_.push_back(node);
  return {};
}

base::Status ProcessExecutor::stop_node(std::int32_t node) {
  if (std::erase(started_nodes_, node) == 0) {
    return {};
  }
  // A worker that has ended took its nodes along.
  Peer* const peer = peers_[static_cast<std::size_t>(placement_->pinned(node))].get();
  if (peer == nullptr || peer->child().wait_end(0)) {
    return {};
  }
  return ask(FrameType::kStopNode, node, options_.task_timeout_ms);
}

// What lived in a worker before this one, or before the run was stopped: its beginning, its calls
// and, if it is disabled by now, its end.
base::Status ProcessExecutor::rebuild_node(std::int32_t node, Peer& peer) {
  const flow::PlanNode& plan_node = access_->plan().nodes()[static_cast<std::size_t>(node)];
  const bool is_started = std::ranges::find(started_nodes_, node) != started_nodes_.end();
  const bool was_started =
      is_started || (flow::has_lifecycle(plan_node) && history_.has_calls(node));
  if (was_started) {
    PENSTOCK_RETURN_IF_ERROR(send_node(FrameType::kStartNode, node, peer));
  }
  PENSTOCK_ASSIGN_OR_RETURN(const std::int32_t answers,
                            history_.replay(node, plan_node.id, access_->seed(), peer.link()));
  for (std::int32_t i = 0; i < answers; ++i) {
    peer.push(kNoSlot);
  }
  return was_started && !is_started ? send_node(FrameType::kStopNode, node, peer) : base::Status();
}

base::Status ProcessExecutor::stop_nodes() {
  base::Status first;
  while (!started_nodes_.empty()) {
    auto stopped = stop_node(started_nodes_.back());
    if (first.has_value()) {
      first = std::move(stopped);
    }
  }
  return first;
}

base::Status ProcessExecutor::send_node(FrameType type, std::int32_t node, Peer& peer) {
  WireWriter(frame_).put(node);
  PENSTOCK_RETURN_IF_ERROR(peer.link().send(type, frame_.view()));
  peer.push(kNoSlot);
  return {};
}

base::Status ProcessExecutor::ask(FrameType type, std::int32_t node, std::int64_t timeout_ms) {
  const core::HostUnlock unlock;
  const std::int32_t worker = placement_->pinned(node);
  Peer& peer = *peers_[static_cast<std::size_t>(worker)];
  const auto fail_with = [&](ErrorCode code, std::string_view what) {
    const bool is_start = type == FrameType::kStartNode;
    const std::string& id = access_->plan().nodes()[static_cast<std::size_t>(node)].id;
    return base::fail(
        base::Error(code, fmt::format("its worker process {}", what))
            .with_context(fmt::format("{} of node '{}'", is_start ? "init" : "deinit", id))
            .with_id(is_start ? "PS0411" : "PS0412"));
  };
  PENSTOCK_RETURN_IF_ERROR(send_node(type, node, peer));
  peer.link().channel().wake_peer(Sleep::kForFrames);
  node_error_.reset();
  asking_ = true;
  base::Status read;
  const std::int64_t deadline = base::monotonic_ns() + timeout_ms * 1'000'000;
  while (read.has_value() && !peer.in_flight().empty()) {
    // First the end, then the frames: what it wrote before it ended counts.
    const bool ended = peer.child().wait_end(0);
    read = read_frames(worker);
    if (!read.has_value() || peer.in_flight().empty()) {
      break;
    }
    const std::int64_t now = base::monotonic_ns();
    if (ended) {
      read = fail_with(ErrorCode::kUnavailable, peer.child().exit_status().to_string());
    } else if (timeout_ms > 0 && now > deadline) {
      read = fail_with(ErrorCode::kDeadlineExceeded,
                       fmt::format("took longer than {} s", timeout_ms / 1000));
      peer.kill();
    } else {
      sleep(now + kPollNs);
      if (const core::HostBridge* const bridge = core::host_bridge(); bridge != nullptr) {
        const core::HostLock lock;
        read = bridge->check_signals();
      }
    }
  }
  asking_ = false;
  PENSTOCK_RETURN_IF_ERROR(read);
  if (node_error_) {
    return base::fail(*std::exchange(node_error_, std::nullopt));
  }
  return {};
}

}  // namespace penstock::exec
