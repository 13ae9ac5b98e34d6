#include "penstock/bindings/py_emit.h"

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
    outputs[0] = box(result);
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
    PyObject* item = PySequence_Fast_GET_ITEM(result, i);
    if (!is_no_event(item)) {
      outputs[static_cast<std::size_t>(i)] = box(Py_NewRef(item));
    }
  }
  Py_DECREF(result);
  return core::Step::kDone;
}

}  // namespace penstock::bindings
