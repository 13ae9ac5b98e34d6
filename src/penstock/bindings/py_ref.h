// An owned reference to a Python object that may be let go of by any thread.
#pragma once

#include <utility>

#include <Python.h>

#include "penstock/core/host.h"

namespace penstock::bindings {

/// Dropped with the interpreter lock held.
class Ref {
 public:
  Ref() = default;
  explicit Ref(PyObject* object) : object_(object) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ != nullptr && Py_IsInitialized() != 0) {
      const core::HostLock lock;
      Py_DECREF(object_);
    }
  }
  PyObject* get() const { return object_; }
  PyObject* share() const { return Py_NewRef(object_); }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  PyObject* object_ = nullptr;
};

}  // namespace penstock::bindings
