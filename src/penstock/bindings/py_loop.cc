#include "penstock/bindings/py_loop.h"

#include <algorithm>
#include <utility>

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "penstock/base/clock.h"
#include "penstock/bindings/bind.h"
#include "penstock/bindings/py_emit.h"
#include "penstock/bindings/py_host.h"

namespace penstock::bindings {
namespace {

namespace nb = nanobind;

/// A coroutine's side of a call: told of its end by the event loop, and what it prints is the log
/// of its node. Lock held throughout.
class CoroutineCall {
 public:
  CoroutineCall(const core::Call& call, std::span<const std::string> signals)
      : later_(call.later),
        outputs_(call.outputs),
        signals_(signals),
        context_(*call.context),
        path_(call.context->path.begin(), call.context->path.end()) {
    context_.path = path_;
  }
  CoroutineCall(CoroutineCall&& other) noexcept
      : later_(std::exchange(other.later_, nullptr)),
        outputs_(other.outputs_),
        signals_(other.signals_),
        context_(other.context_),
        path_(std::move(other.path_)) {
    context_.path = path_;
  }
  ~CoroutineCall() {
    if (later_ != nullptr) {
      end(base::fail(base::ErrorCode::kCancelled, "its event loop was closed before it ended"));
    }
  }

  /// It was not begun: somebody else tells.
  void forget() { later_ = nullptr; }

  void finish(nb::handle task) {
    PyObject* result = PyObject_CallMethod(task.ptr(), "result", nullptr);
    if (result == nullptr) {
      end(base::fail(take_error()));
      return;
    }
    end(emit(result, outputs_, signals_));
  }

  void log(const std::string& line) const {
    if (later_ != nullptr) {
      context_.log(line);
    }
  }

 private:
  base::Error take_error() const {
    base::Error error = take_python_error();
    if (context_.is_cancelled() && error.message().starts_with("CancelledError")) {
      return {base::ErrorCode::kCancelled, "interrupted"};
    }
    return error;
  }

  void end(base::Result<core::Step> step) {
    std::exchange(later_, nullptr)->finish(std::move(step));
  }

  core::Later* later_;
  std::span<core::Value> outputs_;
  std::span<const std::string> signals_;
  core::Context context_;
  std::vector<std::int64_t> path_;
};

/// How long a coroutine may go on: None, or seconds, a little more than there are, so that the call
/// is late by the engine's clock when it is cancelled. A new reference, or null with a Python
/// error.
PyObject* seconds_left(std::int64_t deadline_ns) {
  constexpr double kMargin = 0.001;
  if (deadline_ns == 0) {
    return Py_NewRef(Py_None);
  }
  const auto left_ns = static_cast<double>(deadline_ns - base::fast_ns());
  return PyFloat_FromDouble(std::max(left_ns, 0.0) * 1e-9 + kMargin);
}

}  // namespace

PyLoop::~PyLoop() {
  if (!loop_ || Py_IsInitialized() == 0) {
    return;
  }
  const core::HostLock lock;
  PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
  PyErr_Fetch(&type, &value, &trace);
  PyObject* closed = PyObject_CallMethod(loop_.get(), "close", nullptr);
  if (closed == nullptr) {
    PyErr_WriteUnraisable(loop_.get());
  }
  Py_XDECREF(closed);
  PyErr_Restore(type, value, trace);
}

PyObject* PyLoop::loop() {
  if (!loop_) {
    try {
      const core::CancelToken* const token = cancel_;
      nb::object watch = nb::none();
      if (token != nullptr) {
        watch = nb::cpp_function([token] { return token->is_cancelled(); });
      }
      loop_ = Ref(nb::module_::import_("penstock._loop").attr("Loop")(watch).release().ptr());
    } catch (nb::python_error& e) {
      e.restore();
      return nullptr;
    }
  }
  return loop_.get();
}

void PyLoop::cancel() {
  const core::HostLock lock;
  if (!loop_) {
    return;  // no coroutine was ever begun
  }
  PyObject* done = PyObject_CallMethod(loop_.get(), "cancel", nullptr);
  if (done == nullptr) {
    PyErr_WriteUnraisable(loop_.get());
  }
  Py_XDECREF(done);
}

PyObject* PyLoop::run(PyObject* awaitable, std::int64_t deadline_ns) {
  const Ref owned(awaitable);
  PyObject* const python = loop();
  const Ref timeout(seconds_left(deadline_ns));
  return python != nullptr && timeout ? call_python([&] {
    return PyObject_CallMethod(python, "run", "OO", awaitable, timeout.get());
  })
                                      : nullptr;
}

base::Status PyLoop::start(PyObject* awaitable, const core::Call& call,
                           std::span<const std::string> signals) {
  const Ref owned(awaitable);
  PyObject* const python = loop();
  if (python == nullptr) {
    return base::fail(take_python_error());
  }
  nb::object end = nb::cast(CoroutineCall(call, signals));
  const Ref timeout(seconds_left(call.context->deadline_ns));
  PyObject* begun =
      timeout ? PyObject_CallMethod(python, "start", "OOO", awaitable, end.ptr(), timeout.get())
              : nullptr;
  if (begun == nullptr) {
    nb::cast<CoroutineCall&>(end).forget();
    return base::fail(take_python_error());
  }
  Py_DECREF(begun);
  return {};
}

base::Result<core::Step> await_result(PyObject* awaitable, const core::Call& call,
                                      std::span<const std::string> signals) {
  auto* const loop = static_cast<PyLoop*>(call.context->loop);
  if (loop == nullptr) {
    Py_DECREF(awaitable);
    return base::fail(base::ErrorCode::kFailedPrecondition,
                      "a coroutine needs the event loop of a runner");
  }
  if (call.later != nullptr) {
    PENSTOCK_RETURN_IF_ERROR(loop->start(awaitable, call, signals));
    return core::Step::kPending;
  }
  PyObject* result = loop->run(awaitable, call.context->deadline_ns);
  if (result == nullptr) {
    base::Error error = take_python_error();
    if (call.context->is_cancelled() && error.message().starts_with("CancelledError")) {
      error = {base::ErrorCode::kCancelled, "interrupted"};
    }
    return base::fail(error);
  }
  return emit(result, call.outputs, signals);
}

void bind_loop(nb::module_& m) {
  nb::class_<CoroutineCall>(m, "CoroutineCall")
      .def(
          "__call__", [](CoroutineCall& self, nb::handle task) { self.finish(task); },
          nb::arg("task"))
      .def("log", &CoroutineCall::log, nb::arg("line"));
}

}  // namespace penstock::bindings
