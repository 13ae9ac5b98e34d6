#include "penstock/bindings/py_emit.h"

#include <string_view>

#include <fmt/format.h>

#include "penstock/bindings/py_host.h"

namespace penstock::bindings {
namespace {

PyObject* no_event = nullptr;

/// A marker of noob: a member of a str enum with this very text.
bool is_marker(PyObject* object, const char* text) {
  return PyUnicode_Check(object) && !PyUnicode_CheckExact(object) &&
         PyUnicode_CompareWithASCIIString(object, text) == 0;
}

/// penstock.NoEvent, or noob's.
bool is_no_event(PyObject* object) {
  return object == no_event || is_marker(object, "__META__NoEvent");
}

/// An event that a node was given, or made, and gives on: its value. Null for anything else.
PyObject* value_of_event(PyObject* object) {
  constexpr Py_ssize_t kNumKeys = 6;
  if (!PyDict_CheckExact(object) || PyDict_GET_SIZE(object) != kNumKeys) {
    return nullptr;
  }
  PyObject* epoch = PyDict_GetItemString(object, "epoch");
  if (epoch == nullptr || PyDict_GetItemString(object, "node_id") == nullptr ||
      PyDict_GetItemString(object, "signal") == nullptr ||
      PyDict_GetItemString(object, "timestamp") == nullptr ||
      !std::string_view(Py_TYPE(epoch)->tp_name).ends_with("Epoch")) {
    return nullptr;
  }
  return PyDict_GetItemString(object, "value");
}

/// Writes one signal's value, a borrowed reference.
void put(PyObject* object, core::Value& output) {
  PyObject* passed_on = value_of_event(object);
  PyObject* value = passed_on != nullptr ? passed_on : object;
  if (!is_no_event(value)) {
    output = box(Py_NewRef(value));
  }
}

}  // namespace

void set_no_event(PyObject* sentinel) {
  no_event = Py_NewRef(sentinel);
}

base::Result<core::Step> emit(PyObject* result, std::span<core::Value> outputs,
                              std::span<const std::string> signals) {
  if (is_no_event(result)) {
    Py_DECREF(result);
    return core::Step::kDone;
  }
  if (is_marker(result, "__META__Exhausted")) {
    Py_DECREF(result);
    return core::Step::kExhausted;
  }
  if (outputs.size() == 1) {
    if (PyDict_CheckExact(result)) {
      put(result, outputs[0]);
      Py_DECREF(result);
    } else {
      outputs[0] = box(result);
    }
    return core::Step::kDone;
  }
  if (outputs.empty()) {
    Py_DECREF(result);
    return core::Step::kDone;
  }
  const bool is_sequence = PyTuple_Check(result) || PyList_Check(result);
  const Py_ssize_t count = is_sequence ? PySequence_Fast_GET_SIZE(result) : -1;
  if (count != static_cast<Py_ssize_t>(outputs.size())) {
    const std::string seen = is_sequence ? fmt::format("{} values", count)
                                         : fmt::format("a {}", Py_TYPE(result)->tp_name);
    Py_DECREF(result);
    return base::fail(base::Error(base::ErrorCode::kInvalidArgument,
                                  fmt::format("wrong number of outputs: seen {}, wanted {} ({})",
                                              seen, outputs.size(), fmt::join(signals, ", ")))
                          .with_id("PS0402")
                          .with_help("return one value per signal, as a tuple"));
  }
  for (Py_ssize_t i = 0; i < count; ++i) {
    put(PySequence_Fast_GET_ITEM(result, i), outputs[static_cast<std::size_t>(i)]);
  }
  Py_DECREF(result);
  return core::Step::kDone;
}

}  // namespace penstock::bindings
