// Coroutines of Python nodes: the event loop of a runner, and the calls that go on in it.
//
// The loop itself is penstock._loop.Loop. A call that may go on after it returned (core::Later) is
// started there and ends on the loop's thread; another is run to its end.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <Python.h>

#include "penstock/base/result.h"
#include "penstock/bindings/py_ref.h"
#include "penstock/core/host.h"
#include "penstock/core/operator.h"

namespace penstock::bindings {

/// Thread-safe: its Python object is used with the interpreter lock held.
class PyLoop final : public core::HostLoop {
 public:
  /// Makes its Python object at first use. `cancel` outlives it.
  explicit PyLoop(const core::CancelToken* cancel) : cancel_(cancel) {}
  /// Uses `loop`, a penstock._loop.Loop.
  explicit PyLoop(Ref loop) : loop_(std::move(loop)) {}
  ~PyLoop() override;

  void cancel() override;

  /// What `awaitable` (taken over) gives: a new reference, or null with a Python error set. It is
  /// cancelled at `deadline_ns` of base::fast_ns(), unless that is 0. Lock held.
  PyObject* run(PyObject* awaitable, std::int64_t deadline_ns = 0);

  /// Begins `awaitable` (taken over); its end is told to `call.later`. `signals` outlive that. An
  /// error: it was not begun. Lock held.
  base::Status start(PyObject* awaitable, const core::Call& call,
                     std::span<const std::string> signals);

 private:
  /// Borrowed; null with a Python error set.
  PyObject* loop();

  const core::CancelToken* cancel_ = nullptr;
  Ref loop_;
};

/// The result of `awaitable` (taken over) written to the call's signals, now or later.
base::Result<core::Step> await_result(PyObject* awaitable, const core::Call& call,
                                      std::span<const std::string> signals);

}  // namespace penstock::bindings
