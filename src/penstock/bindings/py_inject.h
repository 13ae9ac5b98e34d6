// What a node's function is given besides its inputs: the epoch, the raw events.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <Python.h>

#include "penstock/bindings/py_ref.h"
#include "penstock/core/operator.h"

namespace penstock::bindings {

/// A parameter that no edge fills.
struct Injection {
  enum class Kind : std::uint8_t { kEpoch, kEvents };
  std::string name;  ///< of the parameter
  Kind kind = Kind::kEpoch;
  Ref cls;  ///< kEpoch: the class its annotation names, penstock.Epoch or one like it
};

/// The injections that penstock._kinds found: a tuple of (name, "epoch" | "events", class).
std::vector<Injection> read_injections(PyObject* tuple);

/// The value for one call, a new reference; null with a Python error set. `slots`: the name or
/// position of each input. Lock held.
PyObject* make_injected(const Injection& injection, const core::Call& call,
                        std::span<const Ref> slots);

}  // namespace penstock::bindings
