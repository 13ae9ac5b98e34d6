#include "penstock/bindings/call_gate.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>
#include <utility>

#include <fmt/core.h>

#include "penstock/base/clock.h"
#include "penstock/base/forks.h"
#include "penstock/bindings/py_error.h"
#include "penstock/bindings/py_host.h"

namespace penstock::bindings {
namespace {

// How long the end of the interpreter waits for calls of daemon threads.
constexpr std::int64_t kEndNs = 500'000'000;
constexpr std::chrono::milliseconds kEndPoll{1};

/// Guarded by the interpreter lock. Never destroyed: runners may outlive every static object.
std::set<CallGate*>& gates() {
  static auto* const all = new std::set<CallGate*>;
  return *all;
}

}  // namespace

CallGate::CallGate(core::CancelToken* token, Movable movable)
    : token_(token), is_late_(is_interpreter_ending()), movable_(movable) {
  gates().insert(this);
}

CallGate::~CallGate() {
  gates().erase(this);
}

void CallGate::stay_if_ending() const {
  if (!is_late_ && is_interpreter_ending() && !ends_interpreter()) {
    PyEval_SaveThread();
    stay();
  }
}

bool CallGate::is_copied() const {
  return forks_ >= 0 && forks_ != base::num_forks();
}

bool CallGate::is_busy_elsewhere() const {
  return busy_ && caller_ != PyThread_get_thread_ident();
}

void CallGate::cancel() {
  if (busy_) {
    cancel_requested_ = true;
    token_->cancel();
  }
}

void CallGate::check_free() const {
  if (is_copied()) {
    throw_error(
        base::Error(base::ErrorCode::kFailedPrecondition,
                    fmt::format("this runner runs in another process: opened by process {}, used "
                                "by process {}, a copy that fork() made",
                                pid_, ::getpid()))
            .with_id("PS0445")
            .with_help("make a runner in each process; the tube may be shared"));
  }
  if (busy_) {
    throw_error({base::ErrorCode::kFailedPrecondition,
                 "this runner is running: one process() or run() at a time, and none from a "
                 "callback or a node"});
  }
}

CallGate::Pass::Pass(CallGate& gate, bool is_last) : gate_(gate), is_last_(is_last) {
  gate.stay_if_ending();
  gate.check_free();
  gate.busy_ = true;
  gate.caller_ = PyThread_get_thread_ident();
  if (gate.forks_ < 0) {
    gate.forks_ = base::num_forks();
    if (gate.pid_forks_ != gate.forks_) {  // getpid() is a system call
      gate.pid_forks_ = gate.forks_;
      gate.pid_ = ::getpid();
    }
  }
}

CallGate::Pass::~Pass() {
  gate_.busy_ = false;
  if (gate_.movable_ == Movable::kBetweenCalls ||
      (is_last_ && gate_.movable_ == Movable::kWhenClosed)) {
    gate_.forks_ = -1;
  }
  if (std::exchange(gate_.cancel_requested_, false)) {
    gate_.token_->reset();
  }
  gate_.stay_if_ending();
}

bool CallGate::is_to_wait_for() const {
  return is_busy_elsewhere() && !is_copied();
}

void CallGate::end_all() {
  begin_interpreter_end();
  for (CallGate* const gate : gates()) {
    if (gate->is_to_wait_for()) {
      gate->cancel();
    }
  }
  const std::int64_t deadline = base::monotonic_ns() + kEndNs;
  while (std::ranges::any_of(gates(), &CallGate::is_to_wait_for) &&
         base::monotonic_ns() < deadline) {
    const core::HostUnlock unlock;
    std::this_thread::sleep_for(kEndPoll);
  }
}

}  // namespace penstock::bindings
