#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "penstock/bindings/py_codec.h"
#include "penstock/bindings/py_value.h"
#include "penstock/core/cbor_reader.h"
#include "penstock/core/decode.h"

namespace penstock::bindings {
namespace {

using core::CborHead;
using core::CborMajor;
using core::CborReader;

// A count is only a claim until its items are read.
constexpr std::uint64_t kMaxPresize = 1024;
constexpr std::size_t kMaxCachedText = 24;  // bytes

bool is_ascii(std::string_view text) {
  std::uint64_t seen = 0;
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + i, 8);
    seen |= word;
  }
  for (; i < text.size(); ++i) {
    seen |= static_cast<std::uint8_t>(text[i]);
  }
  return (seen & 0x8080808080808080) == 0;
}

// A new str; null with a Python error set when `text` is not valid UTF-8.
PyObject* make_text(std::string_view text) {
  if (text.size() > 1 && is_ascii(text)) {
    PyObject* out = PyUnicode_New(static_cast<Py_ssize_t>(text.size()), 127);
    if (out != nullptr) {
      std::memcpy(PyUnicode_DATA(out), text.data(), text.size());
    }
    return out;
  }
  return PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), nullptr);
}

// Short texts that were seen before, so that records share their keys and common values (pickle
// does the same within one message). Direct-mapped; guarded by the interpreter lock.
class TextCache {
 public:
  // `interned`: for keys, which dict lookups and the encoder then recognise by address.
  explicit TextCache(bool interned) : interned_(interned) {}

  // A new reference; null with a Python error set.
  PyObject* get(std::string_view text) {
    if (text.size() > kMaxCachedText || text.size() < 2) {
      return make_text(text);
    }
    PyObject*& place = places_[hash(text) >> (64 - kBits)];
    if (place != nullptr && static_cast<std::size_t>(PyUnicode_GET_LENGTH(place)) == text.size() &&
        std::memcmp(PyUnicode_DATA(place), text.data(), text.size()) == 0) {
      return Py_NewRef(place);
    }
    PyObject* made = make_text(text);
    if (made != nullptr && PyUnicode_IS_COMPACT_ASCII(made)) {
      if (interned_) {
        PyUnicode_InternInPlace(&made);
      }
      PyObject* old = place;
      place = Py_NewRef(made);
      Py_XDECREF(old);
    }
    return made;
  }

 private:
  static constexpr int kBits = 10;

  static std::uint64_t hash(std::string_view text) {
    // Two words that overlap unless the text is longer than 16 bytes: good enough for a cache.
    std::uint64_t first = 0, last = 0;
    if (text.size() >= 8) {
      std::memcpy(&first, text.data(), 8);
      std::memcpy(&last, text.data() + text.size() - 8, 8);
    } else if (text.size() >= 4) {
      std::memcpy(&first, text.data(), 4);
      std::memcpy(&last, text.data() + text.size() - 4, 4);
    } else {
      first = static_cast<std::uint8_t>(text[0]) | static_cast<std::uint64_t>(text[1]) << 8;
      last = static_cast<std::uint8_t>(text[text.size() - 1]);
    }
    return (first ^ std::rotl(last, 29) ^ text.size()) * 0x9E3779B97F4A7C15;
  }

  const bool interned_;
  PyObject* places_[std::size_t{1} << kBits] = {};  // compact ASCII only
};

TextCache& keys() {
  static auto* cache = new TextCache(true);
  return *cache;
}
TextCache& texts() {
  static auto* cache = new TextCache(false);
  return *cache;
}

class PyDecoder {
 public:
  PyDecoder(std::string_view bytes, const core::BlockSource* source)
      : in_(bytes), source_(source) {}

  // The whole input; null with a Python error set.
  PyObject* read_all();

 private:
  // Null: a Python error is set, or the reader has noted a failure.
  PyObject* read(int depth);
  PyObject* read_simple(const CborHead& head);
  PyObject* read_negative(std::uint64_t argument);
  PyObject* read_list(std::uint64_t count, int depth);
  PyObject* read_map(const char* start, std::uint64_t count, int depth);
  PyObject* read_form(const char* start, int depth);
  PyObject* read_tuple(int depth);
  PyObject* failed(std::string what) {
    in_.fail(std::move(what));
    return nullptr;
  }
  PyObject* text_failed() {
    // Memory may have run out instead: then the Python error says so.
    if (PyErr_ExceptionMatches(PyExc_UnicodeDecodeError) != 0) {
      PyErr_Clear();
      in_.fail("text is not valid UTF-8");
    }
    return nullptr;
  }
  bool enter(int depth) {
    return depth < core::kMaxDepth ||
           in_.fail("nested too deeply: limit=" + std::to_string(core::kMaxDepth));
  }

  CborReader in_;
  const core::BlockSource* source_;
};

PyObject* PyDecoder::read(int depth) {
  const char* const start = in_.position();
  CborHead head;
  if (!in_.head(head)) [[unlikely]] {
    return nullptr;
  }
  switch (head.major) {
    case CborMajor::kUnsigned:
      return head.argument <= static_cast<std::uint64_t>(std::numeric_limits<long>::max())
                 ? PyLong_FromLong(static_cast<long>(head.argument))
                 : PyLong_FromUnsignedLongLong(head.argument);
    case CborMajor::kNegative:
      return read_negative(head.argument);
    case CborMajor::kBytes:
      if (head.argument > static_cast<std::uint64_t>(core::kInlineBufferBytes)) {
        return failed("byte string longer than 65536 bytes, wanted links");
      }
      return PyBytes_FromStringAndSize(in_.take(head.argument).data(),
                                       static_cast<Py_ssize_t>(head.argument));
    case CborMajor::kText: {
      PyObject* text = texts().get(in_.take(head.argument));
      return text != nullptr ? text : text_failed();
    }
    case CborMajor::kArray:
      return read_list(head.argument, depth);
    case CborMajor::kMap:
      return read_map(start, head.argument, depth);
    case CborMajor::kTag:
      return failed("tag outside a reserved form: tag=" + std::to_string(head.argument));
    case CborMajor::kSimple:
      return read_simple(head);
  }
  return nullptr;
}

PyObject* PyDecoder::read_simple(const CborHead& head) {
  switch (head.info) {
    case 20:
      return Py_NewRef(Py_False);
    case 21:
      return Py_NewRef(Py_True);
    case 22:
      return Py_NewRef(Py_None);
    case 27: {
      const double value = std::bit_cast<double>(head.argument);
      return std::isfinite(value)
                 ? PyFloat_FromDouble(value)
                 : failed("NaN or infinity as a plain float, wanted the reserved form");
    }
    default:
      return failed("simple value other than false, true and null");
  }
}

PyObject* PyDecoder::read_negative(std::uint64_t argument) {
  if (argument <= static_cast<std::uint64_t>(std::numeric_limits<long>::max())) {
    return PyLong_FromLong(-1 - static_cast<long>(argument));
  }
  PyObject* positive = PyLong_FromUnsignedLongLong(argument);
  PyObject* out = positive != nullptr ? PyNumber_Invert(positive) : nullptr;  // -1 - argument
  Py_XDECREF(positive);
  return out;
}

PyObject* PyDecoder::read_list(std::uint64_t count, int depth) {
  if (!enter(depth)) {
    return nullptr;
  }
  const auto presized = static_cast<Py_ssize_t>(std::min(count, kMaxPresize));
  PyObject* list = PyList_New(presized);
  for (std::uint64_t i = 0; list != nullptr && i < count; ++i) {
    PyObject* item = read(depth + 1);
    if (item == nullptr) {
      Py_DECREF(list);
      return nullptr;
    }
    if (static_cast<Py_ssize_t>(i) < presized) {
      PyList_SET_ITEM(list, static_cast<Py_ssize_t>(i), item);
      continue;
    }
    const int bad = PyList_Append(list, item);
    Py_DECREF(item);
    if (bad != 0) {
      Py_CLEAR(list);
    }
  }
  return list;
}

PyObject* PyDecoder::read_map(const char* start, std::uint64_t count, int depth) {
  if (!enter(depth)) {
    return nullptr;
  }
  // A new dict has room for five keys; more would be rehashed on the way.
  PyObject* dict = count <= 5 ? PyDict_New()
                              : _PyDict_NewPresized(
                                    static_cast<Py_ssize_t>(std::min(count, kMaxPresize)));
  std::string_view previous;
  for (std::uint64_t i = 0; dict != nullptr && i < count; ++i) {
    CborHead head;
    if (!in_.head_of(CborMajor::kText, head, "wanted a text string")) {
      break;
    }
    const std::string_view text = in_.take(head.argument);
    if (i > 0 && !core::key_less(previous, text)) [[unlikely]] {
      in_.fail(text == previous ? "duplicate key in a map" : "map keys are not in order");
      break;
    }
    if (text == core::kReservedKey) [[unlikely]] {
      Py_DECREF(dict);
      return count == 1 ? read_form(start, depth) : failed("map with the reserved key is not escaped");
    }
    previous = text;
    PyObject* key = keys().get(text);
    if (key == nullptr) {
      text_failed();
      break;
    }
    PyObject* value = read(depth + 1);
    const bool done = value != nullptr && PyDict_SetItem(dict, key, value) == 0;
    Py_DECREF(key);
    Py_XDECREF(value);
    if (!done) {
      break;
    }
    if (i + 1 == count) {
      return dict;
    }
  }
  if (count > 0) {
    Py_CLEAR(dict);
  }
  return dict;
}

// Tuples are common and read here; the other forms go by way of core::Value.
PyObject* PyDecoder::read_form(const char* start, int depth) {
  CborReader ahead = in_;
  CborHead head;
  std::string_view name;
  if (ahead.head(head) && head.major == CborMajor::kArray && head.argument == 2 &&
      ahead.text(name) && name == "tuple") {
    in_.seek(ahead.position());
    return read_tuple(depth);
  }
  in_.seek(start);
  core::Value value;
  return core::Decoder::canonical(in_, source_).read(value, depth) ? from_value(value) : nullptr;
}

PyObject* PyDecoder::read_tuple(int depth) {
  std::uint64_t count = 0;
  if (!in_.array(count)) {
    return nullptr;
  }
  // A tuple cannot grow: beyond the trusted size, a list first.
  if (count > kMaxPresize) {
    PyObject* list = read_list(count, depth);
    PyObject* tuple = list != nullptr ? PyList_AsTuple(list) : nullptr;
    Py_XDECREF(list);
    return tuple;
  }
  if (!enter(depth)) {
    return nullptr;
  }
  PyObject* tuple = PyTuple_New(static_cast<Py_ssize_t>(count));
  for (std::uint64_t i = 0; tuple != nullptr && i < count; ++i) {
    PyObject* item = read(depth + 1);
    if (item == nullptr) {
      Py_CLEAR(tuple);
    } else {
      PyTuple_SET_ITEM(tuple, static_cast<Py_ssize_t>(i), item);
    }
  }
  return tuple;
}

PyObject* PyDecoder::read_all() {
  // Nothing made here can be garbage, and a collector that ran meanwhile would look at all of it.
  const int had_collector = PyGC_Disable();
  PyObject* out = read(0);
  if (had_collector != 0) {
    PyGC_Enable();
  }
  if (out != nullptr && !in_.at_end()) {
    Py_CLEAR(out);
    in_.fail("bytes after the end of the value");
  }
  if (out == nullptr && PyErr_Occurred() == nullptr) {
    set_error(in_.error());
  }
  return out;
}

// A contiguous buffer of any object, given back at the end.
class View {
 public:
  explicit View(PyObject* object)
      : valid_(PyObject_GetBuffer(object, &buffer_, PyBUF_SIMPLE) == 0) {}
  View(const View&) = delete;
  View& operator=(const View&) = delete;
  ~View() {
    if (valid_) {
      PyBuffer_Release(&buffer_);
    }
  }
  bool is_valid() const { return valid_; }
  std::string_view bytes() const {
    return {static_cast<const char*>(buffer_.buf), static_cast<std::size_t>(buffer_.len)};
  }

 private:
  Py_buffer buffer_{};
  bool valid_;
};

base::Result<std::shared_ptr<const core::Buffer>> load_block(PyObject* blocks,
                                                             const core::Digest& digest) {
  const std::string cid = core::Cid{core::Codec::kRaw, digest}.to_string();
  PyObject* key = PyUnicode_FromStringAndSize(cid.data(), static_cast<Py_ssize_t>(cid.size()));
  PyObject* bytes = key != nullptr ? PyObject_GetItem(blocks, key) : nullptr;
  Py_XDECREF(key);
  if (bytes == nullptr) {
    const bool missing = PyErr_ExceptionMatches(PyExc_KeyError) != 0;
    PyErr_Clear();
    return base::fail(missing ? base::ErrorCode::kNotFound : base::ErrorCode::kInternal,
                      "no such block: cid=" + cid);
  }
  std::shared_ptr<core::Buffer> copy;
  {
    const View view(bytes);
    if (view.is_valid()) {
      copy = core::Buffer::allocate(static_cast<std::int64_t>(view.bytes().size()));
      std::copy(view.bytes().begin(), view.bytes().end(),
                reinterpret_cast<char*>(copy->mutable_data()));
    }
  }
  Py_DECREF(bytes);
  if (copy == nullptr) {
    return base::fail(python_failure("a block must be bytes"));
  }
  if (!(core::hash_bytes({copy->data(), static_cast<std::size_t>(copy->size_bytes())}) == digest)) {
    return base::fail(base::ErrorCode::kDataLoss, "block does not fit its cid: cid=" + cid);
  }
  return copy;
}

}  // namespace

PyObject* decode_object(PyObject* data, PyObject* blocks) {
  core::BlockSource source;
  if (blocks != nullptr && blocks != Py_None) {
    source = [blocks](const core::Digest& digest) { return load_block(blocks, digest); };
  }
  if (PyBytes_CheckExact(data)) {
    return PyDecoder({PyBytes_AS_STRING(data), static_cast<std::size_t>(PyBytes_GET_SIZE(data))},
                     &source)
        .read_all();
  }
  const View view(data);
  return view.is_valid() ? PyDecoder(view.bytes(), &source).read_all() : nullptr;
}

}  // namespace penstock::bindings
