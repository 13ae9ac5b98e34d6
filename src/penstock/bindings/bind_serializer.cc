// penstock._core.Serializer: values to messages and back.
//
// A plain C type, not nanobind's, for the same reason as the functions of bind_codec.cc.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "penstock/base/machine.h"
#include "penstock/bindings/bind.h"
#include "penstock/bindings/py_decoder.h"
#include "penstock/bindings/py_encoder.h"
#include "penstock/bindings/py_error.h"
#include "penstock/bindings/py_memory.h"
#include "penstock/core/message.h"

namespace penstock::bindings {
namespace {

// Longer messages are shown where they were written instead of copied into bytes.
constexpr std::size_t kLongMessage = 65'536;
// Longer copies are made without the interpreter lock.
constexpr std::size_t kLongCopy = std::size_t{1} << 20;

struct Serializer {
  PyObject_HEAD OwnCodecs own;
  std::size_t room;  // a long message was that long: the next one is likely to be

  const OwnCodecs* codecs() const { return own.by_type != nullptr ? &own : nullptr; }
};

Serializer& of(PyObject* self) {
  return *reinterpret_cast<Serializer*>(self);
}

// The frame of what `encoder` left outside, as a memoryview.
PyObject* framed(PyEncoder& encoder, std::string_view root) {
  const std::vector<std::span<const std::byte>>& buffers = encoder.values().buffers();
  const std::size_t size = core::framed_bytes(root.size(), buffers);
  if (size > static_cast<std::size_t>(base::memory_bytes())) {
    set_error({base::ErrorCode::kResourceExhausted,
               "message longer than this machine's memory: size_bytes=" + std::to_string(size) +
                   "; serialize_buffers() copies nothing"});
    return nullptr;
  }
  PooledMemory memory(size);
  if (!memory) {
    return PyErr_NoMemory();
  }
  if (size >= kLongCopy) {
    PyThreadState* const state = PyEval_SaveThread();
    core::write_frame(memory.data(), root, buffers);
    PyEval_RestoreThread(state);
  } else {
    core::write_frame(memory.data(), root, buffers);
  }
  return memory.show(size);
}

PyObject* serialize(PyObject* self, PyObject* value) {
  Serializer& serializer = of(self);
  Arena arena;
  core::CborWriter& writer = arena.writer();
  PyEncoder encoder(writer, core::Encoder::Mode::kTransport, serializer.codecs());
  writer.reserve(serializer.room);
  if (!encoder.write(value, 0)) {
    return nullptr;
  }
  if (!encoder.values().is_whole()) {
    return framed(encoder, writer.view());
  }
  const std::string_view bytes = writer.view();
  if (bytes.size() <= kLongMessage) {
    serializer.room = 0;
    return PyBytes_FromStringAndSize(bytes.data(), static_cast<Py_ssize_t>(bytes.size()));
  }
  serializer.room = bytes.size();
  const core::CborWriter::Memory taken = writer.take();
  return PooledMemory(taken.data, taken.capacity).show(taken.size);
}

// A message of one piece, `data` any contiguous buffer.
PyObject* deserialize(PyObject* self, PyObject* data) {
  const OwnCodecs* own = of(self).codecs();
  if (PyBytes_CheckExact(data)) {
    const std::string_view bytes(PyBytes_AS_STRING(data),
                                 static_cast<std::size_t>(PyBytes_GET_SIZE(data)));
    if (!core::is_framed(bytes)) {
      return PyDecoder(bytes, nullptr, own).read_all();
    }
  }
  PyObject* view = contiguous_view(data);
  if (view == nullptr) {
    return nullptr;
  }
  const std::span<const std::byte> memory = bytes_of_view(view);
  const std::string_view bytes(reinterpret_cast<const char*>(memory.data()), memory.size());
  PyObject* out = nullptr;
  if (!core::is_framed(bytes)) {
    out = PyDecoder(bytes, nullptr, own).read_all();
  } else if (const base::Result<core::FrameParts> parts = core::open_frame(bytes);
             !parts.has_value()) {
    set_error(parts.error());
  } else {
    std::vector<OutsideBuffer> outside;
    outside.reserve(parts->buffers.size());
    for (const std::span<const std::byte> buffer : parts->buffers) {
      outside.push_back({buffer, view});
    }
    out = PyDecoder(parts->root, outside, own).read_all();
  }
  Py_DECREF(view);
  return out;
}

PyObject* serialize_buffers(PyObject* self, PyObject* value) {
  Arena arena;
  PyEncoder encoder(arena.writer(), core::Encoder::Mode::kTransport, of(self).codecs());
  if (!encoder.write(value, 0)) {
    return nullptr;
  }
  const std::string_view root = arena.writer().view();
  const std::vector<std::span<const std::byte>>& buffers = encoder.values().buffers();
  PyObject* header = PyBytes_FromStringAndSize(root.data(), static_cast<Py_ssize_t>(root.size()));
  PyObject* list = PyList_New(static_cast<Py_ssize_t>(buffers.size()));
  auto kept = encoder.kept().begin();
  for (std::size_t i = 0; list != nullptr && i < buffers.size(); ++i) {
    std::shared_ptr<const core::Buffer>& owner = encoder.values().owners()[i];
    PyObject* view = owner == nullptr ? show_memory(buffers[i], *kept++)
                                      : show_memory(buffers[i], std::move(owner));
    if (view == nullptr) {
      Py_CLEAR(list);
    } else {
      PyList_SET_ITEM(list, static_cast<Py_ssize_t>(i), view);
    }
  }
  PyObject* out = header != nullptr && list != nullptr ? PyTuple_New(2) : nullptr;
  if (out == nullptr) {
    Py_XDECREF(header);
    Py_XDECREF(list);
    return nullptr;
  }
  PyTuple_SET_ITEM(out, 0, header);
  PyTuple_SET_ITEM(out, 1, list);
  return out;
}

// The value of a header and its buffers, a list or tuple.
PyObject* read_with_buffers(const OwnCodecs* own, PyObject* header, PyObject* buffers) {
  PyObject* const head = contiguous_view(header);
  if (head == nullptr) {
    return nullptr;
  }
  std::vector<OutsideBuffer> outside;
  bool done = true;
  for (Py_ssize_t i = 0; done && i < PySequence_Fast_GET_SIZE(buffers); ++i) {
    PyObject* view = contiguous_view(PySequence_Fast_GET_ITEM(buffers, i));
    done = view != nullptr;
    if (done) {
      outside.push_back({bytes_of_view(view), view});
    }
  }
  const std::span<const std::byte> root = bytes_of_view(head);
  PyObject* out =
      done ? PyDecoder({reinterpret_cast<const char*>(root.data()), root.size()}, outside, own)
                 .read_all()
           : nullptr;
  for (const OutsideBuffer& buffer : outside) {
    Py_DECREF(buffer.owner);
  }
  Py_DECREF(head);
  return out;
}

PyObject* deserialize_buffers(PyObject* self, PyObject* const* args, Py_ssize_t count) {
  if (count != 2) {
    PyErr_SetString(PyExc_TypeError, "deserialize_buffers(header, buffers): wrong arguments");
    return nullptr;
  }
  PyObject* buffers = PySequence_Fast(args[1], "deserialize_buffers: buffers must be a sequence");
  if (buffers == nullptr) {
    return nullptr;
  }
  PyObject* out = read_with_buffers(of(self).codecs(), args[0], buffers);
  Py_DECREF(buffers);
  return out;
}

template <PyObject* (*Each)(PyObject*, PyObject*)>
PyObject* batch(PyObject* self, PyObject* items) {
  PyObject* iterator = PyObject_GetIter(items);
  PyObject* out = iterator != nullptr ? PyList_New(0) : nullptr;
  while (out != nullptr) {
    PyObject* item = PyIter_Next(iterator);
    if (item == nullptr) {
      if (PyErr_Occurred() != nullptr) {
        Py_CLEAR(out);
      }
      break;
    }
    PyObject* made = Each(self, item);
    if (made == nullptr || PyList_Append(out, made) != 0) {
      Py_CLEAR(out);
    }
    Py_XDECREF(made);
    Py_DECREF(item);
  }
  Py_XDECREF(iterator);
  return out;
}

PyObject* create(PyTypeObject* type, PyObject* args, PyObject* keywords) {
  static const char* names[] = {"types", nullptr};
  PyObject* types = nullptr;
  if (PyArg_ParseTupleAndKeywords(args, keywords, "|O:Serializer", const_cast<char**>(names),
                                  &types) == 0) {
    return nullptr;
  }
  PyObject* self = type->tp_alloc(type, 0);
  if (self == nullptr || types == nullptr) {
    return self;
  }
  PyObject* module = PyImport_ImportModule("penstock._codecs");
  PyObject* tables =
      module != nullptr ? PyObject_CallMethod(module, "own_codecs", "O", types) : nullptr;
  Py_XDECREF(module);
  if (tables == nullptr || PyArg_ParseTuple(tables, "O!O!", &PyDict_Type, &of(self).own.by_type,
                                            &PyDict_Type, &of(self).own.by_name) == 0) {
    of(self).own = {};
    Py_XDECREF(tables);
    Py_DECREF(self);
    return nullptr;
  }
  Py_INCREF(of(self).own.by_type);
  Py_INCREF(of(self).own.by_name);
  Py_DECREF(tables);
  return self;
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(of(self).own.by_type);
  Py_VISIT(of(self).own.by_name);
  Py_VISIT(Py_TYPE(self));
  return 0;
}

int clear(PyObject* self) {
  Py_CLEAR(of(self).own.by_type);
  Py_CLEAR(of(self).own.by_name);
  return 0;
}

void dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  clear(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* backend(PyObject*, void*) {
  return PyUnicode_InternFromString("native");
}

template <class Function>
PyCFunction erased(Function* function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

PyMethodDef methods[] = {
    {"serialize", Guarded<serialize>::call, METH_O,
     "serialize($self, value, /)\n--\n\n"
     "The message of a value: its canonical encoding, as encode() gives it, unless it holds data\n"
     "longer than 65536 bytes; then a frame that holds the data too. A message longer than 65536\n"
     "bytes is a read-only memoryview, whose memory is used again when the last view is gone."},
    {"deserialize", Guarded<deserialize>::call, METH_O,
     "deserialize($self, data, /)\n--\n\n"
     "The value of a message; DataLossError for anything else. Arrays and tables are views of\n"
     "`data` and keep it alive. No code runs but that of registered types."},
    {"serialize_batch", Guarded<batch<serialize>>::call, METH_O,
     "serialize_batch($self, values, /)\n--\n\nThe list of the values' messages."},
    {"deserialize_batch", Guarded<batch<deserialize>>::call, METH_O,
     "deserialize_batch($self, messages, /)\n--\n\nThe list of the messages' values."},
    {"serialize_buffers", Guarded<serialize_buffers>::call, METH_O,
     "serialize_buffers($self, value, /)\n--\n\n"
     "(header, buffers): data longer than 65536 bytes as a list of memoryviews of where it lies,\n"
     "not copied; the rest as bytes."},
    {"deserialize_buffers", erased(Guarded<deserialize_buffers>::call), METH_FASTCALL,
     "deserialize_buffers($self, header, buffers, /)\n--\n\n"
     "The value of what serialize_buffers() gave; `buffers` is a sequence of objects that show\n"
     "contiguous memory. Arrays and tables are views of it and keep it alive."},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef properties[] = {
    {"backend", backend, nullptr, "\"native\"", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

}  // namespace

void bind_serializer(nanobind::module_& m) {
  static PyType_Slot slots[] = {
      {Py_tp_doc,
       const_cast<char*>(
           "Serializer(types=())\n--\n\n"
           "Values to messages and back.\n\n"
           "`types`: classes (dataclasses, enums, pydantic models, named tuples) that this "
           "serializer\n"
           "may write and make again, besides those given to register_type().")},
      {Py_tp_new, reinterpret_cast<void*>(create)},
      {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
      {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
      {Py_tp_clear, reinterpret_cast<void*>(clear)},
      {Py_tp_methods, methods},
      {Py_tp_getset, properties},
      {0, nullptr},
  };
  static PyType_Spec spec = {"penstock._core.Serializer", sizeof(Serializer), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, slots};
  PyObject* type = PyType_FromSpec(&spec);
  if (type == nullptr || PyModule_AddObject(m.ptr(), "Serializer", type) != 0) {
    throw nanobind::python_error();
  }
}

}  // namespace penstock::bindings
