#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "penstock/bindings/py_codec.h"
#include "penstock/bindings/py_decoder.h"

namespace penstock::bindings {
namespace {

using core::CborHead;
using core::CborMajor;
using core::CborReader;

constexpr std::size_t kMaxCachedText = 24;   // bytes
constexpr std::uint64_t kMaxShortText = 23;  // whose head is one byte

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

// memcmp, without the call, for the lengths that keys have.
[[gnu::always_inline]] inline bool equal_bytes(const char* a, const char* b, std::size_t size) {
  const auto differ = [a, b]<class Word>(Word, std::size_t at) {
    Word x, y;
    std::memcpy(&x, a + at, sizeof x);
    std::memcpy(&y, b + at, sizeof y);
    return x != y;
  };
  if (size > 16) {
    return std::memcmp(a, b, size) == 0;
  }
  if (size >= 8) {
    return !differ(std::uint64_t{}, 0) && !differ(std::uint64_t{}, size - 8);
  }
  if (size >= 4) {
    return !differ(std::uint32_t{}, 0) && !differ(std::uint32_t{}, size - 4);
  }
  return size < 2 ? size == 0 || *a == *b
                  : !differ(std::uint16_t{}, 0) && !differ(std::uint16_t{}, size - 2);
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

PyObject* make_bytes(std::string_view bytes) {
  return PyBytes_FromStringAndSize(bytes.data(), static_cast<Py_ssize_t>(bytes.size()));
}

// A list that is filled from its beginning. The room that PyList_New() makes is filled with zeros
// first, which for short lists costs as much as what is put there.
class ListMaker {
 public:
  explicit ListMaker(std::uint64_t room) : list_(PyList_New(0)) {
    if (list_ == nullptr || room == 0) {
      return;
    }
    auto* const memory = static_cast<PyObject**>(PyMem_Malloc(room * sizeof(PyObject*)));
    if (memory == nullptr) {
      Py_CLEAR(list_);
      PyErr_NoMemory();
      return;
    }
    auto* const list = reinterpret_cast<PyListObject*>(list_);
    list->ob_item = memory;
    list->allocated = static_cast<Py_ssize_t>(room);
  }
  ListMaker(const ListMaker&) = delete;
  ListMaker& operator=(const ListMaker&) = delete;
  ~ListMaker() { Py_XDECREF(list_); }

  explicit operator bool() const { return list_ != nullptr; }
  // Takes over `item`; the list is gone, with a Python error set, when there is no memory.
  void add(PyObject* item) {
    auto* const list = reinterpret_cast<PyListObject*>(list_);
    const Py_ssize_t size = Py_SIZE(list_);
    if (size < list->allocated) {
      list->ob_item[size] = item;
      Py_SET_SIZE(list_, size + 1);
      return;
    }
    if (PyList_Append(list_, item) != 0) {
      Py_CLEAR(list_);
    }
    Py_DECREF(item);
  }
  PyObject* release() { return std::exchange(list_, nullptr); }

 private:
  PyObject* list_;
};

// Short texts that were seen before, so that records share their keys and common values (pickle
// does the same within one message). Direct-mapped; guarded by the interpreter lock.
class TextCache {
 public:
  // `interned`: for keys, which dict lookups and the encoder then recognise by address.
  explicit TextCache(bool interned) : interned_(interned) {}

  // A new reference; null with a Python error set.
  PyObject* get(std::string_view text) {
    if (text.size() > kMaxCachedText || text.size() < 2) {
      PyObject* made = make_text(text);  // one character: Python keeps them all
      if (interned_ && made != nullptr && text.size() < 2) {
        PyUnicode_InternInPlace(&made);
      }
      return made;
    }
    PyObject*& place = places_[hash(text) >> (64 - kBits)];
    if (place != nullptr && static_cast<std::size_t>(PyUnicode_GET_LENGTH(place)) == text.size() &&
        equal_bytes(static_cast<const char*>(PyUnicode_DATA(place)), text.data(), text.size())) {
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

}  // namespace

// The keys of a map as they were read before, in order, in their encoded form: comparing those
// bytes stands for parsing, ordering, validating and looking up each of them.
struct PyDecoder::KeyRun {
  // The encoded key as three words, and which of their bits are its own.
  struct Key {
    std::uint64_t words[3] = {};
    std::uint64_t masks[3] = {};
    std::size_t size = 0;
    PyObject* text = nullptr;           // strong reference
    mutable PyObject* value = nullptr;  // the last short text it stood before, strong or null

    std::string_view content() const {
      return {reinterpret_cast<const char*>(words) + 1, size - 1};
    }

    void set(std::string_view encoded) {
      static constexpr char kOnes[] =
          "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"
          "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF";
      std::memcpy(words, encoded.data(), encoded.size());
      std::memcpy(masks, kOnes, encoded.size());
      size = encoded.size();
    }
    // `at` has as many bytes as all words.
    bool begins(const char* at) const {
      std::uint64_t seen[3];
      std::memcpy(seen, at, sizeof seen);
      return (((seen[0] ^ words[0]) & masks[0]) | ((seen[1] ^ words[1]) & masks[1]) |
              ((seen[2] ^ words[2]) & masks[2])) == 0;
    }
  };
  std::vector<Key> keys;
  int num_users = 1;  // the table, and maps being read

  ~KeyRun() {
    for (const Key& key : keys) {
      Py_DECREF(key.text);
      Py_XDECREF(key.value);
    }
  }

  static constexpr std::uint64_t kMaxKeys = 16;
  static constexpr std::size_t kMaxEncodedKey = 1 + 23;  // one-byte head

  static void release(KeyRun* run) {
    if (run != nullptr && --run->num_users == 0) {
      delete run;
    }
  }

  // Direct-mapped; guarded by the interpreter lock.
  static constexpr int kBits = 8;
  static inline KeyRun* table[1 << kBits] = {};

  // The place for maps of `count` entries whose first key begins like `at` (8 bytes are there).
  static KeyRun*& place(const char* at, std::uint64_t count) {
    std::uint64_t word;
    std::memcpy(&word, at, sizeof word);
    // Bytes behind a short key belong to its value and must not matter.
    const int num_bytes = 1 + (static_cast<std::uint8_t>(*at) & 0x1F);
    const std::uint64_t key =
        num_bytes < 8 ? word & ((std::uint64_t{1} << (8 * num_bytes)) - 1) : word;
    return table[((key + count) * 0x9E3779B97F4A7C15) >> (64 - kBits)];
  }
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
      return make_bytes(in_.take(head.argument));
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

// read(), with the items of long lists at hand: floats and small numbers.
[[gnu::always_inline]] inline PyObject* PyDecoder::read_item(int depth) {
  const char* const at = in_.position();
  if (in_.remaining() >= core::kMaxCborHead) {
    const auto lead = static_cast<std::uint8_t>(*at);
    if (lead == static_cast<std::uint8_t>(core::kCborFloat64)) {
      std::uint64_t bits;
      std::memcpy(&bits, at + 1, sizeof bits);
      const double value = std::bit_cast<double>(__builtin_bswap64(bits));
      if (std::isfinite(value)) {
        in_.seek(at + core::kMaxCborHead);
        return PyFloat_FromDouble(value);
      }
    } else if (lead < 24) {
      in_.seek(at + 1);
      return PyLong_FromLong(lead);
    }
  }
  return read(depth);
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
  ListMaker list(claim(count, 1));
  for (std::uint64_t i = 0; list && i < count; ++i) {
    PyObject* item = read_item(depth + 1);
    if (item == nullptr) {
      return nullptr;
    }
    list.add(item);
  }
  return list.release();
}

PyObject* PyDecoder::read_map(const char* start, std::uint64_t count, int depth) {
  if (!enter(depth)) {
    return nullptr;
  }
  // A new dict has room for five keys; more would be rehashed on the way. As depth is limited, all
  // small ones that can be open at a time take 256 KiB.
  constexpr std::uint64_t kSmall = 16, kSlotsPerEntry = 6;
  const std::uint64_t room = count <= 5        ? 0
                             : count <= kSmall ? count
                                               : claim(count, kSlotsPerEntry);
  PyObject* dict = room == 0 ? PyDict_New() : _PyDict_NewPresized(static_cast<Py_ssize_t>(room));
  if (dict == nullptr || count == 0) {
    return dict;
  }
  const bool may_run = count <= KeyRun::kMaxKeys && in_.remaining() >= 8;
  const char* const first_key = in_.position();
  KeyRun* const run = may_run ? KeyRun::place(first_key, count) : nullptr;
  if (run != nullptr) {
    ++run->num_users;  // a map inside may take its place in the table
  }
  const std::uint64_t num_read = run != nullptr ? read_known_keys(*run, dict, count, depth) : 0;
  if (num_read < count) {
    const std::string_view previous =
        num_read > 0 && num_read != kFailed ? run->keys[num_read - 1].content() : "";
    const bool done =
        num_read != kFailed && read_new_keys(start, dict, num_read, count, depth, previous);
    KeyRun::release(run);
    if (!done) {
      Py_DECREF(dict);
      return std::exchange(form_, nullptr);
    }
  } else {
    KeyRun::release(run);
    if (num_read == kFailed) {
      Py_DECREF(dict);
      return nullptr;
    }
  }
  if (may_run && num_read < count) {
    remember(first_key, dict, count);
  }
  return dict;
}

// A value of a key that was met before: records repeat their short texts.
[[gnu::always_inline]] inline PyObject* PyDecoder::read_repeated(PyObject*& last, int depth) {
  const char* const at = in_.position();
  if (in_.remaining() > kMaxShortText) {
    const std::uint8_t size = static_cast<std::uint8_t>(*at) ^ 0x60;
    if (size <= kMaxShortText && size > 1) {
      if (last != nullptr && PyUnicode_GET_LENGTH(last) == size &&
          equal_bytes(static_cast<const char*>(PyUnicode_DATA(last)), at + 1, size)) {
        in_.seek(at + 1 + size);
        return Py_NewRef(last);
      }
      PyObject* text = read(depth);
      if (text != nullptr && PyUnicode_IS_COMPACT_ASCII(text)) {
        Py_XSETREF(last, Py_NewRef(text));
      }
      return text;
    }
  }
  return read_item(depth);
}

// Reads entries as long as the keys are those of `run`; their number, or kFailed.
std::uint64_t PyDecoder::read_known_keys(const KeyRun& run, PyObject* dict, std::uint64_t count,
                                         int depth) {
  const std::uint64_t limit = std::min<std::uint64_t>(count, run.keys.size());
  for (std::uint64_t i = 0; i < limit; ++i) {
    const KeyRun::Key& key = run.keys[i];
    const char* const at = in_.position();
    const bool is_same =
        in_.remaining() >= sizeof key.words
            ? key.begins(at)
            : in_.remaining() >= key.size && std::memcmp(at, key.words, key.size) == 0;
    if (!is_same) {
      return i;
    }
    in_.seek(at + key.size);
    PyObject* value = read_repeated(key.value, depth + 1);
    const bool done = value != nullptr && PyDict_SetItem(dict, key.text, value) == 0;
    Py_XDECREF(value);
    if (!done) {
      return kFailed;
    }
  }
  return limit;
}

// The remaining entries, from number `first` on.
bool PyDecoder::read_new_keys(const char* start, PyObject* dict, std::uint64_t first,
                              std::uint64_t count, int depth, std::string_view previous) {
  for (std::uint64_t i = first; i < count; ++i) {
    CborHead head;
    if (!in_.head_of(CborMajor::kText, head, "wanted a text string")) {
      return false;
    }
    const std::string_view text = in_.take(head.argument);
    if (i > 0 && !core::key_less(previous, text)) [[unlikely]] {
      return in_.fail(text == previous ? "duplicate key in a map" : "map keys are not in order");
    }
    if (text == core::kReservedKey) [[unlikely]] {
      if (count == 1) {
        form_ = read_form(start, depth);
      } else {
        in_.fail("map with the reserved key is not escaped");
      }
      return false;
    }
    previous = text;
    if (!read_entry(dict, text, depth)) {
      return false;
    }
  }
  return true;
}

// The value of a key that was just read.
bool PyDecoder::read_entry(PyObject* dict, std::string_view key_text, int depth) {
  PyObject* key = keys().get(key_text);
  if (key == nullptr) {
    text_failed();
    return false;
  }
  PyObject* value = read(depth + 1);
  const bool done = value != nullptr && PyDict_SetItem(dict, key, value) == 0;
  Py_DECREF(key);
  Py_XDECREF(value);
  return done;
}

// Keeps the keys of a map that was read well; `first_key` is where they began in the input.
void PyDecoder::remember(const char* first_key, PyObject* dict, std::uint64_t count) {
  auto made = std::make_unique<KeyRun>();
  Py_ssize_t position = 0;
  PyObject* text = nullptr;
  while (PyDict_Next(dict, &position, &text, nullptr) != 0) {
    // Only interned keys: the others are unlikely to be seen again.
    const Py_ssize_t size = PyUnicode_GET_LENGTH(text);
    if (!PyUnicode_IS_COMPACT_ASCII(text) ||
        size >= static_cast<Py_ssize_t>(KeyRun::kMaxEncodedKey) ||
        PyUnicode_CHECK_INTERNED(text) == 0) {
      return;
    }
    std::string encoded(1, static_cast<char>(static_cast<std::uint8_t>(CborMajor::kText) | size));
    encoded.append(static_cast<const char*>(PyUnicode_DATA(text)), static_cast<std::size_t>(size));
    KeyRun::Key& key = made->keys.emplace_back();
    key.set(encoded);
    key.text = Py_NewRef(text);
  }
  KeyRun::release(std::exchange(KeyRun::place(first_key, count), made.release()));
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

namespace {

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
