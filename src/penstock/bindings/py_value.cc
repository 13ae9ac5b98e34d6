#include "penstock/bindings/py_value.h"

#include <algorithm>
#include <numeric>
#include <unordered_set>

#include "penstock/bindings/py_host.h"
#include "penstock/core/encode.h"
#include "penstock/core/identity.h"

namespace penstock::bindings {
namespace {

using core::Kind;
using core::Value;

// Turns one object graph into a Value. Failures are kept in `error_`; false says so.
class ToValue {
 public:
  bool convert(PyObject* object, int depth, Value& out);
  const base::Error& error() const { return error_; }

 private:
  bool fail(base::Error error) {
    error_ = std::move(error);
    return false;
  }
  bool enter(int depth) { return depth < core::kMaxDepth || fail(core::depth_error()); }

  bool from_int(PyObject* object, Value& out);
  bool from_text(PyObject* object, std::string& out);
  bool from_sequence(PyObject* object, int depth, std::vector<Value>& items);
  bool from_map(PyObject* object, int depth, Value& out);
  bool from_any_keys(PyObject* object, int depth, Value& out);
  bool from_set(PyObject* object, const char* name, int depth, Value& out);
  bool sort(const char* name, std::vector<Value>& items, std::vector<std::string>& keys,
            Value& out);
  bool key_of(const Value& value, std::string& key);
  bool from_other(PyObject* object, int depth, Value& out);
  bool from_registered(PyObject* object, int depth, Value& out);

  base::Error error_{base::ErrorCode::kInternal, ""};
};

bool ToValue::convert(PyObject* object, int depth, Value& out) {
  PyTypeObject* const type = Py_TYPE(object);
  if (object == Py_None) {
    out = Value::null();
    return true;
  }
  if (type == &PyLong_Type) {
    return from_int(object, out);
  }
  if (type == &PyFloat_Type) {
    out = Value::real(PyFloat_AS_DOUBLE(object));
    return true;
  }
  if (type == &PyBool_Type) {
    out = Value::boolean(object == Py_True);
    return true;
  }
  if (type == &PyUnicode_Type) {
    std::string text;
    if (!from_text(object, text)) {
      return false;
    }
    out = Value::text(std::move(text));
    return true;
  }
  if (type == &PyBytes_Type) {
    out = Value::bytes(
        std::string(PyBytes_AS_STRING(object), static_cast<std::size_t>(PyBytes_GET_SIZE(object))));
    return true;
  }
  if (type == &PyDict_Type) {
    return from_map(object, depth, out);
  }
  if (type == &PyList_Type || type == &PyTuple_Type) {
    std::vector<Value> items;
    if (!from_sequence(object, depth, items)) {
      return false;
    }
    out = type == &PyList_Type ? Value::list(std::move(items)) : Value::tuple(std::move(items));
    return true;
  }
  return from_other(object, depth, out);
}

bool ToValue::from_int(PyObject* object, Value& out) {
  int overflow = 0;
  const long long small = PyLong_AsLongLongAndOverflow(object, &overflow);
  if (overflow == 0) {
    out = Value::integer(small);
    return true;
  }
  bool negative = false;
  std::string magnitude;
  if (!int_magnitude(object, negative, magnitude)) {
    return fail(python_failure("cannot read an int"));
  }
  out = Value::big_integer(negative, std::move(magnitude));
  return true;
}

bool ToValue::from_text(PyObject* object, std::string& out) {
  Py_ssize_t size = 0;
  const char* utf8 = PyUnicode_AsUTF8AndSize(object, &size);
  if (utf8 == nullptr) {
    return fail(bad_text_error());
  }
  out.assign(utf8, static_cast<std::size_t>(size));
  return true;
}

bool ToValue::from_sequence(PyObject* object, int depth, std::vector<Value>& items) {
  if (!enter(depth)) {
    return false;
  }
  // A conversion may run the user's code, which may change the list: ask for its size every time.
  items.reserve(static_cast<std::size_t>(PySequence_Fast_GET_SIZE(object)));
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(object); ++i) {
    PyObject* item = Py_NewRef(PySequence_Fast_GET_ITEM(object, i));
    const bool done = convert(item, depth + 1, items.emplace_back());
    Py_DECREF(item);
    if (!done) {
      return false;
    }
  }
  return true;
}

bool ToValue::from_map(PyObject* object, int depth, Value& out) {
  if (!enter(depth)) {
    return false;
  }
  const Py_ssize_t size = PyDict_GET_SIZE(object);
  std::vector<core::MapEntry> entries;
  entries.reserve(static_cast<std::size_t>(size));
  // Keys of text subclasses may be unequal objects with equal text.
  bool has_odd_keys = false;
  Py_ssize_t position = 0;
  PyObject *key = nullptr, *value = nullptr;
  while (PyDict_Next(object, &position, &key, nullptr) != 0) {
    if (!PyUnicode_Check(key)) {
      return from_any_keys(object, depth, out);
    }
  }
  position = 0;
  while (PyDict_Next(object, &position, &key, &value) != 0) {
    if (!PyUnicode_Check(key)) {
      return fail({base::ErrorCode::kInvalidArgument, "map changed while it was encoded"});
    }
    has_odd_keys = has_odd_keys || !PyUnicode_CheckExact(key);
    core::MapEntry& entry = entries.emplace_back();
    if (!from_text(key, entry.first)) {
      return false;
    }
    Py_INCREF(value);
    const bool done = convert(value, depth + 1, entry.second);
    Py_DECREF(value);
    if (!done) {
      return false;
    }
    if (PyDict_GET_SIZE(object) != size) {
      return fail({base::ErrorCode::kInvalidArgument, "map changed while it was encoded"});
    }
  }
  if (has_odd_keys) {
    std::unordered_set<std::string_view> seen;
    for (const core::MapEntry& entry : entries) {
      if (!seen.insert(entry.first).second) {
        return fail({base::ErrorCode::kInvalidArgument,
                     "two keys of a map have the same text: key=" + entry.first});
      }
    }
  }
  out = Value::map(std::move(entries));
  return true;
}

// The encoded form of an item or key, which its place hangs on.
bool ToValue::key_of(const Value& value, std::string& key) {
  bool is_whole = true;
  base::Result<std::string> bytes = core::encode(value, [&](const core::Digest&, auto) {
    is_whole = false;
    return base::Status();
  });
  if (!bytes.has_value()) {
    return fail(bytes.error());
  }
  key = std::move(*bytes);
  return is_whole || fail({base::ErrorCode::kInvalidArgument,
                           "an item of a set or a key of a map holds more than 65536 bytes of data "
                           "in one piece"});
}

bool ToValue::sort(const char* name, std::vector<Value>& items, std::vector<std::string>& keys,
                   Value& out) {
  std::vector<std::size_t> order(items.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return keys[a] < keys[b]; });
  std::vector<Value> sorted;
  sorted.reserve(items.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i > 0 && keys[order[i - 1]] == keys[order[i]]) {
      return fail({base::ErrorCode::kInvalidArgument,
                   std::string("two items or keys have the same encoding: form=") + name});
    }
    sorted.push_back(std::move(items[order[i]]));
  }
  out = Value::extension(name, Value::list(std::move(sorted)));
  return true;
}

bool ToValue::from_set(PyObject* object, const char* name, int depth, Value& out) {
  PyObject* list = PySequence_List(object);
  if (list == nullptr) {
    return fail(python_failure("cannot read a set"));
  }
  std::vector<Value> items;
  const bool done = enter(depth) && from_sequence(list, depth + 1, items);
  Py_DECREF(list);
  std::vector<std::string> keys(items.size());
  for (std::size_t i = 0; done && i < items.size(); ++i) {
    if (!key_of(items[i], keys[i])) {
      return false;
    }
  }
  return done && sort(name, items, keys, out);
}

bool ToValue::from_any_keys(PyObject* object, int depth, Value& out) {
  PyObject* list = PyDict_Items(object);
  if (list == nullptr) {
    return fail(python_failure("cannot read a dict"));
  }
  std::vector<Value> items;
  std::vector<std::string> keys;
  bool done = enter(depth + 1) && enter(depth + 2);
  for (Py_ssize_t i = 0; done && i < PyList_GET_SIZE(list); ++i) {
    PyObject* const pair = PyList_GET_ITEM(list, i);
    std::vector<Value> entry(2);
    done = convert(PyTuple_GET_ITEM(pair, 0), depth + 3, entry[0]) &&
           convert(PyTuple_GET_ITEM(pair, 1), depth + 3, entry[1]) &&
           key_of(entry[0], keys.emplace_back());
    items.push_back(Value::list(std::move(entry)));
  }
  Py_DECREF(list);
  return done && sort("python.dict", items, keys, out);
}

bool ToValue::from_other(PyObject* object, int depth, Value& out) {
  const PyKind kind = kind_of(Py_TYPE(object));
  switch (kind) {
    case PyKind::kUnknown:
      return fail(no_codec_error(object));
    case PyKind::kInt:
      return from_int(object, out);
    case PyKind::kFloat:
      out = Value::real(PyFloat_AS_DOUBLE(object));
      return true;
    case PyKind::kText: {
      std::string text;
      if (!from_text(object, text)) {
        return false;
      }
      out = Value::text(std::move(text));
      return true;
    }
    case PyKind::kBytes:
      out = Value::bytes(std::string(PyBytes_AS_STRING(object),
                                     static_cast<std::size_t>(PyBytes_GET_SIZE(object))));
      return true;
    case PyKind::kList:
    case PyKind::kTuple: {
      std::vector<Value> items;
      if (!from_sequence(object, depth, items)) {
        return false;
      }
      out = kind == PyKind::kList ? Value::list(std::move(items)) : Value::tuple(std::move(items));
      return true;
    }
    case PyKind::kMap:
      return from_map(object, depth, out);
    case PyKind::kRegistered:
      return from_registered(object, depth, out);
    case PyKind::kSet:
    case PyKind::kFrozenSet:
      return from_set(object, kind == PyKind::kSet ? "python.set" : "python.frozenset", depth, out);
    case PyKind::kTable: {
      auto table = table_from_python(object);
      if (!table.has_value()) {
        return fail(table.error());
      }
      out = Value::table(std::move(*table));
      return true;
    }
    case PyKind::kBuffer:
    case PyKind::kArray:
    case PyKind::kDlpack: {
      base::Result<Value> value = array_to_value(object, kind);
      if (!value.has_value()) {
        return fail(value.error());
      }
      out = std::move(*value);
      return true;
    }
  }
  return false;
}

bool ToValue::from_registered(PyObject* object, int depth, Value& out) {
  if (!enter(depth)) {
    return false;
  }
  PyObject *name = nullptr, *payload = nullptr;
  if (!payload_of(object, nullptr, name, payload)) {
    return fail(python_failure("a registered codec failed to give the payload"));
  }
  Value native;
  std::string text;
  const bool done = from_text(name, text) && convert(payload, depth + 1, native);
  Py_DECREF(name);
  Py_DECREF(payload);
  if (done) {
    out = Value::extension(std::move(text), std::move(native));
  }
  return done;
}

PyObject* text_from(const std::string& text) {
  return PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), nullptr);
}

PyObject* sequence_from(const Value& value) {
  const bool is_list = value.is(Kind::kList);
  const auto size = static_cast<Py_ssize_t>(value.as_list().size());
  PyObject* out = is_list ? PyList_New(size) : PyTuple_New(size);
  for (Py_ssize_t i = 0; out != nullptr && i < size; ++i) {
    PyObject* item = unbox(value.as_list()[static_cast<std::size_t>(i)]);
    if (item == nullptr) {
      Py_CLEAR(out);
    } else if (is_list) {
      PyList_SET_ITEM(out, i, item);
    } else {
      PyTuple_SET_ITEM(out, i, item);
    }
  }
  return out;
}

PyObject* map_from(const Value& value) {
  PyObject* out = PyDict_New();
  for (const core::MapEntry& entry : value.as_map()) {
    if (out == nullptr) {
      break;
    }
    PyObject* key = text_from(entry.first);
    PyObject* item = key != nullptr ? unbox(entry.second) : nullptr;
    if (item == nullptr || PyDict_SetItem(out, key, item) != 0) {
      Py_CLEAR(out);
    }
    Py_XDECREF(key);
    Py_XDECREF(item);
  }
  return out;
}

}  // namespace

base::Result<Value> to_value(PyObject* object) {
  ToValue conversion;
  Value value;
  Py_INCREF(object);
  const bool done = conversion.convert(object, 0, value);
  Py_DECREF(object);
  if (!done) {
    return base::fail(conversion.error());
  }
  return value;
}

PyObject* from_value(const Value& value) {
  switch (value.kind()) {
    case Kind::kAbsent:
      PyErr_SetString(PyExc_ValueError, "an absent event is not a value");
      return nullptr;
    case Kind::kNull:
      return Py_NewRef(Py_None);
    case Kind::kBool:
      return Py_NewRef(value.as_bool() ? Py_True : Py_False);
    case Kind::kInt:
      return PyLong_FromLongLong(value.as_int());
    case Kind::kFloat:
      return PyFloat_FromDouble(value.as_float());
    case Kind::kText:
      return text_from(value.as_text());
    case Kind::kBytes:
      return PyBytes_FromStringAndSize(value.as_bytes().data(),
                                       static_cast<Py_ssize_t>(value.as_bytes().size()));
    case Kind::kList:
    case Kind::kTuple:
      return sequence_from(value);
    case Kind::kMap:
      return map_from(value);
    case Kind::kBigInt:
      return int_from_magnitude(value.big_negative(), value.big_magnitude());
    case Kind::kTensor:
      return array_from_tensor(value.as_tensor());
    case Kind::kTable:
      return table_to_python(value.as_table());
    case Kind::kExtension: {
      PyObject* payload = from_value(value.extension_payload());
      PyObject* out = nullptr;
      if (payload != nullptr) {
        out = is_collection(value.extension_type())
                  ? collection_from_payload(value.extension_type(), payload)
                  : from_payload(value.extension_type(), nullptr, payload);
      }
      Py_XDECREF(payload);
      return out;
    }
    case Kind::kHost:
      return Py_NewRef(static_cast<const PyBox*>(value.as_host())->object());
  }
  PyErr_SetString(PyExc_SystemError, "unknown kind of value");
  return nullptr;
}

bool int_magnitude(PyObject* object, bool& negative, std::string& magnitude) {
  PyObject* zero = PyLong_FromLong(0);
  PyObject* plain = PyNumber_Absolute(object);  // also drops a subclass
  const int less = zero != nullptr ? PyObject_RichCompareBool(object, zero, Py_LT) : -1;
  PyObject* bits = plain != nullptr ? PyObject_CallMethod(plain, "bit_length", nullptr) : nullptr;
  const Py_ssize_t num_bits = bits != nullptr ? PyLong_AsSsize_t(bits) : -1;
  PyObject* bytes = num_bits >= 0 && less >= 0
                        ? PyObject_CallMethod(plain, "to_bytes", "ns", (num_bits + 7) / 8, "big")
                        : nullptr;
  if (bytes != nullptr) {
    negative = less == 1;
    magnitude.assign(PyBytes_AS_STRING(bytes), static_cast<std::size_t>(PyBytes_GET_SIZE(bytes)));
  }
  const bool done = bytes != nullptr;
  Py_XDECREF(bytes);
  Py_XDECREF(bits);
  Py_XDECREF(plain);
  Py_XDECREF(zero);
  return done;
}

PyObject* int_from_magnitude(bool negative, const std::string& magnitude) {
  PyObject* bytes =
      PyBytes_FromStringAndSize(magnitude.data(), static_cast<Py_ssize_t>(magnitude.size()));
  PyObject* number = bytes != nullptr
                         ? PyObject_CallMethod(reinterpret_cast<PyObject*>(&PyLong_Type),
                                               "from_bytes", "Os", bytes, "big")
                         : nullptr;
  Py_XDECREF(bytes);
  if (number == nullptr || !negative) {
    return number;
  }
  PyObject* out = PyNumber_Negative(number);
  Py_DECREF(number);
  return out;
}

}  // namespace penstock::bindings
