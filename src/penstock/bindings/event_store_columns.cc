#include "penstock/bindings/event_store_columns.h"

#include <string>
#include <string_view>
#include <utility>

#include "penstock/bindings/py_host.h"
#include "penstock/bindings/py_value.h"

namespace penstock::bindings {
namespace {

using events::EventKey;
using events::Series;

bool raise(const std::string& message) {
  set_error({base::ErrorCode::kInvalidArgument, message});
  return false;
}

bool is_many(PyObject* object) {
  return PyList_Check(object) || PyTuple_Check(object);
}

}  // namespace

ArrayView::~ArrayView() {
  if (is_open_) {
    PyBuffer_Release(&buffer_);
  }
}

bool ArrayView::look(PyObject* object) {
  if (PyObject_GetBuffer(object, &buffer_, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS) != 0) {
    PyErr_Clear();
    return false;
  }
  is_open_ = true;
  const std::string_view format = buffer_.format != nullptr ? buffer_.format : "";
  if (buffer_.ndim == 1) {
    if (format == "d") {
      kind_ = 'd';
    } else if ((format == "l" || format == "q") && buffer_.itemsize == 8) {
      kind_ = 'q';
    } else if (format == "?") {
      kind_ = '?';
    }
  }
  if (kind_ == 0) {
    PyBuffer_Release(&buffer_);
    is_open_ = false;
    return false;
  }
  size_ = static_cast<std::size_t>(buffer_.len / buffer_.itemsize);
  return true;
}

bool ArrayView::open(const char* what, PyObject* object, bool& failed) {
  if (PyObject_CheckBuffer(object) == 0 || PyBytes_Check(object) || PyByteArray_Check(object)) {
    return false;
  }
  if (look(object)) {
    return true;
  }
  // Other widths and strides: numpy knows which of them have an exact wider form.
  const Ref numpy(PyImport_ImportModule("numpy"));
  const Ref array(numpy ? PyObject_CallMethod(numpy.get(), "ascontiguousarray", "O", object)
                        : nullptr);
  const Ref dtype(array ? PyObject_GetAttrString(array.get(), "dtype") : nullptr);
  const Ref kind(dtype ? PyObject_GetAttrString(dtype.get(), "kind") : nullptr);
  const char* letter = kind ? PyUnicode_AsUTF8(kind.get()) : nullptr;
  const char* wide = letter == nullptr ? nullptr
                     : *letter == 'f'  ? "float64"
                     : *letter == 'i'  ? "int64"
                     : *letter == 'u'  ? "int64"
                     : *letter == 'b'  ? "bool"
                                       : nullptr;
  if (wide != nullptr) {
    widened_ = Ref(PyObject_CallMethod(array.get(), "astype", "sss", wide, "C", "safe"));
    if (widened_ && look(widened_.get())) {
      return true;
    }
  }
  PyErr_Clear();
  failed = true;
  return raise(std::string(what) +
               " must be a one-dimensional array of floats, integers or bools that fit 64 bits, or "
               "a list: type=" +
               type_name(object));
}

bool EventBatch::agree(const char* what, std::size_t size) {
  if (has_size_ && size != size_) {
    return raise(std::string(what) + " has another length than the other columns: seen=" +
                 std::to_string(size) + " wanted=" + std::to_string(size_));
  }
  size_ = size;
  has_size_ = true;
  return true;
}

bool EventBatch::read_names(PyObject* node, PyObject* signal, EventStoreKeys::Mode mode) {
  if (!is_many(node) && !is_many(signal)) {
    return keys_.series(node, signal, mode, one_series_, is_known_);
  }
  for (PyObject* column : {node, signal}) {
    if (is_many(column) && !agree(column == node ? "node_id" : "signal",
                                  static_cast<std::size_t>(PySequence_Fast_GET_SIZE(column)))) {
      return false;
    }
  }
  series_.reserve(size_);
  for (std::size_t i = 0; i < size_; ++i) {
    const auto at = static_cast<Py_ssize_t>(i);
    PyObject* one_node = is_many(node) ? PySequence_Fast_GET_ITEM(node, at) : node;
    PyObject* one_signal = is_many(signal) ? PySequence_Fast_GET_ITEM(signal, at) : signal;
    Series series = 0;
    bool found = false;
    if (!keys_.series(one_node, one_signal, mode, series, found)) {
      return false;
    }
    series_.push_back(found ? series : events::EventNames::kMaxSeries);
  }
  return true;
}

bool EventBatch::read_epochs(PyObject* epochs) {
  bool failed = false;
  if (epoch_array_.open("epochs", epochs, failed)) {
    return epoch_array_.kind() == 'q' ? agree("epochs", epoch_array_.size())
                                      : raise("epochs must be integers");
  }
  if (failed) {
    return false;
  }
  if (!is_many(epochs)) {
    return int64_from("epoch", epochs, one_epoch_);
  }
  if (!agree("epochs", static_cast<std::size_t>(PySequence_Fast_GET_SIZE(epochs)))) {
    return false;
  }
  epochs_.resize(size_);
  for (std::size_t i = 0; i < size_; ++i) {
    if (!int64_from("epoch", PySequence_Fast_GET_ITEM(epochs, static_cast<Py_ssize_t>(i)),
                    epochs_[i])) {
      return false;
    }
  }
  return true;
}

bool EventBatch::read_values(PyObject* values) {
  bool failed = false;
  if (array_.open("values", values, failed)) {
    return agree("values", array_.size());
  }
  if (failed) {
    return false;
  }
  if (!is_many(values)) {
    return raise(std::string("values must be a list or an array: type=") + type_name(values));
  }
  if (!agree("values", static_cast<std::size_t>(PySequence_Fast_GET_SIZE(values)))) {
    return false;
  }
  values_.reserve(size_);
  for (std::size_t i = 0; i < size_; ++i) {
    values_.push_back(
        box_same(Py_NewRef(PySequence_Fast_GET_ITEM(values, static_cast<Py_ssize_t>(i)))));
  }
  return true;
}

bool EventBatch::read_timestamps(PyObject* timestamps) {
  if (timestamps == nullptr || !is_many(timestamps)) {
    return timestamp_from(timestamps, one_timestamp_);
  }
  if (!agree("timestamps", static_cast<std::size_t>(PySequence_Fast_GET_SIZE(timestamps)))) {
    return false;
  }
  timestamps_.resize(size_);
  for (std::size_t i = 0; i < size_; ++i) {
    if (!timestamp_from(PySequence_Fast_GET_ITEM(timestamps, static_cast<Py_ssize_t>(i)),
                        timestamps_[i])) {
      return false;
    }
  }
  return true;
}

bool EventBatch::read_columns(PyObject* node, PyObject* signal, PyObject* epochs, PyObject* values,
                              PyObject* timestamps) {
  return read_values(values) && read_epochs(epochs) && read_timestamps(timestamps) &&
         read_names(node, signal, EventStoreKeys::Mode::kAdd);
}

bool EventBatch::read_keys(PyObject* node, PyObject* signal, PyObject* epochs) {
  if (!read_epochs(epochs) || !read_names(node, signal, EventStoreKeys::Mode::kFind)) {
    return false;
  }
  if (!has_size_) {
    size_ = 1;
  }
  const Series none = events::EventNames::kMaxSeries;
  found_.resize(size_);
  for (std::size_t i = 0; i < size_; ++i) {
    found_[i].series = !is_known_ ? none : series_.empty() ? one_series_ : series_[i];
    found_[i].epoch = epoch_array_.kind() != 0 ? epoch_array_.as<std::int64_t>()[i]
                      : epochs_.empty()        ? one_epoch_
                                               : epochs_[i];
  }
  return true;
}

bool EventBatch::read_row(PyObject* event) {
  static const char* const kNames[] = {"node_id", "signal", "epoch", "value", "timestamp"};
  PyObject* parts[5] = {};
  if (PyDict_Check(event)) {
    for (int i = 0; i < 5; ++i) {
      parts[i] = PyDict_GetItemString(event, kNames[i]);
    }
  } else if (is_many(event)) {
    for (Py_ssize_t i = 0; i < std::min<Py_ssize_t>(5, PySequence_Fast_GET_SIZE(event)); ++i) {
      parts[i] = PySequence_Fast_GET_ITEM(event, i);
    }
  }
  if (parts[3] == nullptr || parts[0] == nullptr || parts[1] == nullptr || parts[2] == nullptr ||
      (!PyDict_Check(event) && PySequence_Fast_GET_SIZE(event) > 5)) {
    return raise(
        std::string("an event must be (node_id, signal, epoch, value[, timestamp]) or a dict with "
                    "these keys: type=") +
        type_name(event));
  }
  EventKey key;
  bool found = false;
  std::int64_t timestamp = one_timestamp_;
  if (!keys_.key(parts[0], parts[1], parts[2], EventStoreKeys::Mode::kAdd, key, found) ||
      (parts[4] != nullptr && parts[4] != Py_None && !timestamp_from(parts[4], timestamp))) {
    return false;
  }
  series_.push_back(key.series);
  epochs_.push_back(key.epoch);
  timestamps_.push_back(timestamp);
  values_.push_back(box_same(Py_NewRef(parts[3])));
  return true;
}

bool EventBatch::read_rows(PyObject* events) {
  const Ref list(PySequence_Fast(events, "not iterable"));
  if (!list) {
    PyErr_Clear();
    return raise(std::string("events must be a list: type=") + type_name(events));
  }
  if (!timestamp_from(nullptr, one_timestamp_)) {
    return false;
  }
  // A row may run code of the user (an epoch's __index__), which may change the list.
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(list.get()); ++i) {
    const Ref event(Py_NewRef(PySequence_Fast_GET_ITEM(list.get(), i)));
    if (!read_row(event.get())) {
      return false;
    }
  }
  size_ = series_.size();
  return true;
}

events::EventColumns EventBatch::columns() {
  events::EventColumns made;
  made.count = size_;
  if (series_.empty()) {
    made.series = one_series_;
  } else {
    made.series = std::span<const Series>(series_);
  }
  if (epoch_array_.kind() != 0) {
    made.epochs = epoch_array_.as<std::int64_t>();
  } else if (epochs_.empty()) {
    made.epochs = one_epoch_;
  } else {
    made.epochs = std::span<const std::int64_t>(epochs_);
  }
  if (timestamps_.empty()) {
    made.timestamps_us = one_timestamp_;
  } else {
    made.timestamps_us = std::span<const std::int64_t>(timestamps_);
  }
  switch (array_.kind()) {
    case 'd':
      made.values = array_.as<double>();
      break;
    case 'q':
      made.values = array_.as<std::int64_t>();
      break;
    case '?':
      made.values = array_.as<bool>();
      break;
    default:
      made.values = std::span<core::Value>(values_);
  }
  return made;
}

}  // namespace penstock::bindings
