// Arrays: the buffer protocol in both directions, DLPack through numpy. No element is copied.
#include <string>
#include <utility>

#include <Python.h>

#include "penstock/bindings/py_host.h"
#include "penstock/bindings/py_value.h"
#include "penstock/core/tensor.h"

namespace penstock::bindings {
namespace {

using core::DType;
using core::Value;

// PEP 3118 formats; numpy calls the 64-bit integers of this platform "l", not "q".
constexpr const char* kFormats[] = {"?", "b", "h", "i", "l", "B",  "H",
                                    "I", "L", "e", "f", "d", "Zf", "Zd"};

// numpy.<name>, kept for the life of the process; null with an error set.
PyObject* numpy_function(const char* name, PyObject*& cached) {
  if (cached == nullptr) {
    PyObject* numpy = PyImport_ImportModule("numpy");
    if (numpy == nullptr) {
      return nullptr;
    }
    cached = PyObject_GetAttrString(numpy, name);
    Py_DECREF(numpy);
  }
  return cached;
}

// The dtype of a buffer's format (PEP 3118), by kind and size: 'l' has the size of its platform.
bool dtype_of(std::string_view format, Py_ssize_t item_bytes, DType& out) {
  constexpr std::pair<std::string_view, std::string_view> kKinds[] = {
      {"?", "bool"}, {"bhilqn", "int"}, {"BHILQN", "uint"}, {"efd", "float"}};
  std::string name;
  if (format == "Zf" || format == "Zd") {
    name = "complex";
  } else if (format.size() == 1) {
    for (const auto& [letters, kind] : kKinds) {
      if (letters.find(format[0]) != std::string_view::npos) {
        name = kind;
      }
    }
  }
  if (name.empty()) {
    return false;
  }
  if (name != "bool") {
    name += std::to_string(item_bytes * 8);
  }
  const base::Result<DType> dtype = core::parse_dtype(name);
  if (dtype.has_value()) {
    out = *dtype;
  }
  return dtype.has_value();
}

base::Error bad_array(PyObject* object, const std::string& format) {
  return {base::ErrorCode::kInvalidArgument,
          std::string("array elements have no tensor form (wanted bool, integers, floats or "
                      "complex numbers): type=") +
              Py_TYPE(object)->tp_name + " format=" + format};
}

// A new reference to the array in this machine's byte order.
PyObject* swapped(PyObject* object) {
  static PyObject* asarray = nullptr;
  PyObject* function = numpy_function("asarray", asarray);
  PyObject* array = function != nullptr ? PyObject_CallOneArg(function, object) : nullptr;
  PyObject* dtype = array != nullptr ? PyObject_GetAttrString(array, "dtype") : nullptr;
  PyObject* native =
      dtype != nullptr ? PyObject_CallMethod(dtype, "newbyteorder", "s", "=") : nullptr;
  PyObject* out = native != nullptr ? PyObject_CallMethod(array, "astype", "O", native) : nullptr;
  Py_XDECREF(native);
  Py_XDECREF(dtype);
  Py_XDECREF(array);
  return out;
}

// `view` is a memoryview (one reference taken over): it keeps the memory, and letting go of it from
// any thread is what PyBox is for.
base::Result<std::shared_ptr<const core::Tensor>> tensor_of(PyObject* view, DType dtype) {
  const Py_buffer& info = *PyMemoryView_GET_BUFFER(view);
  std::vector<std::int64_t> shape(info.shape, info.shape + info.ndim);
  std::vector<std::int64_t> strides(info.strides, info.strides + info.ndim);
  // The lowest byte that an element occupies, as negative strides run below the first element.
  std::int64_t low = 0, high = info.itemsize;
  bool empty = false;
  for (int i = 0; i < info.ndim; ++i) {
    empty = empty || shape[static_cast<std::size_t>(i)] == 0;
    const std::int64_t reach = (info.shape[i] - 1) * info.strides[i];
    (reach < 0 ? low : high) += reach;
  }
  if (empty) {
    low = high = 0;
  }
  const Value owner = Value::host(PyBox::make(view));
  return core::Tensor::create(
      dtype, std::move(shape), std::move(strides),
      core::Buffer::wrap(static_cast<const std::byte*>(info.buf) + low, high - low, [owner] {}),
      -low);
}

base::Result<Value> from_buffer(PyObject* object, PyKind kind) {
  PyObject* view = PyMemoryView_FromObject(object);
  if (view == nullptr) {
    return base::fail(python_failure("array has no tensor form"));
  }
  const Py_buffer& info = *PyMemoryView_GET_BUFFER(view);
  std::string format = info.format != nullptr ? info.format : "B";
  const bool is_bytes =
      kind == PyKind::kBuffer && info.ndim == 1 && info.itemsize == 1 && format != "?";
  if (is_bytes) {
    std::string bytes(static_cast<std::size_t>(info.len), '\0');
    const int failed = PyBuffer_ToContiguous(bytes.data(), &info, info.len, 'C');
    Py_DECREF(view);
    if (failed != 0) {
      return base::fail(python_failure("cannot read a buffer"));
    }
    return Value::bytes(std::move(bytes));
  }
  bool is_foreign = false;
  if (!format.empty() && std::string_view("@=<>!").find(format[0]) != std::string_view::npos) {
    is_foreign = (format[0] == '>' || format[0] == '!') && info.itemsize > 1;
    format.erase(0, 1);
  }
  DType dtype{};
  if (!dtype_of(format, info.itemsize, dtype) || info.suboffsets != nullptr) {
    Py_DECREF(view);
    return base::fail(bad_array(object, format));
  }
  if (is_foreign) {
    Py_DECREF(view);
    PyObject* native = swapped(object);
    if (native == nullptr) {
      return base::fail(python_failure("cannot change the byte order of an array"));
    }
    base::Result<Value> value = from_buffer(native, PyKind::kArray);
    Py_DECREF(native);
    return value;
  }
  PENSTOCK_ASSIGN_OR_RETURN(std::shared_ptr<const core::Tensor> tensor, tensor_of(view, dtype));
  return Value::tensor(std::move(tensor));
}

base::Result<Value> from_dlpack(PyObject* object) {
  static PyObject* cached = nullptr;
  PyObject* function = numpy_function("from_dlpack", cached);
  PyObject* array = function != nullptr ? PyObject_CallOneArg(function, object) : nullptr;
  if (array == nullptr) {
    return base::fail(python_failure("cannot read an array through DLPack"));
  }
  base::Result<Value> value = from_buffer(array, PyKind::kArray);
  Py_DECREF(array);
  return value;
}

// An object whose only talent is to show a tensor through the buffer protocol.
struct TensorView {
  PyObject_HEAD std::shared_ptr<const core::Tensor> tensor;
  Py_ssize_t* shape_and_strides;  // 2 * ndim
};

void tensor_view_dealloc(PyObject* self) {
  auto* view = reinterpret_cast<TensorView*>(self);
  PyTypeObject* type = Py_TYPE(self);
  PyMem_Free(view->shape_and_strides);
  view->tensor.~shared_ptr();
  type->tp_free(self);
  Py_DECREF(type);
}

int tensor_view_get(PyObject* self, Py_buffer* out, int flags) {
  if ((flags & PyBUF_WRITABLE) != 0) {
    PyErr_SetString(PyExc_BufferError, "values are immutable: copy the array to change it");
    return -1;
  }
  auto* view = reinterpret_cast<TensorView*>(self);
  const core::Tensor& tensor = *view->tensor;
  const auto num_dimensions = static_cast<int>(tensor.shape().size());
  if (!tensor.is_contiguous() && (flags & PyBUF_STRIDES) != PyBUF_STRIDES) {
    PyErr_SetString(PyExc_BufferError, "the array is not contiguous");
    return -1;
  }
  out->obj = Py_NewRef(self);
  out->buf = const_cast<std::byte*>(tensor.data());
  out->len = tensor.size_bytes();
  out->itemsize = core::size_bytes(tensor.dtype());
  out->readonly = 1;
  out->ndim = num_dimensions;
  out->format = (flags & PyBUF_FORMAT) != 0
                    ? const_cast<char*>(kFormats[static_cast<std::size_t>(tensor.dtype())])
                    : nullptr;
  out->shape = (flags & PyBUF_ND) != 0 ? view->shape_and_strides : nullptr;
  out->strides =
      (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? view->shape_and_strides + num_dimensions : nullptr;
  out->suboffsets = nullptr;
  out->internal = nullptr;
  return 0;
}

PyTypeObject* tensor_view_type() {
  static PyTypeObject* type = [] {
    static PyType_Slot slots[] = {
        {Py_tp_dealloc, reinterpret_cast<void*>(tensor_view_dealloc)},
        {Py_bf_getbuffer, reinterpret_cast<void*>(tensor_view_get)},
        {0, nullptr},
    };
    static PyType_Spec spec = {"penstock._core.TensorView", sizeof(TensorView), 0,
                               Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
    return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  }();
  return type;
}

}  // namespace

base::Result<Value> array_to_value(PyObject* object, PyKind kind) {
  return kind == PyKind::kDlpack ? from_dlpack(object) : from_buffer(object, kind);
}

PyObject* array_from_tensor(const std::shared_ptr<const core::Tensor>& tensor) {
  static PyObject* cached = nullptr;
  PyObject* asarray = numpy_function("asarray", cached);
  PyTypeObject* type = asarray != nullptr ? tensor_view_type() : nullptr;
  PyObject* self = type != nullptr ? type->tp_alloc(type, 0) : nullptr;
  if (self == nullptr) {
    return nullptr;
  }
  auto* view = reinterpret_cast<TensorView*>(self);
  new (&view->tensor) std::shared_ptr<const core::Tensor>(tensor);
  const std::size_t num_dimensions = tensor->shape().size();
  view->shape_and_strides = PyMem_New(Py_ssize_t, 2 * num_dimensions + 1);
  if (view->shape_and_strides == nullptr) {
    Py_DECREF(self);
    return PyErr_NoMemory();
  }
  std::copy(tensor->shape().begin(), tensor->shape().end(), view->shape_and_strides);
  std::copy(tensor->strides().begin(), tensor->strides().end(),
            view->shape_and_strides + num_dimensions);
  PyObject* array = PyObject_CallOneArg(asarray, self);
  Py_DECREF(self);
  if (array == nullptr || num_dimensions > 0) {
    return array;
  }
  PyObject* scalar = PyObject_CallMethod(array, "__getitem__", "(())");
  Py_DECREF(array);
  return scalar;
}

}  // namespace penstock::bindings
