// CallGate: what every call of a runner passes. A second call, a copy of the process made by fork()
// and the end of the interpreter are met here, before they reach the engine.
#pragma once

#include <cstdint>

#include <Python.h>

#include "penstock/core/operator.h"

namespace penstock::bindings {

/// Interpreter lock held, unless said otherwise.
class CallGate {
 public:
  /// When the runner is nothing but memory, so that a copy of the process may go on with it.
  enum class Movable : std::uint8_t { kNever, kWhenClosed, kBetweenCalls };

  /// `token` ends the call that is going on; it outlives the gate.
  CallGate(core::CancelToken* token, Movable movable);
  ~CallGate();
  CallGate(const CallGate&) = delete;
  CallGate& operator=(const CallGate&) = delete;

  /// From here on the runner has what no copy of the process can use.
  void bind_to_process() { movable_ = Movable::kNever; }

  /// Is a call going on, in this process?
  bool is_busy() const { return busy_; }
  /// Is it going on in a thread that is not this one?
  bool is_busy_elsewhere() const;
  /// Did fork() make this process of the one that the runner runs in? Its threads, workers and
  /// files are that one's: nothing here may stop them.
  bool is_copied() const;

  /// Asks the call that is going on to end.
  void cancel();

  /// Throws PS0445 in a copy of the process, and an error when a call is going on.
  void check_free() const;

  /// One call. Throws as check_free(). `is_last`: the runner is closed after it.
  class Pass {
   public:
    explicit Pass(CallGate& gate, bool is_last = false);
    /// When the interpreter is about to end, a thread other than the one that ends it stays here.
    ~Pass();
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;

   private:
    CallGate& gate_;
    const bool is_last_;
  };

  /// The interpreter is about to end: asks the calls of daemon threads to end, and waits for them
  /// for a moment. Called by atexit.
  static void end_all();

 private:
  bool is_to_wait_for() const;
  /// A daemon thread has no say any more: its next step would meet an interpreter that is half
  /// gone.
  void stay_if_ending() const;

  core::CancelToken* const token_;
  const bool is_late_;  ///< made by what runs at the end of the interpreter
  Movable movable_;
  bool busy_ = false;
  bool cancel_requested_ = false;
  unsigned long caller_ = 0;  ///< the thread of the call that is going on
  int forks_ = -1;            ///< base::num_forks() where the runner runs; -1: nowhere yet
  int pid_ = 0;               ///< of that process
  int pid_forks_ = -1;        ///< base::num_forks() when it was asked for
};

}  // namespace penstock::bindings
