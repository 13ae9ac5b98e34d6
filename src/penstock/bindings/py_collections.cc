// Sets, and dicts with keys other than text, made again from their payloads.
#include <string>
#include <string_view>

#include <Python.h>

#include "penstock/bindings/py_encoder.h"
#include "penstock/bindings/py_value.h"

namespace penstock::bindings {
namespace {

constexpr std::string_view kDict = "python.dict";
constexpr std::string_view kSet = "python.set";
constexpr std::string_view kFrozenSet = "python.frozenset";

// The encoded form of an item or key; false with a Python error set.
bool encoded(PyObject* object, std::string& out) {
  core::CborWriter writer;
  PyEncoder encoder(writer);
  if (!encoder.write(object, 0)) {
    return false;
  }
  out = writer.view();
  return true;
}

// Fills `out` from the payload's items; false with a Python error set.
bool fill(PyObject* out, std::string_view name, PyObject* payload) {
  const bool is_map = name == kDict;
  std::string previous, current;
  bool any_other_key = false;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(payload); ++i) {
    PyObject* const item = PyList_GET_ITEM(payload, i);
    if (is_map && !(PyList_CheckExact(item) && PyList_GET_SIZE(item) == 2)) {
      set_collection_error(name, "wanted a list of [key, value] lists");
      return false;
    }
    PyObject* const key = is_map ? PyList_GET_ITEM(item, 0) : item;
    any_other_key = any_other_key || !PyUnicode_CheckExact(key);
    if (!encoded(key, current)) {
      return false;
    }
    if (i > 0 && previous >= current) {
      set_collection_error(name, "items or keys are not in order, or not unique");
      return false;
    }
    previous.swap(current);
    if (!add_to_collection(out, name, key, is_map ? PyList_GET_ITEM(item, 1) : nullptr)) {
      return false;
    }
  }
  if (is_map && !any_other_key) {
    set_collection_error(name, "all keys are text, wanted a plain map");
    return false;
  }
  return true;
}

}  // namespace

bool is_collection(std::string_view name) {
  return name == kSet || name == kFrozenSet || name == kDict;
}

void set_collection_error(std::string_view name, const char* what) {
  set_error({base::ErrorCode::kDataLoss, "invalid encoding: " + std::string(name) + ": " + what});
}

PyObject* new_collection(std::string_view name) {
  return name == kDict  ? PyDict_New()
         : name == kSet ? PySet_New(nullptr)
                        : PyFrozenSet_New(nullptr);
}

bool add_to_collection(PyObject* out, std::string_view name, PyObject* item, PyObject* value) {
  const bool is_map = value != nullptr;
  const Py_ssize_t before = is_map ? PyDict_GET_SIZE(out) : PySet_GET_SIZE(out);
  if ((is_map ? PyDict_SetItem(out, item, value) : PySet_Add(out, item)) != 0) {
    if (PyErr_ExceptionMatches(PyExc_TypeError) != 0) {
      PyErr_Clear();
      set_collection_error(name, "an item or key is not hashable");
    }
    return false;
  }
  if ((is_map ? PyDict_GET_SIZE(out) : PySet_GET_SIZE(out)) == before) {
    set_collection_error(name, "two items or keys are equal");
    return false;
  }
  return true;
}

PyObject* collection_from_payload(std::string_view name, PyObject* payload) {
  if (!PyList_CheckExact(payload)) {
    set_collection_error(name, "wanted a list");
    return nullptr;
  }
  PyObject* out = new_collection(name);
  if (out != nullptr && !fill(out, name, payload)) {
    Py_CLEAR(out);
  }
  return out;
}

}  // namespace penstock::bindings
