// PyDecoder: reads DAG-CBOR into Python objects, canonical or the root of a message.
//
// Internal to the direct codec (py_decode*.cc, bind_serializer.cc). Needs the interpreter lock.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <Python.h>

#include "penstock/bindings/py_value.h"
#include "penstock/core/cbor_reader.h"
#include "penstock/core/decode.h"

namespace penstock::bindings {

/// A buffer of a message, and the object that keeps it alive (borrowed).
struct OutsideBuffer {
  std::span<const std::byte> data;
  PyObject* owner;
};

class PyDecoder {
 public:
  /// Canonical bytes. `source` delivers linked blocks, `own` codecs of one serializer; both are
  /// borrowed and may be null.
  PyDecoder(std::string_view bytes, const core::BlockSource* source, const OwnCodecs* own = nullptr)
      : in_(bytes),
        source_(source),
        own_(own),
        slots_left_(kFreeSlots + bytes.size() / kBytesForSlot) {}
  /// The root of a message.
  PyDecoder(std::string_view root, std::span<const OutsideBuffer> outside, const OwnCodecs* own)
      : in_(root),
        own_(own),
        outside_(outside),
        is_message_(true),
        slots_left_(kFreeSlots + root.size() / kBytesForSlot) {}

  /// The whole input; null with a Python error set.
  PyObject* read_all();

 private:
  // Null: a Python error is set, or the reader has noted a failure.
  PyObject* read(int depth);
  PyObject* read_item(int depth);
  PyObject* read_simple(const core::CborHead& head);
  PyObject* read_negative(std::uint64_t argument);
  PyObject* read_list(std::uint64_t count, int depth);
  PyObject* read_map(const char* start, std::uint64_t count, int depth);
  struct KeyRun;
  std::uint64_t read_known_keys(const KeyRun& run, PyObject* dict, std::uint64_t count, int depth);
  bool read_new_keys(const char* start, PyObject* dict, std::uint64_t first, std::uint64_t count,
                     int depth, std::string_view previous);
  PyObject* read_repeated(PyObject*& last, int depth);
  bool read_entry(PyObject* dict, std::string_view key, int depth);
  void remember(const char* first_key, PyObject* dict, std::uint64_t count);

  // py_decode_form.cc: the reserved form that begins at `start`; the reader is behind its key.
  PyObject* read_form(const char* start, int depth);
  PyObject* read_by_value(const char* start, int depth);
  PyObject* read_tuple(int depth);
  PyObject* read_escaped_map(int depth);
  PyObject* read_extension(int depth);
  bool read_collection(PyObject* out, std::string_view name, int depth);
  PyObject* read_tensor();
  PyObject* read_outside_bytes();
  bool read_reference(OutsideBuffer& out);

  PyObject* failed(const std::string& what) {
    in_.fail(what);
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

  // A count is only a claim until its items are read. Room that is taken on its word comes out of
  // four times the input's bytes, for all containers together, however they are nested.
  std::uint64_t claim(std::uint64_t count, std::uint64_t slots_per_item) {
    const std::uint64_t trusted = std::min(count, slots_left_ / slots_per_item);
    slots_left_ -= trusted * slots_per_item;
    return trusted;
  }
  static constexpr std::uint64_t kBytesForSlot = 2, kFreeSlots = 64;
  static constexpr std::uint64_t kFailed = ~std::uint64_t{0};

  core::CborReader in_;
  const core::BlockSource* source_ = nullptr;
  const OwnCodecs* own_;
  std::span<const OutsideBuffer> outside_;
  bool is_message_ = false;
  std::vector<std::shared_ptr<const core::Buffer>> native_;  // of outside_, when first needed
  std::uint64_t slots_left_;  // of a pointer each: what may still be taken on a claim
  PyObject* form_ = nullptr;  // what a map turned out to be, from read_new_keys() to read_map()
};

}  // namespace penstock::bindings
