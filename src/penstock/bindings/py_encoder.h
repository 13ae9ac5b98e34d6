// PyEncoder: writes Python objects as DAG-CBOR, canonical or as the root of a message.
//
// Internal to the direct codec (py_encode*.cc, bind_serializer.cc). Needs the interpreter lock.
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

#include <Python.h>

#include "penstock/bindings/py_value.h"
#include "penstock/core/cbor_writer.h"
#include "penstock/core/encode.h"

namespace penstock::bindings {

/// A key of a dict and its value, borrowed.
struct DictEntry {
  PyObject* key;
  PyObject* value;
};

class PyEncoder {
 public:
  /// `own`: codecs of one serializer, borrowed; may be null.
  explicit PyEncoder(core::CborWriter& out,
                     core::Encoder::Mode mode = core::Encoder::Mode::kCanonical,
                     const OwnCodecs* own = nullptr)
      : out_(out), mode_(mode), own_(own), values_(out, mode, core::kInlineBufferBytes) {}
  PyEncoder(const PyEncoder&) = delete;
  PyEncoder& operator=(const PyEncoder&) = delete;
  ~PyEncoder();

  /// False with a Python error set.
  bool write(PyObject* object, int depth);
  core::Encoder& values() { return values_; }
  /// The objects whose data stayed outside, in order: those without an owner in values().
  const std::vector<PyObject*>& kept() const { return kept_; }

 private:
  bool raise(const base::Error& error) {
    set_error(error);
    return false;
  }
  bool enter(int depth) { return depth < core::kMaxDepth || raise(core::depth_error()); }

  bool write_plain(PyObject* object);
  bool write_int(PyObject* object);
  bool write_text(PyObject* object);
  void write_bytes(PyObject* object);
  bool write_items(PyObject* object, int depth);
  bool write_dict(PyObject* object, int depth);
  bool write_small_dict(PyObject* object, int depth);
  struct Shape;
  bool write_shape(const Shape& shape, const DictEntry* entries, int depth);
  bool write_entries(const DictEntry* entries, std::size_t count, int depth);
  bool write_other(PyObject* object, int depth);
  bool write_registered(PyObject* object, int depth);
  bool write_array(PyObject* object, PyKind kind, int depth);
  bool write_table(PyObject* object, int depth);
  void keep_if_outside(std::span<const std::byte> data, PyObject* owner);

  // py_encode_collections.cc: what is ordered by the encoded bytes.
  bool write_set(PyObject* object, const char* name, int depth);
  bool write_any_keys(const DictEntry* entries, std::size_t count, int depth);
  bool write_sorted(const char* name, const DictEntry* entries, std::size_t count, int depth);

  core::CborWriter& out_;
  const core::Encoder::Mode mode_;
  const OwnCodecs* own_;
  core::Encoder values_;         // tensors, tables, long buffers, odd numbers
  std::vector<PyObject*> kept_;  // strong references
};

/// The writer of the last message, kept for its memory. A nested call (from a registered codec)
/// finds the place empty and makes its own. Guarded by the interpreter lock.
class Arena {
 public:
  Arena() : writer_(spare != nullptr ? std::exchange(spare, nullptr) : new core::CborWriter()) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() {
    writer_->clear();
    if (spare == nullptr) {
      spare = writer_;
    } else {
      delete writer_;
    }
  }
  core::CborWriter& writer() { return *writer_; }

 private:
  static inline core::CborWriter* spare = nullptr;
  core::CborWriter* writer_;
};

}  // namespace penstock::bindings
