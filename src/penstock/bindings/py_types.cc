// Which Python types have which form, and the codecs that users registered.
#include <cstring>
#include <unordered_map>

#include <nanobind/nanobind.h>

#include "penstock/bindings/py_error.h"
#include "penstock/bindings/py_host.h"
#include "penstock/bindings/py_value.h"

namespace penstock::bindings {
namespace {

// Guarded by the interpreter lock. Each type is kept alive, or its address could come back as
// another type; the bound keeps programs that make types in a loop from growing.
constexpr std::size_t kMaxCachedTypes = 512;
std::unordered_map<PyTypeObject*, PyKind>& cache() {
  static auto* map = new std::unordered_map<PyTypeObject*, PyKind>();
  return *map;
}

// type -> (name, to_payload) and name -> from_payload; guarded by the interpreter lock.
PyObject* codecs_by_type() {
  static PyObject* dict = PyDict_New();
  return dict;
}
PyObject* codecs_by_name() {
  static PyObject* dict = PyDict_New();
  return dict;
}

// The same for the codecs that come with us, as they are first needed.
PyObject* shipped_by_type() {
  static PyObject* dict = PyDict_New();
  return dict;
}
PyObject* shipped_by_name() {
  static PyObject* dict = PyDict_New();
  return dict;
}

// What a function of penstock._codecs says, which is imported for it: a new reference, or null with
// a Python error set.
PyObject* ask_codecs(const char* function, PyObject* argument) {
  PyObject* module = PyImport_ImportModule("penstock._codecs");
  PyObject* answer =
      module != nullptr ? PyObject_CallMethod(module, function, "O", argument) : nullptr;
  Py_XDECREF(module);
  return answer;
}

// Have we a codec for `type`? Then it is in shipped_by_type() from now on.
bool find_shipped(PyTypeObject* type) {
  PyObject* const key = reinterpret_cast<PyObject*>(type);
  PyObject* entry = ask_codecs("find_for_type", key);
  const bool found =
      entry != nullptr && entry != Py_None && PyDict_SetItem(shipped_by_type(), key, entry) == 0;
  Py_XDECREF(entry);
  return found;
}

// The attribute of a module that somebody has imported already, borrowed; null otherwise. An object
// of a numpy type exists only when numpy is there, so nothing is imported to ask the question.
PyObject* loaded_attribute(const char* module_name, const char* attribute) {
  PyObject* module = PyDict_GetItemString(PyImport_GetModuleDict(), module_name);
  if (module == nullptr || !PyModule_Check(module)) {
    return nullptr;
  }
  return PyDict_GetItemString(PyModule_GetDict(module), attribute);
}

bool is_subtype(PyTypeObject* type, const char* module_name, const char* attribute) {
  PyObject* base = loaded_attribute(module_name, attribute);
  return base != nullptr && PyType_Check(base) &&
         PyType_IsSubtype(type, reinterpret_cast<PyTypeObject*>(base)) != 0;
}

bool type_has(PyTypeObject* type, const char* attribute) {
  return PyObject_HasAttrString(reinterpret_cast<PyObject*>(type), attribute) != 0;
}

PyKind classify(PyTypeObject* type) {
  if (PyDict_Contains(codecs_by_type(), reinterpret_cast<PyObject*>(type)) == 1) {
    return PyKind::kRegistered;
  }
  // Before the built-in bases: numpy.float64 is a float and keeps its dtype all the same.
  if (is_subtype(type, "numpy", "generic") && !is_subtype(type, "numpy", "character")) {
    return PyKind::kArray;
  }
  if (is_subtype(type, "numpy", "ndarray")) {
    // A mask would be lost without a word.
    return is_subtype(type, "numpy.ma", "MaskedArray") ? PyKind::kUnknown : PyKind::kArray;
  }
  struct Base {
    unsigned long flag;
    PyKind kind;
  };
  constexpr Base kBases[] = {
      {Py_TPFLAGS_LONG_SUBCLASS, PyKind::kInt},    {Py_TPFLAGS_UNICODE_SUBCLASS, PyKind::kText},
      {Py_TPFLAGS_BYTES_SUBCLASS, PyKind::kBytes}, {Py_TPFLAGS_LIST_SUBCLASS, PyKind::kList},
      {Py_TPFLAGS_TUPLE_SUBCLASS, PyKind::kTuple}, {Py_TPFLAGS_DICT_SUBCLASS, PyKind::kMap}};
  for (const Base& base : kBases) {
    if (PyType_HasFeature(type, base.flag) != 0) {
      return base.kind;
    }
  }
  if (PyType_IsSubtype(type, &PyFloat_Type) != 0) {
    return PyKind::kFloat;
  }
  if (PyType_IsSubtype(type, &PySet_Type) != 0) {
    return PyKind::kSet;
  }
  if (PyType_IsSubtype(type, &PyFrozenSet_Type) != 0) {
    return PyKind::kFrozenSet;
  }
  if (type_has(type, "__arrow_c_stream__")) {
    return PyKind::kTable;
  }
  if (type->tp_as_buffer != nullptr && type->tp_as_buffer->bf_getbuffer != nullptr) {
    return PyKind::kBuffer;
  }
  if (type_has(type, "__dlpack__")) {
    return PyKind::kDlpack;
  }
  // Last, so that no type that has a form gets another one.
  return find_shipped(type) ? PyKind::kRegistered : PyKind::kUnknown;
}

}  // namespace

PyKind kind_of(PyTypeObject* type) {
  auto& known = cache();
  if (const auto found = known.find(type); found != known.end()) {
    return found->second;
  }
  const PyKind kind = classify(type);
  PyErr_Clear();
  if (known.size() < kMaxCachedTypes) {
    known.emplace(type, kind);
    Py_INCREF(type);
  }
  return kind;
}

bool register_codec(PyObject* type, PyObject* name, PyObject* to_payload, PyObject* from_payload) {
  if (!PyType_Check(type) || !PyUnicode_Check(name) || PyUnicode_AsUTF8(name) == nullptr ||
      PyCallable_Check(to_payload) == 0 || PyCallable_Check(from_payload) == 0) {
    if (PyErr_Occurred() == nullptr) {
      PyErr_SetString(PyExc_TypeError,
                      "register_codec wants a type, a name and two functions "
                      "(to_payload, from_payload)");
    }
    return false;
  }
  if (std::string_view(PyUnicode_AsUTF8(name)).starts_with("python.")) {
    PyErr_Format(PyExc_ValueError, "names that begin with python. are Penstock's own: name=%U",
                 name);
    return false;
  }
  if (PyDict_Contains(codecs_by_type(), type) == 1 ||
      PyDict_Contains(codecs_by_name(), name) == 1) {
    PyObject* type_name = PyType_GetName(reinterpret_cast<PyTypeObject*>(type));
    PyErr_Format(PyExc_ValueError, "a codec is registered already: type=%V name=%U", type_name, "?",
                 name);
    Py_XDECREF(type_name);
    return false;
  }
  PyObject* entry = PyTuple_Pack(2, name, to_payload);
  const bool done = entry != nullptr && PyDict_SetItem(codecs_by_type(), type, entry) == 0 &&
                    PyDict_SetItem(codecs_by_name(), name, from_payload) == 0;
  Py_XDECREF(entry);
  if (auto found = cache().find(reinterpret_cast<PyTypeObject*>(type)); found != cache().end()) {
    cache().erase(found);
    Py_DECREF(type);
  }
  return done;
}

PyObject* registered_codecs() {
  return PyTuple_Pack(2, codecs_by_type(), codecs_by_name());
}

bool payload_of(PyObject* object, const OwnCodecs* own, PyObject*& name, PyObject*& payload) {
  PyObject* entry = nullptr;
  for (PyObject* codecs :
       {own != nullptr ? own->by_type : nullptr, codecs_by_type(), shipped_by_type()}) {
    if (codecs != nullptr && entry == nullptr) {
      entry = PyDict_GetItemWithError(codecs, reinterpret_cast<PyObject*>(Py_TYPE(object)));
    }
  }
  if (entry == nullptr) {
    PyErr_SetString(PyExc_TypeError, "codec vanished while a value was encoded");
    return false;
  }
  Py_INCREF(entry);
  payload = PyObject_CallOneArg(PyTuple_GET_ITEM(entry, 1), object);
  name = payload != nullptr ? Py_NewRef(PyTuple_GET_ITEM(entry, 0)) : nullptr;
  Py_DECREF(entry);
  return payload != nullptr;
}

PyObject* from_payload(std::string_view name, const OwnCodecs* own, PyObject* payload) {
  PyObject* key = PyUnicode_DecodeUTF8(name.data(), static_cast<Py_ssize_t>(name.size()), nullptr);
  if (key == nullptr) {
    return nullptr;
  }
  PyObject* codec = nullptr;
  for (PyObject* codecs :
       {own != nullptr ? own->by_name : nullptr, codecs_by_name(), shipped_by_name()}) {
    if (codecs != nullptr && codec == nullptr) {
      codec = PyDict_GetItemWithError(codecs, key);
    }
  }
  Py_XINCREF(codec);
  if (codec == nullptr && PyErr_Occurred() == nullptr) {
    codec = ask_codecs("find_for_name", key);
    if (codec != nullptr && codec != Py_None &&
        PyDict_SetItem(shipped_by_name(), key, codec) != 0) {
      Py_CLEAR(codec);
    }
  }
  Py_DECREF(key);
  PyObject* out = nullptr;
  if (codec == Py_None) {
    set_error(base::Error(base::ErrorCode::kFailedPrecondition,
                          "value of a type nobody registered here: type=" + std::string(name))
                  .with_help("call penstock.register_codec() or penstock.register_type() for it "
                             "before decoding"));
  } else if (codec != nullptr) {
    out = PyObject_CallOneArg(codec, payload);
  }
  Py_XDECREF(codec);
  return out;
}

base::Error no_codec_error(PyObject* object) {
  PyObject* help = ask_codecs("help_for", reinterpret_cast<PyObject*>(Py_TYPE(object)));
  const char* text = help != nullptr ? PyUnicode_AsUTF8(help) : nullptr;
  base::Error error =
      base::Error(
          base::ErrorCode::kInvalidArgument,
          std::string("no codec for a value of this type: type=") + Py_TYPE(object)->tp_name)
          .with_id("PS0403")
          .with_help(text != nullptr ? text : "call penstock.register_codec() for it");
  PyErr_Clear();
  Py_XDECREF(help);
  return error;
}

base::Error bad_text_error() {
  PyErr_Clear();
  return {base::ErrorCode::kInvalidArgument, "text holds a lone surrogate, which UTF-8 cannot"};
}

base::Error python_failure(const char* what) {
  // The user asked to stop: that is no fault of the value.
  if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt) != 0) {
    return take_python_error();
  }
  PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
  PyErr_Fetch(&type, &value, &trace);
  PyObject* text = value != nullptr ? PyObject_Str(value) : nullptr;
  const char* utf8 = text != nullptr ? PyUnicode_AsUTF8(text) : nullptr;
  base::Error error(base::ErrorCode::kInvalidArgument,
                    std::string(what) + ": " + (utf8 != nullptr ? utf8 : "unknown failure"));
  PyErr_Clear();
  Py_XDECREF(text);
  Py_XDECREF(type);
  Py_XDECREF(value);
  Py_XDECREF(trace);
  return error;
}

void set_error(const base::Error& error) {
  try {
    throw_error(error);
  } catch (nanobind::python_error& raised) {
    raised.restore();
  }
}

}  // namespace penstock::bindings
