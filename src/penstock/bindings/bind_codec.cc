// penstock._core: encode, decode, digest, cid, register_codec.
//
// Plain C functions, not nanobind's: an event is encoded in a tenth of a microsecond, and dispatch
// must not double that.
#include <string>
#include <string_view>

#include "penstock/bindings/bind.h"
#include "penstock/bindings/py_codec.h"
#include "penstock/bindings/py_error.h"
#include "penstock/bindings/py_value.h"
#include "penstock/core/identity.h"

namespace penstock::bindings {
namespace {

// f(value, blocks=None): the two arguments; false with a Python error set.
bool two_arguments(const char* name, PyObject* const* args, Py_ssize_t num_positional,
                   PyObject* keywords, PyObject*& first, PyObject*& blocks) {
  blocks = Py_None;
  const Py_ssize_t num_keywords = keywords != nullptr ? PyTuple_GET_SIZE(keywords) : 0;
  const bool named = num_keywords == 1 &&
                     PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(keywords, 0), "blocks") == 0;
  if (num_positional < 1 || num_positional + num_keywords > 2 || (num_keywords == 1 && !named)) {
    PyErr_Format(PyExc_TypeError, "%s(value, blocks=None): wrong arguments", name);
    return false;
  }
  first = args[0];
  if (num_positional + num_keywords == 2) {
    blocks = args[1];
  }
  return true;
}

PyObject* encode(PyObject*, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  PyObject *value = nullptr, *blocks = nullptr;
  return two_arguments("encode", args, count, keywords, value, blocks)
             ? encode_object(value, blocks)
             : nullptr;
}

PyObject* decode(PyObject*, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  PyObject *data = nullptr, *blocks = nullptr;
  return two_arguments("decode", args, count, keywords, data, blocks) ? decode_object(data, blocks)
                                                                      : nullptr;
}

PyObject* text_from(std::string_view text) {
  return PyUnicode_FromStringAndSize(text.data(), static_cast<Py_ssize_t>(text.size()));
}

PyObject* digest(PyObject*, PyObject* value) {
  core::Digest found;
  return digest_object(value, found) ? text_from(found.to_hex()) : nullptr;
}

PyObject* cid(PyObject*, PyObject* value) {
  core::Digest found;
  return digest_object(value, found)
             ? text_from(core::Cid{core::Codec::kDagCbor, found}.to_string())
             : nullptr;
}

PyObject* register_codec_function(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (count != 4) {
    PyErr_SetString(PyExc_TypeError,
                    "register_codec(type, name, to_payload, from_payload): wrong arguments");
    return nullptr;
  }
  return register_codec(args[0], args[1], args[2], args[3]) ? Py_NewRef(Py_None) : nullptr;
}

PyObject* registered_codecs_function(PyObject*, PyObject*) {
  return registered_codecs();
}

// The long way through core::Value, which the engine takes when a value leaves the process. The
// tests compare it with the direct codec.
PyObject* encode_by_value(PyObject*, PyObject* object) {
  const base::Result<core::Value> value = to_value(object);
  const base::Result<std::string> bytes =
      value.has_value() ? core::encode(*value) : base::fail(value.error());
  if (!bytes.has_value()) {
    set_error(bytes.error());
    return nullptr;
  }
  return PyBytes_FromStringAndSize(bytes->data(), static_cast<Py_ssize_t>(bytes->size()));
}

PyObject* decode_by_value(PyObject*, PyObject* data) {
  char* bytes = nullptr;
  Py_ssize_t size = 0;
  if (PyBytes_AsStringAndSize(data, &bytes, &size) != 0) {
    return nullptr;
  }
  const base::Result<core::Value> value = core::decode({bytes, static_cast<std::size_t>(size)});
  if (!value.has_value()) {
    set_error(value.error());
    return nullptr;
  }
  return from_value(*value);
}

PyObject* through_value(PyObject*, PyObject* object) {
  const base::Result<core::Value> value = to_value(object);
  if (!value.has_value()) {
    set_error(value.error());
    return nullptr;
  }
  return from_value(*value);
}

template <class Function>
PyCFunction erased(Function* function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

PyMethodDef functions[] = {
    {"encode", erased(Guarded<encode>::call), METH_FASTCALL | METH_KEYWORDS,
     "encode($module, value, /, blocks=None)\n--\n\n"
     "Canonical DAG-CBOR bytes of a value.\n\n"
     "Buffers longer than 65536 bytes are linked, not contained: their raw blocks are stored as\n"
     "blocks[cid] = bytes where `blocks` is a mutable mapping. The same value always gives the "
     "same\n"
     "bytes, whatever the order of its map keys."},
    {"decode", erased(Guarded<decode>::call), METH_FASTCALL | METH_KEYWORDS,
     "decode($module, data, /, blocks=None)\n--\n\n"
     "The value of canonical DAG-CBOR bytes; DataLossError for anything else.\n\n"
     "`blocks` maps the CID of a linked raw block to its bytes; each block is verified."},
    {"digest", Guarded<digest>::call, METH_O,
     "digest($module, value, /)\n--\n\n"
     "BLAKE3-256 of the value's canonical encoding, as 64 hexadecimal digits."},
    {"cid", Guarded<cid>::call, METH_O,
     "cid($module, value, /)\n--\n\n"
     "Content address of the value: CIDv1, dag-cbor, blake3, in base32."},
    {"register_codec", erased(Guarded<register_codec_function>::call), METH_FASTCALL,
     "register_codec($module, type, name, to_payload, from_payload, /)\n--\n\n"
     "Let values of exactly `type` be encoded, under `name`.\n\n"
     "to_payload(object) gives what is written (any encodable value); from_payload(payload) gives\n"
     "the object back."},
    {"registered_codecs", Guarded<registered_codecs_function>::call, METH_NOARGS,
     "registered_codecs($module)\n--\n\n"
     "The tables of register_codec(): type -> (name, to_payload) and name -> from_payload."},
    {"encode_by_value", Guarded<encode_by_value>::call, METH_O,
     "encode_by_value($module, value, /)\n--\n\nAs encode(), by way of a native value."},
    {"decode_by_value", Guarded<decode_by_value>::call, METH_O,
     "decode_by_value($module, data, /)\n--\n\nAs decode(), by way of a native value."},
    {"through_value", Guarded<through_value>::call, METH_O,
     "through_value($module, value, /)\n--\n\nThe value after becoming native and coming back."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

void bind_codec(nanobind::module_& m) {
  if (PyModule_AddFunctions(m.ptr(), functions) != 0) {
    throw nanobind::python_error();
  }
}

}  // namespace penstock::bindings
