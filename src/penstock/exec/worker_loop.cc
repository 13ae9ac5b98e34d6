#include "penstock/exec/worker_loop.h"

#include <poll.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <tuple>
#include <utility>

#include <fmt/core.h>

#include "penstock/exec/channel_spin.h"

namespace penstock::exec {
namespace {

using base::ErrorCode;

// A completion may wait for the next one this long before the run is woken for both.
constexpr std::int64_t kWakeDelayNs = 20'000;
// Early enough that the run can send more before this worker has nothing left to do.
constexpr std::int32_t kWakeEvery = 32;
// Other threads of the worker get the interpreter lock at least between so many calls.
constexpr std::int32_t kMaxHeld = 64;

base::Error cannot_leave(const flow::Plan& plan, const TaskHead& head, std::size_t signal,
                         const base::Error& error) {
  const flow::PlanNode& node = plan.nodes()[static_cast<std::size_t>(head.node)];
  const std::string& name =
      plan.signal_names()[static_cast<std::size_t>(node.first_signal) + signal];
  return base::Error(error.code(),
                     fmt::format("signal '{}' of node '{}' cannot leave its process: {}", name,
                                 node.id, error.message()))
      .with_id(error.id().empty() || error.id() == "PS0403" ? "PS0504" : error.id())
      .with_help(error.help());
}

}  // namespace

WorkerLoop::WorkerLoop(Link* link, const std::shared_ptr<const flow::Plan>& plan,
                       std::int32_t worker, int bell, int life_line)
    : link_(link),
      worker_(worker),
      bell_(bell),
      life_line_(life_line),
      access_(plan, &link->channel().cancel(), this),
      duration_ns_(plan->nodes().size(), std::numeric_limits<std::int64_t>::max()),
      failed_in_(plan->nodes().size(), -1) {
}

base::Status WorkerLoop::run() {
  for (bool stop = false; !stop;) {
    std::unique_lock lock(mutex_);
    PENSTOCK_RETURN_IF_ERROR(link_->send_returned());
    if (!link_->flush()) {
      lock.unlock();
      PENSTOCK_RETURN_IF_ERROR(wait_for(Sleep::kForRoom));
      continue;
    }
    PENSTOCK_ASSIGN_OR_RETURN(const std::optional<Frame> frame, link_->next());
    link_->channel().wake_peer(Sleep::kForRoom);
    lock.unlock();
    if (!frame) {
      PENSTOCK_RETURN_IF_ERROR(wait_for(Sleep::kForFrames));
      continue;
    }
    PENSTOCK_RETURN_IF_ERROR(handle(*frame, stop));
  }
  return {};
}

base::Status WorkerLoop::wait_for(Sleep reason) {
  host_.reset();
  Channel& channel = link_->channel();
  const auto has_news = [&] {
    if (reason == Sleep::kForFrames) {
      return !channel.reader().is_empty();
    }
    const std::lock_guard lock(mutex_);
    return link_->flush();
  };
  wake_run();
  if (spin_until(has_news)) {
    return {};
  }
  channel.announce_sleep(reason);
  while (!has_news()) {
    pollfd waits[] = {{bell_, POLLIN, 0}, {life_line_, 0, 0}};
    if (::poll(waits, 2, -1) < 0 && errno != EINTR) {
      return base::fail(ErrorCode::kInternal, fmt::format("poll: {}", std::strerror(errno)));
    }
    if ((waits[1].revents & (POLLHUP | POLLERR)) != 0) {
      return base::fail(ErrorCode::kUnavailable, "the run's process is gone");
    }
    Channel::clear_bell(bell_);
    channel.announce_sleep(reason);
  }
  channel.announce_awake();
  return {};
}

base::Status WorkerLoop::handle(const Frame& frame, bool& stop) {
  switch (frame.type) {
    case FrameType::kTask:
      return run_task(frame);
    case FrameType::kReplay:
      return replay(frame);
    case FrameType::kReplayMany:
      return replay_many(frame);
    case FrameType::kStartNode:
    case FrameType::kStopNode:
      return start_or_stop(frame);
    case FrameType::kStop:
      stop = true;
      link_->done();
      return {};
    default:
      return base::fail(ErrorCode::kDataLoss,
                        fmt::format("unexpected frame: type={}", static_cast<int>(frame.type)));
  }
}

base::Status WorkerLoop::run_task(const Frame& frame) {
  base::Status loaded = access_.load(frame.bytes, link_->exchange());
  // The values hold what they need; the ring's room may be used again while the task runs.
  link_->done();
  if (!loaded.has_value() && loaded.error().code() == ErrorCode::kDataLoss) {
    return loaded;
  }
  wake_before(access_.head().node);
  flow::Completion completion;
  bool called = false;
  if (!loaded.has_value()) {
    completion.status = std::move(loaded);
  } else if (access_.cancel()->is_cancelled()) {
    completion.status = base::fail(ErrorCode::kCancelled, "the run was cancelled");
  } else if (access_.is_stateful() &&
             failed_in_[static_cast<std::size_t>(access_.head().node)] == access_.head().epoch) {
    completion.status = base::fail(ErrorCode::kCancelled, "its epoch has failed");
  } else {
    called = true;
    hold_host(access_.head().node);
    access_.run(worker_, completion);
    note_failure(completion);
    duration_ns_[static_cast<std::size_t>(access_.head().node)] = completion.duration_ns;
  }
  const std::lock_guard lock(mutex_);
  write_done(completion, called);
  PENSTOCK_RETURN_IF_ERROR(send_done());
  access_.clear();
  return {};
}

void WorkerLoop::note_failure(const flow::Completion& completion) {
  // A node with a policy may be tried again; its later calls wait for that.
  const auto node = static_cast<std::size_t>(access_.head().node);
  if (!completion.status.has_value() && access_.plan().nodes()[node].policy == nullptr) {
    failed_in_[static_cast<std::size_t>(access_.head().node)] = access_.head().epoch;
  }
}

void WorkerLoop::write_done(const flow::Completion& completion, bool called) {
  const TaskHead& head = access_.head();
  DoneHead done{.slot = head.slot,
                .step = static_cast<std::uint8_t>(completion.step),
                .failed = !completion.status.has_value(),
                .called = called,
                .start_ns = completion.start_ns,
                .duration_ns = completion.duration_ns};
  WireWriter writer(frame_);
  if (completion.status.has_value()) {
    const auto outputs = access_.outputs({});
    done.num_outputs = static_cast<std::uint32_t>(outputs.size());
    const std::uint64_t mark = link_->exchange().loan_mark();
    writer.put(done);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      base::Status put = writer.put_value(outputs[i], link_->exchange());
      if (!put.has_value()) {
        link_->exchange().cancel_loans(mark);
        flow::Completion failed = completion;
        failed.status = base::fail(cannot_leave(access_.plan(), head, i, put.error()));
        write_done(failed, called);
        return;
      }
    }
    return;
  }
  writer.put(done);
  writer.put_error(completion.status.error());
}

base::Status WorkerLoop::send_done() {
  PENSTOCK_RETURN_IF_ERROR(link_->send(FrameType::kDone, frame_.view()));
  if (++num_unseen_ >= kWakeEvery) {
    wake_run();
  }
  return {};
}

void WorkerLoop::hold_host(std::int32_t node) {
  if (!access_.plan().nodes()[static_cast<std::size_t>(node)].needs_host || num_held_ >= kMaxHeld) {
    host_.reset();
    num_held_ = 0;
  } else if (!host_) {
    host_.emplace();
  }
  ++num_held_;
}

void WorkerLoop::wake_before(std::int32_t node) {
  // The run must not wait for a finished task because the next one is long.
  if (num_unseen_ > 0 && duration_ns_[static_cast<std::size_t>(node)] > kWakeDelayNs) {
    wake_run();
  }
}

void WorkerLoop::wake_run() {
  num_unseen_ = 0;
  link_->channel().wake_peer(Sleep::kForFrames);
}

base::Status WorkerLoop::replay(const Frame& frame) {
  PENSTOCK_RETURN_IF_ERROR(access_.load(frame.bytes, link_->exchange()));
  link_->done();
  // A call that failed the first time fails again, and leaves the state as it left it then.
  flow::Completion ignored;
  access_.run(worker_, ignored);
  note_failure(ignored);
  access_.clear();
  return {};
}

base::Status WorkerLoop::replay_many(const Frame& frame) {
  WireReader reader(frame.bytes);
  const auto calls = reader.get<ReplayMany>();
  PENSTOCK_RETURN_IF_ERROR(reader.status());
  link_->done();
  for (std::int64_t i = 0; i < calls.count; ++i) {
    PENSTOCK_RETURN_IF_ERROR(access_.load_call(calls.node, calls.first_epoch + i, calls.seed));
    flow::Completion ignored;
    access_.run(worker_, ignored);
  }
  access_.clear();
  const std::lock_guard lock(mutex_);
  WireWriter(frame_).put(DoneHead{.slot = kNoSlot});
  return send_done();
}

base::Status WorkerLoop::start_or_stop(const Frame& frame) {
  WireReader reader(frame.bytes);
  const auto node = reader.get<std::int32_t>();
  PENSTOCK_RETURN_IF_ERROR(reader.status());
  const bool is_start = frame.type == FrameType::kStartNode;
  link_->done();
  const base::Status status = is_start ? access_.start_node(node) : access_.stop_node(node);
  const std::lock_guard lock(mutex_);
  WireWriter writer(frame_);
  writer.put(DoneHead{.slot = kNoSlot, .failed = !status.has_value()});
  if (!status.has_value()) {
    writer.put_error(status.error());
  }
  PENSTOCK_RETURN_IF_ERROR(send_done());
  wake_run();
  return {};
}

void WorkerLoop::log(const core::Context& context, std::string_view line) {
  FrameBuffer frame;
  WireWriter writer(frame);
  writer.put(context.node);
  writer.put(context.epoch);
  writer.put(static_cast<std::uint32_t>(context.path.size()));
  for (const std::int64_t index : context.path) {
    writer.put(index);
  }
  writer.put_text(line);
  const std::lock_guard lock(mutex_);
  // A line that cannot be sent means that the run is gone, and then nobody reads it.
  std::ignore = link_->send(FrameType::kLog, frame.view());
}

}  // namespace penstock::exec
