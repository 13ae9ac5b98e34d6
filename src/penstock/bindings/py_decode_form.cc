// Reserved forms read into Python objects. What holds other values, and arrays, directly; the rest
// by way of core::Value.
#include <cstring>
#include <string>
#include <utility>

#include "penstock/bindings/numpy_api.h"
#include "penstock/bindings/py_decoder.h"
#include "penstock/bindings/py_host.h"

namespace penstock::bindings {

using core::CborHead;
using core::CborMajor;
using core::CborReader;

PyObject* PyDecoder::read_form(const char* start, int depth) {
  CborReader ahead = in_;
  std::uint64_t num_items = 0;
  std::string_view name;
  if (ahead.array(num_items) && num_items > 0 && ahead.text(name)) {
    const char* const behind = ahead.position();
    const auto is = [&](std::string_view wanted, std::uint64_t count) {
      if (name != wanted || num_items != count) {
        return false;
      }
      in_.seek(behind);
      return true;
    };
    if (is("tuple", 2)) {
      return read_tuple(depth);
    }
    if (is("ext", 3)) {
      return read_extension(depth);
    }
    if (is("map", 2)) {
      return read_escaped_map(depth);
    }
    if (is_message_ && is("buffer", 3)) {
      return read_outside_bytes();
    }
    if (is_message_ && name == "arrow") {  // for processes of one run only
      in_.seek(behind);
      return failed("unknown reserved form: form=arrow num_items=" + std::to_string(num_items));
    }
    if (is("tensor", 4)) {
      PyObject* array = read_tensor();
      if (array != nullptr || PyErr_Occurred() != nullptr) {
        return array;
      }
    }
  }
  return read_by_value(start, depth);
}

PyObject* PyDecoder::read_by_value(const char* start, int depth) {
  in_.seek(start);
  core::Value value;
  if (!is_message_) {
    return core::Decoder::canonical(in_, source_).read(value, depth) ? from_value(value) : nullptr;
  }
  while (native_.size() < outside_.size()) {
    const OutsideBuffer& buffer = outside_[native_.size()];
    const auto size = static_cast<std::int64_t>(buffer.data.size());
    // Columns want their numbers aligned.
    if (reinterpret_cast<std::uintptr_t>(buffer.data.data()) % 8 != 0) {
      std::shared_ptr<core::Buffer> copy = core::Buffer::allocate(size);
      std::memcpy(copy->mutable_data(), buffer.data.data(), buffer.data.size());
      native_.push_back(std::move(copy));
      continue;
    }
    const core::Value owner = core::Value::host(PyBox::make(Py_NewRef(buffer.owner)));
    native_.push_back(core::Buffer::wrap(buffer.data.data(), size, [owner] {}));
  }
  return core::Decoder::transport(in_, native_).read(value, depth) ? from_value(value) : nullptr;
}

PyObject* PyDecoder::read_tuple(int depth) {
  std::uint64_t count = 0;
  if (!in_.array(count)) {
    return nullptr;
  }
  // A tuple cannot grow: where its room is not trusted, a list first.
  if (count > slots_left_) {
    PyObject* list = read_list(count, depth);
    PyObject* tuple = list != nullptr ? PyList_AsTuple(list) : nullptr;
    Py_XDECREF(list);
    return tuple;
  }
  if (!enter(depth)) {
    return nullptr;
  }
  PyObject* tuple = PyTuple_New(static_cast<Py_ssize_t>(claim(count, 1)));
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

PyObject* PyDecoder::read_escaped_map(int depth) {
  std::uint64_t count = 0;
  if (!in_.array(count) || !enter(depth)) {
    return nullptr;
  }
  PyObject* dict = PyDict_New();
  std::string_view previous;
  bool has_reserved_key = false;
  for (std::uint64_t i = 0; dict != nullptr && i < count; ++i) {
    CborHead head;
    bool done = in_.array_of(2) && in_.head_of(CborMajor::kText, head, "wanted a text string");
    if (done) {
      const std::string_view key = in_.take(head.argument);
      has_reserved_key = has_reserved_key || key == core::kReservedKey;
      done = (i == 0 || core::key_less(previous, key) ||
              in_.fail(key == previous ? "duplicate key in a map" : "map keys are not in order")) &&
             read_entry(dict, key, depth);
      previous = key;
    }
    if (!done) {
      Py_CLEAR(dict);
    }
  }
  if (dict != nullptr && !has_reserved_key) {
    Py_CLEAR(dict);
    in_.fail("escaped map without the reserved key, wanted a plain map");
  }
  return dict;
}

PyObject* PyDecoder::read_extension(int depth) {
  std::string_view name;
  if (!in_.text(name) || !enter(depth)) {
    return nullptr;
  }
  if (is_collection(name)) {
    PyObject* out = new_collection(name);
    if (out != nullptr && !read_collection(out, name, depth + 1)) {
      Py_CLEAR(out);
    }
    return out;
  }
  PyObject* payload = read(depth + 1);
  PyObject* out = payload != nullptr ? from_payload(name, own_, payload) : nullptr;
  Py_XDECREF(payload);
  return out;
}

// The list of items, or of [key, value] lists, at `depth`; ordered by their bytes in the input.
bool PyDecoder::read_collection(PyObject* out, std::string_view name, int depth) {
  const bool is_map = PyDict_CheckExact(out);
  CborHead head;
  if (!in_.head(head)) {
    return false;
  }
  if (head.major != CborMajor::kArray) {
    set_collection_error(name, "wanted a list");
    return false;
  }
  if (!enter(depth)) {
    return false;
  }
  std::string_view previous;
  bool any_other_key = false;
  for (std::uint64_t i = 0; i < head.argument; ++i) {
    if (is_map && !(in_.array_of(2) && enter(depth + 1))) {
      return false;
    }
    const char* const start = in_.position();
    PyObject* key = read(depth + (is_map ? 2 : 1));
    if (key == nullptr) {
      return false;
    }
    const std::string_view current = in_.since(start);
    PyObject* value = nullptr;
    bool done = i == 0 || previous < current;
    if (!done) {
      set_collection_error(name, "items or keys are not in order, or not unique");
    } else if (is_map) {
      value = read(depth + 2);
      done = value != nullptr;
    }
    previous = current;
    any_other_key = any_other_key || !PyUnicode_CheckExact(key);
    done = done && add_to_collection(out, name, key, value);
    Py_DECREF(key);
    Py_XDECREF(value);
    if (!done) {
      return false;
    }
  }
  if (is_map && !any_other_key) {
    set_collection_error(name, "all keys are text, wanted a plain map");
    return false;
  }
  return true;
}

// A reference to a buffer of the message, behind its form's name.
bool PyDecoder::read_reference(OutsideBuffer& out) {
  std::uint64_t index = 0, length = 0;
  if (!in_.unsigned_integer(index) || !in_.unsigned_integer(length)) {
    return false;
  }
  if (index >= outside_.size() || outside_[index].data.size() != length) {
    return in_.fail(
        "buffer form refers to a buffer that is not there: index=" + std::to_string(index) +
        " length=" + std::to_string(length) + " num_buffers=" + std::to_string(outside_.size()));
  }
  out = outside_[index];
  return true;
}

PyObject* PyDecoder::read_outside_bytes() {
  OutsideBuffer buffer{};
  return read_reference(buffer)
             ? PyBytes_FromStringAndSize(reinterpret_cast<const char*>(buffer.data.data()),
                                         static_cast<Py_ssize_t>(buffer.data.size()))
             : nullptr;
}

// An array as numpy makes it in one call. Null without an error for everything that is not the
// common, valid case: core::Decoder reads that, and says what is wrong.
PyObject* PyDecoder::read_tensor() {
  CborReader ahead = in_;
  std::string_view dtype_name, key, form;
  std::uint64_t num_dimensions = 0;
  if (!ahead.text(dtype_name) || !ahead.array(num_dimensions) || num_dimensions == 0 ||
      num_dimensions > kMaxArrayDimensions) {
    return nullptr;
  }
  const base::Result<core::DType> dtype = core::parse_dtype(dtype_name);
  if (!dtype.has_value()) {
    return nullptr;
  }
  std::int64_t shape[kMaxArrayDimensions];
  std::int64_t size = core::size_bytes(*dtype);
  for (std::uint64_t i = 0; i < num_dimensions; ++i) {
    std::uint64_t extent = 0;
    if (!ahead.unsigned_integer(extent) || extent > INT64_MAX) {
      return nullptr;
    }
    shape[i] = static_cast<std::int64_t>(extent);
    // An array without elements may have extents beyond any product: the long way knows.
    if (extent == 0 || __builtin_mul_overflow(size, shape[i], &size)) {
      return nullptr;
    }
  }
  OutsideBuffer buffer{};
  CborHead head;
  if (!ahead.head(head)) {
    return nullptr;
  }
  if (head.major == CborMajor::kBytes && head.argument <= core::kInlineBufferBytes) {
    const std::string_view inside = ahead.take(head.argument);
    buffer.data = std::as_bytes(std::span(inside.data(), inside.size()));
  } else if (std::uint64_t num_items = 0; is_message_ && head.major == CborMajor::kMap &&
                                          head.argument == 1 && ahead.text(key) &&
                                          key == core::kReservedKey && ahead.array(num_items) &&
                                          num_items == 3 && ahead.text(form) && form == "buffer") {
    std::uint64_t index = 0, length = 0;
    if (!ahead.unsigned_integer(index) || !ahead.unsigned_integer(length) ||
        index >= outside_.size() || outside_[index].data.size() != length) {
      return nullptr;
    }
    buffer = outside_[index];
  } else {
    return nullptr;
  }
  if (static_cast<std::int64_t>(buffer.data.size()) != size) {
    return nullptr;
  }
  in_.seek(ahead.position());
  const bool is_aligned = reinterpret_cast<std::uintptr_t>(buffer.data.data()) %
                              static_cast<std::uintptr_t>(core::size_bytes(*dtype)) ==
                          0;
  return make_array(*dtype, {shape, num_dimensions}, buffer.data,
                    is_aligned ? buffer.owner : nullptr);
}

}  // namespace penstock::bindings
