// Ref: an owned reference to a Python object that any thread may let go.
#pragma once

#include <utility>

#include <Python.h>

#include "penstock/core/host.h"

namespace penstock::bindings {

/// Takes over one reference, and drops it with the interpreter lock held.
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
  PyObject* release() { return std::exchange(object_, nullptr); }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  PyObject* object_ = nullptr;
};

}  // namespace penstock::bindings
