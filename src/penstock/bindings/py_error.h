// One translator from our errors to Python exceptions (penstock.Error and its subclasses).
#pragma once

#include <memory>
#include <new>
#include <utility>
#include <vector>

#include <Python.h>

#include "penstock/base/result.h"
#include "penstock/flow/diagnostic.h"

namespace penstock::bindings {

/// Keeps `exception` for the __cause__ of what throw_error() will raise, once; in another process
/// it is an equal one, where pickle can make one. Lock held.
std::shared_ptr<const base::ErrorCause> keep_exception(PyObject* exception);

/// Sets the Python exception for `error`, with the exception it came from as its __cause__, and
/// throws nanobind::python_error. Lock held.
[[noreturn]] void throw_error(const base::Error& error);

/// Sets a penstock.LoadError that carries every diagnostic, and throws. Lock held.
[[noreturn]] void throw_diagnostics(const flow::Diagnostics& diagnostics);

/// A plain C function for Python that lets no C++ exception into the interpreter: it would end the
/// process. (nanobind's own functions translate them.)
template <auto kFunction>
struct Guarded;
template <class... Arguments, PyObject* (*kFunction)(Arguments...)>
struct Guarded<kFunction> {
  static PyObject* call(Arguments... arguments) {
    try {
      return kFunction(arguments...);
    } catch (const std::bad_alloc&) {
      return PyErr_NoMemory();
    }
  }
};

/// The value of `result`, or its error thrown.
template <class T>
T value_or_throw(base::Result<T> result) {
  if (!result.has_value()) {
    throw_error(result.error());
  }
  if constexpr (!std::is_void_v<T>) {
    return std::move(*result);
  }
}

}  // namespace penstock::bindings
