// Python objects as host objects of the engine, and the interpreter lock as the engine sees it.
#pragma once

#include <cxxabi.h>

#include <Python.h>

#include "penstock/core/host.h"
#include "penstock/core/value.h"

namespace penstock::bindings {

/// A Python object in flight, by identity. Made with the interpreter lock held; may be let go by
/// any thread: without the lock the reference is dropped later, by a thread that has it.
class PyBox final : public core::HostObject {
 public:
  PyObject* object() const { return object_; }

  /// Takes over one reference to `object`. Boxes are recycled: about 10 ns.
  static PyBox* make(PyObject* object);

 protected:
  void destroy() override;

 private:
  PyBox() = default;
  friend void drop_deferred();

  PyObject* object_ = nullptr;
  PyBox* next_ = nullptr;  ///< in the free list or the deferred list
};

/// Drops references that were let go without the interpreter lock. The lock must be held.
void drop_deferred();

/// `object` (one reference taken over) as a Value: None, bool, int within 64 bits and float become
/// native scalars, everything else flows by identity.
core::Value box(PyObject* object);

/// The same without exceptions: the object itself comes back from unbox().
core::Value box_by_identity(PyObject* object);

/// `value` as a Python object, a new reference: host objects by identity, others converted. Null
/// with a Python error set on failure.
PyObject* unbox(const core::Value& value);

/// Called by the thread that is about to end the interpreter.
void begin_interpreter_end();
/// Has begin_interpreter_end() been called; and by this thread? Any thread may ask.
bool is_interpreter_ending();
bool ends_interpreter();

/// Keeps this thread for the rest of the process. Without the interpreter lock.
[[noreturn]] void stay();

/// Calls into Python, or asks for its lock. A thread that does so when the interpreter has begun to
/// end is ended by it (pthread_exit), and the unwinding would run our destructors without the lock:
/// such a thread stays here, as it does from Python 3.14 on.
template <class Call>
auto call_python(Call call) {
  try {
    return call();
  } catch (abi::__forced_unwind&) {
    stay();
  }
}

/// Makes Python the host language of this process. Idempotent.
void install_python_bridge();

/// The pending Python exception as an Error, cleared: "ValueError: text" with the traceback text,
/// user's frame first. KeyboardInterrupt becomes kCancelled.
base::Error take_python_error();

}  // namespace penstock::bindings
