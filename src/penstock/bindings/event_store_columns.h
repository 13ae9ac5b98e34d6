// Columns for an event store from what Python has: one thing for all, a list, or an array.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include <Python.h>

#include "penstock/bindings/event_store_keys.h"
#include "penstock/bindings/py_ref.h"
#include "penstock/core/value.h"
#include "penstock/events/event_store.h"

namespace penstock::bindings {

/// A contiguous array that somebody else owns. Interpreter lock held when made and let go.
class ArrayView {
 public:
  ArrayView() = default;
  ArrayView(const ArrayView&) = delete;
  ArrayView& operator=(const ArrayView&) = delete;
  ~ArrayView();

  /// Looks at `object` as a one-dimensional array of float64 ('d'), int64 ('q') or bool ('?');
  /// narrower numbers are widened by numpy. False when it is none; `failed` with an error set.
  bool open(const char* what, PyObject* object, bool& failed);
  char kind() const { return kind_; }
  std::size_t size() const { return size_; }
  template <class T>
  std::span<const T> as() const {
    return {static_cast<const T*>(buffer_.buf), size_};
  }

 private:
  bool look(PyObject* object);

  Ref widened_;
  Py_buffer buffer_{};
  bool is_open_ = false;
  char kind_ = 0;
  std::size_t size_ = 0;
};

/// The columns of one batch and what keeps them alive. Functions that fail leave an error set.
class EventBatch {
 public:
  explicit EventBatch(EventStoreKeys& keys) : keys_(keys) {}

  /// From node_id, signal (a str each, or a list of str), epochs (an int, a list, an array), values
  /// (a list, an array) and timestamps (null, one, a list or an array of seconds or microseconds).
  bool read_columns(PyObject* node, PyObject* signal, PyObject* epochs, PyObject* values,
                    PyObject* timestamps);
  /// From a list of (node_id, signal, epoch, value[, timestamp]) or of dicts with these keys.
  bool read_rows(PyObject* events);
  /// Keys only, for a search: as read_columns(); unknown names give a series that has no events.
  bool read_keys(PyObject* node, PyObject* signal, PyObject* epochs);

  events::EventColumns columns();
  std::size_t size() const { return size_; }
  bool is_plain() const { return array_.kind() != 0; }  ///< numbers: no Python object is touched
  const std::vector<events::EventKey>& keys() const { return found_; }

 private:
  bool read_names(PyObject* node, PyObject* signal, EventStoreKeys::Mode mode);
  bool read_epochs(PyObject* epochs);
  bool read_values(PyObject* values);
  bool read_timestamps(PyObject* timestamps);
  bool read_row(PyObject* event);
  bool agree(const char* what, std::size_t size);

  EventStoreKeys& keys_;
  std::size_t size_ = 0;
  bool has_size_ = false;
  events::Series one_series_ = 0;
  std::int64_t one_epoch_ = 0, one_timestamp_ = 0;
  std::vector<events::Series> series_;
  std::vector<std::int64_t> epochs_, timestamps_;
  std::vector<core::Value> values_;
  std::vector<events::EventKey> found_;
  ArrayView array_, epoch_array_;
  bool is_known_ = true;
};

}  // namespace penstock::bindings
