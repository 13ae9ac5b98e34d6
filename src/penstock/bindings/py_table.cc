// Tables: the Arrow PyCapsule interface in both directions. No buffer is copied.
#include <memory>
#include <tuple>

#include <Python.h>

#include "penstock/bindings/py_error.h"
#include "penstock/bindings/py_value.h"
#include "penstock/core/table.h"

namespace penstock::bindings {
namespace {

constexpr const char* kCapsuleName = "arrow_array_stream";

// An object whose only talent is __arrow_c_stream__.
struct TableStream {
  PyObject_HEAD std::shared_ptr<const core::Table> table;
};

void table_stream_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  reinterpret_cast<TableStream*>(self)->table.~shared_ptr();
  type->tp_free(self);
  Py_DECREF(type);
}

void release_capsule(PyObject* capsule) {
  auto* stream = static_cast<ArrowArrayStream*>(PyCapsule_GetPointer(capsule, kCapsuleName));
  if (stream != nullptr && stream->release != nullptr) {
    stream->release(stream);
  }
  delete stream;
}

// The requested schema is a wish that a producer may ignore, says the interface.
PyObject* arrow_c_stream(PyObject* self, PyObject*, PyObject*) {
  auto stream = std::make_unique<ArrowArrayStream>();
  core::export_stream(reinterpret_cast<TableStream*>(self)->table, stream.get());
  PyObject* capsule = PyCapsule_New(stream.get(), kCapsuleName, release_capsule);
  if (capsule == nullptr) {
    stream->release(stream.get());
    return nullptr;
  }
  std::ignore = stream.release();  // the capsule's
  return capsule;
}

PyTypeObject* table_stream_type() {
  static PyTypeObject* type = [] {
    static PyMethodDef methods[] = {
        {"__arrow_c_stream__",
         reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(Guarded<arrow_c_stream>::call)),
         METH_VARARGS | METH_KEYWORDS, "The table as an Arrow C stream, not copied."},
        {nullptr, nullptr, 0, nullptr},
    };
    static PyType_Slot slots[] = {
        {Py_tp_dealloc, reinterpret_cast<void*>(table_stream_dealloc)},
        {Py_tp_methods, methods},
        {0, nullptr},
    };
    static PyType_Spec spec = {"penstock._core.TableStream", sizeof(TableStream), 0,
                               Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
    return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  }();
  return type;
}

}  // namespace

base::Result<std::shared_ptr<const core::Table>> table_from_python(PyObject* object) {
  PyObject* capsule = PyObject_CallMethod(object, "__arrow_c_stream__", nullptr);
  auto* stream = capsule != nullptr
                     ? static_cast<ArrowArrayStream*>(PyCapsule_GetPointer(capsule, kCapsuleName))
                     : nullptr;
  if (stream == nullptr) {
    Py_XDECREF(capsule);
    return base::fail(python_failure("cannot read a table through __arrow_c_stream__"));
  }
  // from_stream() releases the stream; the capsule's destructor sees that and frees the struct.
  auto table = core::Table::from_stream(stream);
  Py_DECREF(capsule);
  return table;
}

PyObject* table_to_python(const std::shared_ptr<const core::Table>& table) {
  PyObject* pyarrow = PyImport_ImportModule("pyarrow");
  if (pyarrow == nullptr) {
    PyErr_Clear();
    set_error(base::Error(base::ErrorCode::kFailedPrecondition,
                          "a table needs pyarrow to be shown to Python")
                  .with_help("pip install 'penstock[table]'"));
    return nullptr;
  }
  PyTypeObject* type = table_stream_type();
  PyObject* self = type != nullptr ? type->tp_alloc(type, 0) : nullptr;
  PyObject* out = nullptr;
  if (self != nullptr) {
    new (&reinterpret_cast<TableStream*>(self)->table) std::shared_ptr<const core::Table>(table);
    out = PyObject_CallMethod(pyarrow, "table", "O", self);
    Py_DECREF(self);
  }
  Py_DECREF(pyarrow);
  return out;
}

}  // namespace penstock::bindings
