#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "penstock/bindings/numpy_api.h"
#include "penstock/bindings/py_codec.h"
#include "penstock/bindings/py_encoder.h"

namespace penstock::bindings {

using core::CborMajor;
using core::CborWriter;
using Entry = DictEntry;

// A dict's keys in its own order, and what has been found out about them: records of one kind share
// their key objects, so comparing pointers is enough to write a record's keys as one found before.
struct PyEncoder::Shape {
  // An encoded key, in canonical order, and where its value is in the dict. Copied as a whole.
  struct Key {
    char text[62];
    std::uint8_t size;
    std::uint8_t index;
  };
  std::vector<PyObject*> keys;  // strong references; interned, so the same text is the same key
  std::vector<Key> steps;
  int num_users = 1;  // the table, and messages being written

  ~Shape() {
    for (PyObject* key : keys) {
      Py_DECREF(key);
    }
  }

  // Direct-mapped; guarded by the interpreter lock.
  static constexpr int kBits = 8;
  static inline Shape* table[1 << kBits] = {};

  static void release(Shape* shape) {
    if (shape != nullptr && --shape->num_users == 0) {
      delete shape;
    }
  }
  static void remember(const Entry* entries, std::size_t count,
                       const std::vector<std::pair<std::string_view, std::size_t>>& sorted);

  // Where in the table a dict with these keys belongs: fed key by key.
  class Hash {
   public:
    void add(PyObject* key) {
      state_ = (state_ + reinterpret_cast<std::uintptr_t>(key)) * 0x9E3779B97F4A7C15;
    }
    Shape*& place() const { return table[state_ >> (64 - kBits)]; }

   private:
    std::uint64_t state_ = 0;
  };
};

namespace {

constexpr int kNumHashThreads = 2;
constexpr Py_ssize_t kMaxShapeKeys = 16;

// The value of an int that takes at most two digits, which most do.
[[gnu::always_inline]] inline bool small_int(PyObject* object, std::int64_t& out) {
#if PY_VERSION_HEX < 0x030C0000
  const auto* digits = reinterpret_cast<const PyLongObject*>(object)->ob_digit;
  switch (Py_SIZE(object)) {
    case 0:
      out = 0;
      return true;
    case 1:
      out = digits[0];
      return true;
    case -1:
      out = -static_cast<std::int64_t>(digits[0]);
      return true;
    case 2:
      out = static_cast<std::int64_t>(digits[1]) << PyLong_SHIFT | digits[0];
      return true;
    case -2:
      out = -(static_cast<std::int64_t>(digits[1]) << PyLong_SHIFT | digits[0]);
      return true;
    default:
      return false;
  }
#else
  if (PyUnstable_Long_IsCompact(reinterpret_cast<PyLongObject*>(object)) == 0) {
    return false;
  }
  out = PyUnstable_Long_CompactValue(reinterpret_cast<PyLongObject*>(object));
  return true;
#endif
}

bool text_of(PyObject* object, std::string_view& out) {
  if (PyUnicode_IS_COMPACT_ASCII(object)) {
    out = {static_cast<const char*>(PyUnicode_DATA(object)),
           static_cast<std::size_t>(PyUnicode_GET_LENGTH(object))};
    return true;
  }
  Py_ssize_t size = 0;
  const char* utf8 = PyUnicode_AsUTF8AndSize(object, &size);
  if (utf8 == nullptr) {
    set_error(bad_text_error());
    return false;
  }
  out = {utf8, static_cast<std::size_t>(size)};
  return true;
}

}  // namespace

PyEncoder::~PyEncoder() {
  for (PyObject* object : kept_) {
    Py_DECREF(object);
  }
}

// Writes what is most common; no code of the user's runs in it. False: it is something else.
[[gnu::always_inline]] inline bool PyEncoder::write_plain(PyObject* object) {
  PyTypeObject* const type = Py_TYPE(object);
  if (type == &PyUnicode_Type) {
    if (!PyUnicode_IS_COMPACT_ASCII(object)) {
      return false;
    }
    out_.text({static_cast<const char*>(PyUnicode_DATA(object)),
               static_cast<std::size_t>(PyUnicode_GET_LENGTH(object))});
    return true;
  }
  if (type == &PyLong_Type) {
    std::int64_t value = 0;
    if (!small_int(object, value)) {
      return false;
    }
    out_.integer(value);
    return true;
  }
  if (type == &PyFloat_Type) {
    const double value = PyFloat_AS_DOUBLE(object);
    if (!std::isfinite(value)) {
      return false;
    }
    out_.real(value);
    return true;
  }
  if (object == Py_None) {
    out_.null();
    return true;
  }
  if (type == &PyBool_Type) {
    out_.boolean(object == Py_True);
    return true;
  }
  return false;
}

bool PyEncoder::write(PyObject* object, int depth) {
  PyTypeObject* const type = Py_TYPE(object);
  if (type == &PyDict_Type) {
    return write_dict(object, depth);
  }
  if (type == &PyList_Type) {
    return write_items(object, depth);
  }
  if (write_plain(object)) {
    return true;
  }
  if (type == &PyUnicode_Type) {
    return write_text(object);
  }
  if (type == &PyLong_Type) {
    return write_int(object);
  }
  if (type == &PyFloat_Type) {
    values_.write_float(PyFloat_AS_DOUBLE(object));
    return true;
  }
  if (type == &PyTuple_Type) {
    core::open_form(out_, "tuple", 2);
    return write_items(object, depth);
  }
  if (type == &PyBytes_Type) {
    write_bytes(object);
    return true;
  }
  return write_other(object, depth);
}

bool PyEncoder::write_int(PyObject* object) {
  int overflow = 0;
  const long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
  if (overflow == 0) {
    out_.integer(value);
    return true;
  }
  bool negative = false;
  std::string magnitude;
  if (!int_magnitude(object, negative, magnitude)) {
    return false;
  }
  values_.write_big_integer(negative, magnitude);
  return true;
}

bool PyEncoder::write_text(PyObject* object) {
  std::string_view text;
  if (!text_of(object, text)) {
    return false;
  }
  out_.text(text);
  return true;
}

void PyEncoder::write_bytes(PyObject* object) {
  const std::span<const std::byte> data = std::as_bytes(
      std::span(PyBytes_AS_STRING(object), static_cast<std::size_t>(PyBytes_GET_SIZE(object))));
  if (static_cast<std::int64_t>(data.size()) <= core::kInlineBufferBytes) {
    out_.bytes(data);
    return;
  }
  keep_if_outside(data, object);
}

void PyEncoder::keep_if_outside(std::span<const std::byte> data, PyObject* owner) {
  if (values_.write_borrowed(data)) {
    kept_.push_back(Py_NewRef(owner));
  }
}

bool PyEncoder::write_items(PyObject* object, int depth) {
  if (!enter(depth)) {
    return false;
  }
  // Writing an item may run the user's code (a registered codec), which may change the list.
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(object);
  out_.array(static_cast<std::uint64_t>(count));
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (i >= PySequence_Fast_GET_SIZE(object)) {
      return raise({base::ErrorCode::kInvalidArgument, "list changed while it was encoded"});
    }
    PyObject* item = PySequence_Fast_GET_ITEM(object, i);
    if (write_plain(item)) {
      continue;
    }
    Py_INCREF(item);
    const bool done = write(item, depth + 1);
    Py_DECREF(item);
    if (!done) {
      return false;
    }
  }
  return true;
}

bool PyEncoder::write_dict(PyObject* object, int depth) {
  if (!enter(depth)) {
    return false;
  }
  const Py_ssize_t size = PyDict_GET_SIZE(object);
  if (size <= kMaxShapeKeys) {
    return write_small_dict(object, depth);
  }
  std::vector<Entry> entries;
  entries.reserve(static_cast<std::size_t>(size));
  Py_ssize_t position = 0;
  Entry entry{};
  while (PyDict_Next(object, &position, &entry.key, &entry.value) != 0) {
    Py_INCREF(entry.key);
    Py_INCREF(entry.value);
    entries.push_back(entry);
  }
  const bool done = write_entries(entries.data(), entries.size(), depth);
  for (const Entry& kept : entries) {
    Py_DECREF(kept.key);
    Py_DECREF(kept.value);
  }
  return done;
}

bool PyEncoder::write_small_dict(PyObject* object, int depth) {
  std::array<Entry, kMaxShapeKeys> entries;
  std::size_t count = 0;
  Shape::Hash hash;
  Py_ssize_t position = 0;
  while (count < entries.size() &&
         PyDict_Next(object, &position, &entries[count].key, &entries[count].value) != 0) {
    hash.add(entries[count].key);
    ++count;
  }
  Shape* const shape = hash.place();
  bool known = shape != nullptr && shape->keys.size() == count;
  for (std::size_t i = 0; known && i < count; ++i) {
    known = shape->keys[i] == entries[i].key;
  }
  // The user's code may change the dict meanwhile. A shape keeps its keys alive.
  for (std::size_t i = 0; i < count; ++i) {
    Py_INCREF(entries[i].value);
  }
  bool done = false;
  if (known) {
    ++shape->num_users;  // a dict inside may take its place in the table
    done = write_shape(*shape, entries.data(), depth);
    Shape::release(shape);
  } else {
    for (std::size_t i = 0; i < count; ++i) {
      Py_INCREF(entries[i].key);
    }
    done = write_entries(entries.data(), count, depth);
    for (std::size_t i = 0; i < count; ++i) {
      Py_DECREF(entries[i].key);
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    Py_DECREF(entries[i].value);
  }
  return done;
}

bool PyEncoder::write_shape(const Shape& shape, const Entry* entries, int depth) {
  constexpr std::size_t kUsual = 32;
  out_.map(shape.steps.size());
  for (const Shape::Key& key : shape.steps) {
    char* at = out_.reserve(sizeof key.text);
    std::memcpy(at, key.text, kUsual);
    if (key.size > kUsual) {
      std::memcpy(at + kUsual, key.text + kUsual, sizeof key.text - kUsual);
    }
    out_.commit(at + key.size);
    PyObject* const value = entries[key.index].value;
    if (!write_plain(value) && !write(value, depth + 1)) {
      return false;
    }
  }
  return true;
}

bool PyEncoder::write_other(PyObject* object, int depth) {
  if (own_ != nullptr && own_->has(Py_TYPE(object))) {
    return write_registered(object, depth);
  }
  const PyKind kind = kind_of(Py_TYPE(object));
  switch (kind) {
    case PyKind::kUnknown:
      return raise(no_codec_error(object));
    case PyKind::kInt:
      return write_int(object);
    case PyKind::kFloat:
      values_.write_float(PyFloat_AS_DOUBLE(object));
      return true;
    case PyKind::kText:
      return write_text(object);
    case PyKind::kBytes:
      write_bytes(object);
      return true;
    case PyKind::kTuple:
      core::open_form(out_, "tuple", 2);
      return write_items(object, depth);
    case PyKind::kList:
      return write_items(object, depth);
    case PyKind::kMap:
      return write_dict(object, depth);
    case PyKind::kRegistered:
      return write_registered(object, depth);
    case PyKind::kSet:
      return write_set(object, "python.set", depth);
    case PyKind::kFrozenSet:
      return write_set(object, "python.frozenset", depth);
    case PyKind::kTable:
      return write_table(object, depth);
    case PyKind::kBuffer:
    case PyKind::kArray:
    case PyKind::kDlpack:
      return write_array(object, kind, depth);
  }
  return false;
}

bool PyEncoder::write_registered(PyObject* object, int depth) {
  if (!enter(depth)) {
    return false;
  }
  PyObject *name = nullptr, *payload = nullptr;
  if (!payload_of(object, own_, name, payload)) {
    return raise(python_failure("a registered codec failed to give the payload"));
  }
  core::open_form(out_, "ext", 3);
  const bool done = write_text(name) && write(payload, depth + 1);
  Py_DECREF(name);
  Py_DECREF(payload);
  return done;
}

bool PyEncoder::write_array(PyObject* object, PyKind kind, int depth) {
  // The common array lies as its form wants it; no native tensor is made of it.
  if (const PlainArray array(object); kind == PyKind::kArray && array.is_plain()) {
    values_.open_tensor(array.dtype(), array.shape());
    keep_if_outside(array.data(), object);
    return true;
  }
  const base::Result<core::Value> value = array_to_value(object, kind);
  return value.has_value() ? values_.write(*value, depth) || raise(values_.error())
                           : raise(value.error());
}

bool PyEncoder::write_table(PyObject* object, int depth) {
  const auto table = table_from_python(object);
  if (!table.has_value()) {
    return raise(table.error());
  }
  return values_.write_canonical_table(*table, depth) || raise(values_.error());
}

// Remembers the shape of `entries` when its keys are interned.
void PyEncoder::Shape::remember(
    const Entry* entries, std::size_t count,
    const std::vector<std::pair<std::string_view, std::size_t>>& sorted) {
  Shape::Hash hash;
  for (std::size_t i = 0; i < count; ++i) {
    if (!PyUnicode_CheckExact(entries[i].key) || PyUnicode_CHECK_INTERNED(entries[i].key) == 0) {
      return;
    }
    hash.add(entries[i].key);
  }
  auto made = std::make_unique<Shape>();
  made->steps.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    Key& step = made->steps[i];
    const std::string_view text = sorted[i].first;
    if (text.size() + core::kMaxCborHead > sizeof step.text) {
      return;
    }
    char* const at = core::put_cbor_head(step.text, CborMajor::kText, text.size());
    std::memcpy(at, text.data(), text.size());
    step.size = static_cast<std::uint8_t>(at + text.size() - step.text);
    step.index = static_cast<std::uint8_t>(sorted[i].second);
    made->keys.push_back(Py_NewRef(entries[i].key));
  }
  release(std::exchange(hash.place(), made.release()));
}

// Any dict: sorts the keys, escapes the reserved one.
bool PyEncoder::write_entries(const Entry* entries, std::size_t count, int depth) {
  std::vector<std::pair<std::string_view, std::size_t>> sorted(count);
  bool escaped = false;
  for (std::size_t i = 0; i < count; ++i) {
    if (!PyUnicode_Check(entries[i].key)) {
      return write_any_keys(entries, count, depth);
    }
    if (!text_of(entries[i].key, sorted[i].first)) {
      return false;
    }
    sorted[i].second = i;
    escaped = escaped || sorted[i].first == core::kReservedKey;
  }
  std::sort(sorted.begin(), sorted.end(),
            [](const auto& a, const auto& b) { return core::key_less(a.first, b.first); });
  for (std::size_t i = 1; i < count; ++i) {
    if (sorted[i - 1].first == sorted[i].first) {
      return raise({base::ErrorCode::kInvalidArgument,
                    "two keys of a map have the same text: key=" + std::string(sorted[i].first)});
    }
  }
  if (escaped) {
    core::open_form(out_, "map", 2);
    out_.array(count);
  } else {
    out_.map(count);
  }
  for (const auto& [key, index] : sorted) {
    if (escaped) {
      out_.array(2);
    }
    out_.text(key);
    if (!write(entries[index].value, depth + 1)) {
      return false;
    }
  }
  if (!escaped && count > 0 && count <= kMaxShapeKeys) {
    Shape::remember(entries, count, sorted);
  }
  return true;
}

namespace {

bool write_root(PyEncoder& encoder, PyObject* object) {
  if (!encoder.write(object, 0)) {
    return false;
  }
  if (encoder.values().has_links()) {
    PyThreadState* const state = PyEval_SaveThread();
    encoder.values().link(kNumHashThreads);
    PyEval_RestoreThread(state);
  }
  return true;
}

base::Status store_block(PyObject* blocks, const core::Digest& digest,
                         std::span<const std::byte> block) {
  const std::string cid = core::Cid{core::Codec::kRaw, digest}.to_string();
  PyObject* key = PyUnicode_FromStringAndSize(cid.data(), static_cast<Py_ssize_t>(cid.size()));
  PyObject* bytes = PyBytes_FromStringAndSize(reinterpret_cast<const char*>(block.data()),
                                              static_cast<Py_ssize_t>(block.size()));
  const bool done = key != nullptr && bytes != nullptr && PyObject_SetItem(blocks, key, bytes) == 0;
  Py_XDECREF(key);
  Py_XDECREF(bytes);
  if (!done) {
    return base::fail(python_failure("cannot store a block"));
  }
  return {};
}

}  // namespace

PyObject* encode_object(PyObject* object, PyObject* blocks) {
  Arena arena;
  PyEncoder encoder(arena.writer());
  if (!write_root(encoder, object)) {
    return nullptr;
  }
  if (blocks != nullptr && blocks != Py_None && encoder.values().has_links()) {
    const base::Status status = encoder.values().deliver(
        [blocks](const core::Digest& digest, std::span<const std::byte> block) {
          return store_block(blocks, digest, block);
        });
    if (!status.has_value()) {
      set_error(status.error());
      return nullptr;
    }
  }
  const std::string_view bytes = arena.writer().view();
  return PyBytes_FromStringAndSize(bytes.data(), static_cast<Py_ssize_t>(bytes.size()));
}

bool digest_object(PyObject* object, core::Digest& out) {
  Arena arena;
  PyEncoder encoder(arena.writer());
  if (!write_root(encoder, object)) {
    return false;
  }
  out = core::hash_bytes(arena.writer().view());
  return true;
}

}  // namespace penstock::bindings
