// Sets, and dicts with keys other than text: ordered by the encoded bytes of items or keys.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/bindings/py_encoder.h"

namespace penstock::bindings {
namespace {

using core::CborWriter;

// Where an encoded item or key lies in the scratch, and whose it is.
struct Encoded {
  std::size_t start;
  std::size_t size;
  std::size_t index;
};

base::Error long_key_error() {
  return {base::ErrorCode::kInvalidArgument,
          "an item of a set or a key of a map holds more than 65536 bytes of data in one piece"};
}

base::Error same_key_error(const char* name) {
  return {base::ErrorCode::kInvalidArgument,
          std::string("two items or keys have the same encoding: form=") + name};
}

}  // namespace

bool PyEncoder::write_set(PyObject* object, const char* name, int depth) {
  PyObject* items = PySequence_List(object);  // the user's codecs may change the set meanwhile
  if (items == nullptr) {
    return raise(python_failure("cannot read a set"));
  }
  std::vector<DictEntry> entries(static_cast<std::size_t>(PyList_GET_SIZE(items)));
  for (std::size_t i = 0; i < entries.size(); ++i) {
    entries[i] = {PyList_GET_ITEM(items, static_cast<Py_ssize_t>(i)), nullptr};
  }
  const bool done = enter(depth) && write_sorted(name, entries.data(), entries.size(), depth);
  Py_DECREF(items);
  return done;
}

bool PyEncoder::write_any_keys(const DictEntry* entries, std::size_t count, int depth) {
  return write_sorted("python.dict", entries, count, depth);
}

// The values of a dict are written in their final place, as buffers outside refer to it.
bool PyEncoder::write_sorted(const char* name, const DictEntry* entries, std::size_t count,
                             int depth) {
  if (!enter(depth + 1)) {
    return false;
  }
  const bool is_map = count > 0 && entries[0].value != nullptr;
  if (is_map && !enter(depth + 2)) {
    return false;
  }
  CborWriter scratch;
  PyEncoder keys(scratch, mode_, own_);
  std::vector<Encoded> order;
  order.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t start = scratch.size();
    if (!keys.write(entries[i].key, depth + (is_map ? 3 : 2))) {
      return false;
    }
    order.push_back({start, scratch.size() - start, i});
  }
  if (!keys.values_.is_whole()) {
    return raise(long_key_error());
  }
  const auto text_of = [&](const Encoded& encoded) {
    return scratch.view().substr(encoded.start, encoded.size);
  };
  std::sort(order.begin(), order.end(),
            [&](const Encoded& a, const Encoded& b) { return text_of(a) < text_of(b); });
  core::open_form(out_, "ext", 3);
  out_.text(name);
  out_.array(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0 && text_of(order[i - 1]) == text_of(order[i])) {
      return raise(same_key_error(name));
    }
    if (is_map) {
      out_.array(2);
    }
    out_.raw(text_of(order[i]));
    if (is_map && !write(entries[order[i].index].value, depth + 3)) {
      return false;
    }
  }
  return true;
}

}  // namespace penstock::bindings
