// What a Python call returned, written to a node's signals.
#pragma once

#include <span>
#include <string>

#include <Python.h>

#include "penstock/base/result.h"
#include "penstock/core/operator.h"
#include "penstock/core/value.h"

namespace penstock::bindings {

/// The sentinel a function returns for "no event" (penstock.NoEvent). Set once at import.
void set_no_event(PyObject* sentinel);

/// Writes `result` (taken over) to `outputs`: one signal gets the value, several share a sequence,
/// "no event" leaves a signal absent. noob's marker for "exhausted", alone, ends the node. PS0402
/// for a wrong number. Lock held.
base::Result<core::Step> emit(PyObject* result, std::span<core::Value> outputs,
                              std::span<const std::string> signals);

}  // namespace penstock::bindings
