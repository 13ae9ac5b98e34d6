#include "penstock/bindings/py_memory.h"

namespace penstock::bindings {
namespace {

// An object whose only talent is to show memory. One of its owners is set.
struct Memory {
  const PyObject_HEAD std::byte* data;
  std::size_t size;
  PyObject* object;
  std::shared_ptr<const core::Buffer> buffer;
  std::byte* pooled;
  std::size_t capacity;
};

void dealloc(PyObject* self) {
  auto* memory = reinterpret_cast<Memory*>(self);
  PyTypeObject* type = Py_TYPE(self);
  base::BufferPool::shared().release(memory->pooled, memory->capacity);
  Py_XDECREF(memory->object);
  memory->buffer.~shared_ptr();
  type->tp_free(self);
  Py_DECREF(type);
}

int get_buffer(PyObject* self, Py_buffer* out, int flags) {
  auto* memory = reinterpret_cast<Memory*>(self);
  return PyBuffer_FillInfo(out, self, memory->data, static_cast<Py_ssize_t>(memory->size), 1,
                           flags);
}

PyTypeObject* memory_type() {
  static PyTypeObject* type = [] {
    static PyType_Slot slots[] = {
        {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
        {Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)},
        {0, nullptr},
    };
    static PyType_Spec spec = {"penstock._core.Memory", sizeof(Memory), 0,
                               Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
    return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  }();
  return type;
}

// Without an owner yet; null with a Python error set.
Memory* make(std::span<const std::byte> data) {
  PyTypeObject* const type = memory_type();
  auto* memory = type != nullptr ? reinterpret_cast<Memory*>(type->tp_alloc(type, 0)) : nullptr;
  if (memory != nullptr) {
    new (&memory->buffer) std::shared_ptr<const core::Buffer>();
    memory->data = const_cast<std::byte*>(data.data());  // shown read-only
    memory->size = data.size();
  }
  return memory;
}

PyObject* view_of(Memory* memory) {
  PyObject* view = PyMemoryView_FromObject(reinterpret_cast<PyObject*>(memory));
  Py_DECREF(reinterpret_cast<PyObject*>(memory));
  return view;
}

}  // namespace

PyObject* PooledMemory::show(std::size_t size) {
  Memory* memory = make({data_, size});
  if (memory == nullptr) {
    return nullptr;
  }
  memory->pooled = std::exchange(data_, nullptr);
  memory->capacity = capacity_;
  return view_of(memory);
}

PyObject* show_memory(std::span<const std::byte> data, PyObject* owner) {
  Memory* memory = make(data);
  if (memory == nullptr) {
    return nullptr;
  }
  memory->object = Py_NewRef(owner);
  return view_of(memory);
}

PyObject* show_memory(std::span<const std::byte> data, std::shared_ptr<const core::Buffer> owner) {
  Memory* memory = make(data);
  if (memory == nullptr) {
    return nullptr;
  }
  memory->buffer = std::move(owner);
  return view_of(memory);
}

PyObject* contiguous_view(PyObject* object) {
  PyObject* view = PyMemoryView_FromObject(object);
  if (view != nullptr && PyBuffer_IsContiguous(PyMemoryView_GET_BUFFER(view), 'C') == 0) {
    Py_DECREF(view);
    PyErr_SetString(PyExc_BufferError, "a message must lie in contiguous memory");
    return nullptr;
  }
  return view;
}

std::span<const std::byte> bytes_of_view(PyObject* view) {
  const Py_buffer& buffer = *PyMemoryView_GET_BUFFER(view);
  return {static_cast<const std::byte*>(buffer.buf), static_cast<std::size_t>(buffer.len)};
}

}  // namespace penstock::bindings
