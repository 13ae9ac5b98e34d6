#include "penstock/bindings/numpy_api.h"

#include <cstring>
#include <utility>

namespace penstock::bindings {
namespace {

// numpy's public array struct, as its C headers declare it (the same in numpy 1 and 2).
struct ArrayObject {
  PyObject_HEAD char* data;
  int num_dimensions;
  std::int64_t* dimensions;
  std::int64_t* strides;
  PyObject* base;
  struct Descr* descr;
  int flags;
};
struct Descr {
  PyObject_HEAD PyTypeObject* type;
  char kind;
  char letter;
  char byte_order;
  char former_flags;
  int number;
};
constexpr int kContiguous = 0x0001, kAligned = 0x0100, kWriteable = 0x0400;

// Places in numpy's table of C functions, fixed since 1.7.
constexpr int kArrayType = 2, kDescrFromType = 45, kNewFromDescr = 94, kSetBaseObject = 282;

// By core::DType; NPY_LONG is the 64-bit integer here.
constexpr int kNumbers[] = {0, 1, 3, 5, 7, 2, 4, 6, 8, 23, 11, 12, 14, 15};
constexpr int kMaxNumber = 24;

struct Api {
  PyTypeObject* array_type = nullptr;
  PyObject* (*descr_from_type)(int number) = nullptr;
  PyObject* (*new_from_descr)(PyTypeObject* type, PyObject* descr, int num_dimensions,
                              const std::int64_t* dimensions, const std::int64_t* strides,
                              void* data, int flags, PyObject* object) = nullptr;
  int (*set_base)(PyObject* array, PyObject* base) = nullptr;
};

// Once found it stays; guarded by the interpreter lock.
Api found;

bool load(PyObject* module) {
  PyObject* capsule = PyObject_GetAttrString(module, "_ARRAY_API");
  auto** const table =
      capsule != nullptr ? static_cast<void**>(PyCapsule_GetPointer(capsule, nullptr)) : nullptr;
  Py_XDECREF(capsule);
  if (table == nullptr) {
    return false;
  }
  found.descr_from_type = reinterpret_cast<decltype(found.descr_from_type)>(table[kDescrFromType]);
  found.new_from_descr = reinterpret_cast<decltype(found.new_from_descr)>(table[kNewFromDescr]);
  found.set_base = reinterpret_cast<decltype(found.set_base)>(table[kSetBaseObject]);
  found.array_type = static_cast<PyTypeObject*>(table[kArrayType]);
  return true;
}

// Imports numpy when it is not there yet; false with a Python error set.
bool have_api() {
  if (found.array_type != nullptr) {
    return true;
  }
  PyObject* module = PyImport_ImportModule("numpy._core._multiarray_umath");
  if (module == nullptr && PyErr_ExceptionMatches(PyExc_ModuleNotFoundError) != 0) {
    PyErr_Clear();
    module = PyImport_ImportModule("numpy.core._multiarray_umath");  // numpy 1
  }
  const bool done = module != nullptr && load(module);
  Py_XDECREF(module);
  return done;
}

bool dtype_of(const Descr& descr, core::DType& out) {
  // NPY_LONGLONG is another name of the 64-bit integers.
  const int number = descr.number == 9 ? 7 : descr.number == 10 ? 8 : descr.number;
  if (number > kMaxNumber || (descr.byte_order != '=' && descr.byte_order != '|')) {
    return false;
  }
  for (std::size_t i = 0; i < std::size(kNumbers); ++i) {
    if (kNumbers[i] == number) {
      out = static_cast<core::DType>(i);
      return true;
    }
  }
  return false;
}

}  // namespace

PlainArray::PlainArray(PyObject* object) {
  if (!have_api()) {
    PyErr_Clear();  // then it is no array of numpy's, and the long way says so
    return;
  }
  if (Py_TYPE(object) != found.array_type) {
    return;
  }
  const auto& array = *reinterpret_cast<const ArrayObject*>(object);
  if ((array.flags & (kContiguous | kAligned)) != (kContiguous | kAligned) ||
      !dtype_of(*array.descr, dtype_)) {
    return;
  }
  shape_ = {array.dimensions, static_cast<std::size_t>(array.num_dimensions)};
  std::int64_t size = core::size_bytes(dtype_);
  for (const std::int64_t extent : shape_) {
    size *= extent;
  }
  data_ = {reinterpret_cast<const std::byte*>(array.data), static_cast<std::size_t>(size)};
  is_plain_ = true;
}

PyObject* make_array(core::DType dtype, std::span<const std::int64_t> shape,
                     std::span<const std::byte> data, PyObject* owner) {
  if (!have_api()) {
    return nullptr;
  }
  PyObject* descr = found.descr_from_type(kNumbers[static_cast<std::size_t>(dtype)]);
  if (descr == nullptr) {
    return nullptr;
  }
  void* const memory =
      owner != nullptr ? const_cast<void*>(static_cast<const void*>(data.data())) : nullptr;
  PyObject* array =
      found.new_from_descr(found.array_type, descr, static_cast<int>(shape.size()), shape.data(),
                           nullptr, memory, 0, nullptr);  // takes over `descr`
  if (array == nullptr) {
    return nullptr;
  }
  auto& made = *reinterpret_cast<ArrayObject*>(array);
  if (owner == nullptr && !data.empty()) {
    std::memcpy(made.data, data.data(), data.size());
  }
  made.flags &= ~kWriteable;
  if (owner != nullptr && found.set_base(array, Py_NewRef(owner)) != 0) {
    Py_DECREF(array);
    return nullptr;
  }
  return array;
}

}  // namespace penstock::bindings
