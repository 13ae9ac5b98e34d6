// Python objects <-> core::Value, by value (py_host.h carries them by identity).
//
// Which Python type becomes which kind is written down in docs/formats/value-encoding.md.
#pragma once

#include <memory>

#include <Python.h>

#include "penstock/base/result.h"
#include "penstock/core/value.h"

namespace penstock::bindings {

/// The native value equal to `object`; arrays and tables are not copied. Lock held.
/// kInvalidArgument for a type without a codec, keys that are not text and lone surrogates;
/// kResourceExhausted for nesting beyond core::kMaxDepth. No Python error is left set.
base::Result<core::Value> to_value(PyObject* object);

/// `value` as a Python object: numpy.ndarray (read-only, not copied; a numpy scalar for a tensor
/// without dimensions) and pyarrow.Table for tensors and tables, host objects by identity. A new
/// reference, or null with a Python error set. Lock held.
PyObject* from_value(const core::Value& value);

// The parts, for the direct codec (py_codec.cc).

/// What to do with a Python type that is none of the exact built-in ones.
enum class PyKind : std::uint8_t {
  kUnknown,
  kInt,
  kFloat,
  kText,
  kBytes,
  kList,
  kTuple,
  kMap,     // subclasses of the built-in types
  kBuffer,  ///< buffer protocol: bytes when one-dimensional bytes, else a tensor
  kArray,   ///< numpy array or scalar
  kDlpack,  ///< __dlpack__ only
  kTable,   ///< __arrow_c_stream__
  kSet,
  kFrozenSet,
  kRegistered,  ///< register_codec(), or a codec of penstock._codecs
};
PyKind kind_of(PyTypeObject* type);

base::Result<core::Value> array_to_value(PyObject* object, PyKind kind);
base::Result<std::shared_ptr<const core::Table>> table_from_python(PyObject* object);
PyObject* array_from_tensor(const std::shared_ptr<const core::Tensor>& tensor);
PyObject* table_to_python(const std::shared_ptr<const core::Table>& table);

/// An int of any size: sign and big-endian magnitude without leading zeros.
bool int_magnitude(PyObject* object, bool& negative, std::string& magnitude);
PyObject* int_from_magnitude(bool negative, const std::string& magnitude);

// Codecs the user registered for types of their own.

/// `to_payload(object)` gives what is encoded under `name`; `from_payload(payload)` the object.
/// False with a Python error set when the name or the type has another codec already.
bool register_codec(PyObject* type, PyObject* name, PyObject* to_payload, PyObject* from_payload);
/// What was registered, as (type -> (name, to_payload), name -> from_payload): the tables
/// themselves, for the pure-Python twin of the codec. A new reference.
PyObject* registered_codecs();
/// The codecs of one Serializer, before those of the process. Both dicts are null when there are
/// none, then nothing is looked up.
struct OwnCodecs {
  PyObject* by_type = nullptr;  ///< type -> (name, to_payload)
  PyObject* by_name = nullptr;  ///< name -> from_payload

  bool has(PyTypeObject* type) const {
    return by_type != nullptr &&
           PyDict_GetItemWithError(by_type, reinterpret_cast<PyObject*>(type)) != nullptr;
  }
};
/// New references (`name`, payload) for an object of kind kRegistered, or of a type in `own`; false
/// with an error set.
bool payload_of(PyObject* object, const OwnCodecs* own, PyObject*& name, PyObject*& payload);
/// The object for a payload; a new reference, or null with a Python error set.
PyObject* from_payload(std::string_view name, const OwnCodecs* own, PyObject* payload);

// Sets and dicts with keys other than text (py_collections.cc): payload and object.

/// Is this the name of one of them?
bool is_collection(std::string_view name);
/// Puts `item` (and its value, for a dict) into `out`. False with a Python error set: unhashable,
/// or equal to one that is there.
bool add_to_collection(PyObject* out, std::string_view name, PyObject* item, PyObject* value);
/// The object for a payload that came as Python objects; checks the order. A new reference or null.
PyObject* collection_from_payload(std::string_view name, PyObject* payload);
/// An empty set or dict; a frozenset may be filled until it is shown to anybody.
PyObject* new_collection(std::string_view name);
/// DataLossError: "value of type NAME: WHAT".
void set_collection_error(std::string_view name, const char* what);

// Errors.

base::Error no_codec_error(PyObject* object);
base::Error bad_text_error();
/// The pending Python exception as kInvalidArgument, "what: exception text"; cleared.
base::Error python_failure(const char* what);
/// Sets the Python exception for `error`.
void set_error(const base::Error& error);

}  // namespace penstock::bindings
