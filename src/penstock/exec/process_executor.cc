#include "penstock/exec/process_executor.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include <fmt/core.h>

#include "penstock/core/host.h"

namespace penstock::exec {

using base::ErrorCode;
using core::Value;

namespace {

// Longer frames are worth the bookkeeping of a kept object, where that costs no memory.
constexpr std::size_t kSmallFrameBytes = 512;

/// A text or byte string of the host language, which nobody can change: kept without a copy.
bool is_seen_where_it_lies(const Value* value) {
  const core::HostBridge* const bridge = core::host_bridge();
  return value->is(core::Kind::kHost) && bridge != nullptr && bridge->view(*value->as_host());
}

}  // namespace

base::Status ProcessExecutor::submit(std::span<const flow::Task> tasks) {
  for (const flow::Task& task : tasks) {
    std::uint32_t slot = 0;
    if (free_slots_.empty()) {
      slot = static_cast<std::uint32_t>(slots_.size());
      slots_.emplace_back();
    } else {
      slot = free_slots_.back();
      free_slots_.pop_back();
    }
    slots_[slot] = {.task = task};
    const std::int32_t pin = placement_->pinned(task.node);
    (pin == Placement::kAny ? shared_queue_ : pinned_queues_[static_cast<std::size_t>(pin)])
        .push_back(slot);
  }
  dispatch();
  return {};
}

void ProcessExecutor::dispatch() {
  if (broken_) {
    break_off(*broken_);
    return;
  }
  for (std::size_t worker = 0; worker < pinned_queues_.size(); ++worker) {
    std::deque<std::uint32_t>& queue = pinned_queues_[worker];
    const auto index = static_cast<std::int32_t>(worker);
    while (!queue.empty() && placement_->has_room(index, slots_[queue.front()].task.node)) {
      const std::uint32_t slot = queue.front();
      queue.pop_front();
      if (!send_task(index, slot)) {
        return;
      }
    }
  }
  while (!shared_queue_.empty()) {
    const std::uint32_t slot = shared_queue_.front();
    const std::int32_t worker = placement_->choose(slots_[slot].task.node);
    if (worker == Placement::kAny) {
      break;
    }
    shared_queue_.pop_front();
    if (!send_task(worker, slot)) {
      return;
    }
  }
  for (const auto& peer : peers_) {
    if (peer != nullptr) {
      // If it cannot be told now, its end is noticed soon.
      std::ignore = peer->link().send_returned();
      peer->link().channel().wake_peer(Sleep::kForFrames);
    }
  }
}

bool ProcessExecutor::send_task(std::int32_t worker, std::uint32_t slot) {
  const auto index = static_cast<std::size_t>(worker);
  if (peers_[index] == nullptr) {
    if (base::Status started = start_peer(worker); !started.has_value()) {
      (placement_->pinned(slots_[slot].task.node) == Placement::kAny ? shared_queue_
                                                                     : pinned_queues_[index])
          .push_front(slot);
      break_off(started.error());
      return false;
    }
  }
  Peer& peer = *peers_[index];
  const std::int64_t lent_bytes = peer.link().exchange().lent_bytes();
  base::Status sent = fill_frame(slot, peer);
  if (sent.has_value()) {
    sent = peer.link().send(FrameType::kTask, frame_.view());
  }
  // Unavailable: the worker has just ended. The task counts as sent, and is sent again with the
  // rest.
  if (!sent.has_value() && sent.error().code() != ErrorCode::kUnavailable) {
    fail(slot, sent.error());
    return true;
  }
  peer.push(slot);
  placement_->sent(worker, slots_[slot].task.node);
  note_sent(slots_[slot], peer.link().exchange().lent_bytes() - lent_bytes);
  return true;
}

base::Status ProcessExecutor::fill_frame(std::uint32_t slot, Peer& peer) {
  Slot& out = slots_[slot];
  const auto inputs = access_->inputs(out.task, inputs_);
  const TaskHead head{.slot = slot,
                      .node = out.task.node,
                      .epoch = access_->epoch(out.task, path_),
                      .seed = access_->seed()};
  out.epoch = head.epoch;
  if (placement_->pinned(out.task.node) != Placement::kAny) {
    out.memory = inputs.empty() && path_.empty() ? Memory::kCounted : Memory::kKept;
  }
  base::Status written = write_task(head, path_, inputs, peer.link(), frame_);
  if (!written.has_value() && written.error().id().empty()) {
    return base::fail(
        base::Error(written.error().code(), fmt::format("an input cannot enter another process: {}",
                                                        written.error().message()))
            .with_id("PS0504")
            .with_help(written.error().help()));
  }
  return written;
}

// `frame_` is the frame of the task.
void ProcessExecutor::note_sent(const Slot& sent, std::int64_t lent_bytes) {
  if (sent.memory != Memory::kKept) {
    return;
  }
  const auto inputs = access_->inputs(sent.task, inputs_);
  const bool is_small = frame_.size() < kSmallFrameBytes;
  if (lent_bytes == 0 && (is_small || !std::ranges::all_of(inputs, is_seen_where_it_lies))) {
    history_.begin(sent.task.node, frame_.view());
    return;
  }
  PastCall call{.epoch = access_->epoch(sent.task, path_), .path = path_, .inputs = {}};
  for (const Value* const input : inputs) {
    call.inputs.push_back(*input);
  }
  history_.begin(sent.task.node, std::move(call),
                 static_cast<std::int64_t>(frame_.size()) + lent_bytes);
}

void ProcessExecutor::complete(std::uint32_t slot, flow::Completion completion) {
  completion.task = slots_[slot].task;
  completion.retries = slots_[slot].deaths;
  slots_[slot] = {};
  free_slots_.push_back(slot);
  finished_.push_back(std::move(completion));
}

void ProcessExecutor::fail(std::uint32_t slot, const base::Error& error) {
  flow::Completion completion;
  completion.status = base::fail(error);
  complete(slot, std::move(completion));
}

void ProcessExecutor::collect() {
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    if (peers_[i] == nullptr) {
      continue;
    }
    const auto worker = static_cast<std::int32_t>(i);
    if (const base::Status read = read_frames(worker); !read.has_value()) {
      peers_[i]->kill();
      replace(worker, read.error().message());
    }
  }
}

base::Status ProcessExecutor::read_frames(std::int32_t worker) {
  Peer& peer = *peers_[static_cast<std::size_t>(worker)];
  Link& link = peer.link();
  bool any = false;
  for (;;) {
    PENSTOCK_ASSIGN_OR_RETURN(const std::optional<Frame> frame, link.next());
    if (!frame) {
      break;
    }
    any = true;
    base::Status handled;
    switch (frame->type) {
      case FrameType::kDone:
        handled = read_done(worker, *frame);
        break;
      case FrameType::kLog:
        handled = read_log(*frame);
        break;
      case FrameType::kReady:
        peer.set_ready();
        break;
      case FrameType::kFailed:
        handled = base::fail(WireReader(frame->bytes).get_error());
        broken_ = handled.error();
        break;
      default:
        handled = base::fail(ErrorCode::kDataLoss, "sent a frame of unknown type");
    }
    link.done();
    PENSTOCK_RETURN_IF_ERROR(handled);
  }
  link.flush();
  if (any) {
    link.channel().wake_peer(Sleep::kForRoom);
  }
  return {};
}

base::Status ProcessExecutor::read_done(std::int32_t worker, const Frame& frame) {
  Peer& peer = *peers_[static_cast<std::size_t>(worker)];
  WireReader reader(frame.bytes);
  const auto done = reader.get<DoneHead>();
  if (peer.in_flight().empty() || peer.in_flight().front() != done.slot) {
    return base::fail(ErrorCode::kDataLoss, "finished a task that it was not sent");
  }
  failed_starts_ = 0;
  if (done.slot == kNoSlot) {
    peer.pop();
    if (!done.failed) {
      return {};
    }
    const base::Error error = reader.get_error();
    PENSTOCK_RETURN_IF_ERROR(reader.status());
    if (!asking_) {  // a node that lived in a lost worker could not be started again
      broken_ = error;
      return base::fail(error);
    }
    node_error_ = error;
    return {};
  }
  const flow::Task& task = slots_[done.slot].task;
  flow::Completion completion{.step = static_cast<core::Step>(done.step),
                              .worker = worker + 1,
                              .start_ns = done.start_ns,
                              .duration_ns = done.duration_ns};
  if (done.failed) {
    completion.status = base::fail(reader.get_error());
    PENSTOCK_RETURN_IF_ERROR(reader.status());
  } else {
    const auto outputs = access_->outputs(task);
    if (done.num_outputs != outputs.size()) {
      return base::fail(ErrorCode::kDataLoss, "sent another number of outputs");
    }
    for (Value& output : outputs) {
      PENSTOCK_ASSIGN_OR_RETURN(output, reader.get_value(peer.link().exchange()));
    }
  }
  // Only now: a task whose answer cannot be read stays in flight, and runs again.
  peer.pop();
  placement_->finished(worker, task.node, done.called ? done.duration_ns : -1);
  note_answer(slots_[done.slot], done.called);
  complete(done.slot, std::move(completion));
  return {};
}

void ProcessExecutor::note_answer(const Slot& answered, bool called) {
  if (answered.memory == Memory::kKept) {
    history_.end(answered.task.node, called);
  } else if (answered.memory == Memory::kCounted && called) {
    history_.count(answered.task.node, answered.epoch);
  }
}

base::Status ProcessExecutor::read_log(const Frame& frame) {
  WireReader reader(frame.bytes);
  core::Context context;
  context.node = reader.get<std::int32_t>();
  context.epoch = reader.get<std::int64_t>();
  const auto length = reader.get<std::uint32_t>();
  path_.clear();
  for (std::uint32_t i = 0; i < length && reader.is_ok(); ++i) {
    path_.push_back(reader.get<std::int64_t>());
  }
  const std::string_view line = reader.get_text();
  PENSTOCK_RETURN_IF_ERROR(reader.status());
  const auto nodes = access_->plan().nodes();
  if (context.node < 0 || static_cast<std::size_t>(context.node) >= nodes.size()) {
    return base::fail(ErrorCode::kDataLoss, "sent a log line that names no node");
  }
  context.node_id = &nodes[static_cast<std::size_t>(context.node)].id;
  context.path = path_;
  if (core::LogSink* const sink = access_->log_sink(); sink != nullptr) {
    sink->log(context, line);
  }
  return {};
}

}  // namespace penstock::exec
