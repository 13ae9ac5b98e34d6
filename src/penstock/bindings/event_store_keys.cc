#include "penstock/bindings/event_store_keys.h"

#include <datetime.h>

#include <bit>
#include <chrono>
#include <cmath>
#include <string>
#include <string_view>

#include "penstock/base/clock.h"
#include "penstock/bindings/py_host.h"
#include "penstock/bindings/py_value.h"

namespace penstock::bindings {
namespace {

using events::Series;
using events::SeriesName;

bool raise(const std::string& message) {
  set_error({base::ErrorCode::kInvalidArgument, message});
  return false;
}

bool refuse(const char* what, const char* wanted, PyObject* seen) {
  return raise(std::string(what) + " must be " + wanted + ": type=" + type_name(seen));
}

bool text_of(const char* what, PyObject* object, std::string& out) {
  if (!PyUnicode_Check(object)) {
    return refuse(what, "a str", object);
  }
  Py_ssize_t size = 0;
  const char* utf8 = PyUnicode_AsUTF8AndSize(object, &size);
  if (utf8 == nullptr) {
    PyErr_Clear();
    return raise(std::string(what) + " holds a lone surrogate, which UTF-8 cannot");
  }
  out.assign(utf8, static_cast<std::size_t>(size));
  return true;
}

PyObject* text_from(const std::string& text) {
  return PyUnicode_FromStringAndSize(text.data(), static_cast<Py_ssize_t>(text.size()));
}

bool has_datetime() {
  if (PyDateTimeAPI == nullptr) {
    PyDateTime_IMPORT;
  }
  return PyDateTimeAPI != nullptr;
}

bool path_from(PyObject* path, std::vector<std::pair<std::string, std::int64_t>>& out) {
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(path); ++i) {
    PyObject* step = PyTuple_GET_ITEM(path, i);
    std::string map;
    std::int64_t index = 0;
    if (!text_of("a map of an epoch", PyTuple_GET_ITEM(step, 0), map) ||
        !int64_from("an index of an epoch", PyTuple_GET_ITEM(step, 1), index)) {
      return false;
    }
    out.emplace_back(std::move(map), index);
  }
  return true;
}

}  // namespace

std::string type_name(PyObject* object) {
  const std::string_view name = Py_TYPE(object)->tp_name;
  return std::string(name.substr(name.rfind('.') + 1));  // npos + 1 is 0
}

bool int64_from(const char* what, PyObject* object, std::int64_t& out) {
  int overflow = 0;
  const long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
  if (overflow != 0) {
    return raise(std::string(what) + " does not fit 64 bits");
  }
  if (value == -1 && PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    return refuse(what, "an int", object);
  }
  out = value;
  return true;
}

PyObject* epoch_type() {
  static PyObject* type = [] {
    PyObject* module = PyImport_ImportModule("penstock._events");
    PyObject* found = module != nullptr ? PyObject_GetAttrString(module, "Epoch") : nullptr;
    Py_XDECREF(module);
    return found;
  }();
  return type;
}

bool epoch_parts(PyObject* epoch, std::int64_t& root,
                 std::vector<std::pair<std::string, std::int64_t>>& path) {
  const Ref number(PyObject_GetAttrString(epoch, "root"));
  const Ref steps(number ? PyObject_GetAttrString(epoch, "path") : nullptr);
  return steps && int64_from("the root of an epoch", number.get(), root) &&
         path_from(steps.get(), path);
}

bool timestamp_from(PyObject* object, std::int64_t& out) {
  if (object == nullptr || object == Py_None) {
    out = base::unix_us();
    return true;
  }
  if (!has_datetime()) {
    return false;
  }
  Ref seconds;
  if (PyDateTime_Check(object)) {
    seconds = Ref(PyObject_CallMethod(object, "timestamp", nullptr));
    if (!seconds) {
      return false;
    }
    object = seconds.get();
  }
  const double value = PyFloat_AsDouble(object);
  if (value == -1.0 && PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    return refuse("timestamp", "None, a datetime or seconds of unix time", object);
  }
  constexpr double kLimit = 2.5e11;  // the last year of a datetime, 9999
  if (!(value >= -6.3e10 && value <= kLimit)) {
    return raise("timestamp is out of range: seconds=" + std::to_string(value));
  }
  out = std::llround(value * 1e6);
  return true;
}

PyObject* timestamp_to(std::int64_t timestamp_us) {
  namespace c = std::chrono;
  if (!has_datetime()) {
    return nullptr;
  }
  const c::sys_time<c::microseconds> time{c::microseconds(timestamp_us)};
  const auto day = c::floor<c::days>(time);
  const c::year_month_day date(day);
  const c::hh_mm_ss clock(time - day);
  return PyDateTimeAPI->DateTime_FromDateAndTime(
      int{date.year()}, static_cast<int>(unsigned{date.month()}),
      static_cast<int>(unsigned{date.day()}), static_cast<int>(clock.hours().count()),
      static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()),
      static_cast<int>(clock.subseconds().count()), PyDateTime_TimeZone_UTC,
      PyDateTimeAPI->DateTimeType);
}

// None, bool and the integers that Python keeps one object of are told by their value.
core::Value box_same(PyObject* object) {
  if (object == Py_None || PyBool_Check(object)) {
    return box(object);
  }
  if (PyLong_CheckExact(object)) {
    int overflow = 0;
    const long value = PyLong_AsLongAndOverflow(object, &overflow);
    if (overflow == 0 && value >= -5 && value <= 256) {
      return box(object);
    }
  }
  return box_by_identity(object);
}

EventStoreKeys::EventStoreKeys(events::EventNames& names, std::size_t cache_size)
    : names_(names), hot_(cache_size == 0 ? 0 : std::bit_ceil(cache_size)) {
}

EventStoreKeys::HotKey* EventStoreKeys::place_of(PyObject* node, PyObject* signal) {
  if (hot_.empty()) {
    return nullptr;
  }
  // Objects lie 16 bytes apart at least.
  const auto a = reinterpret_cast<std::uintptr_t>(node) >> 4;
  const auto b = reinterpret_cast<std::uintptr_t>(signal) >> 4;
  const std::uint64_t mixed = (a + 0x9E3779B97F4A7C15 * b) * 0x9E3779B97F4A7C15;
  return &hot_[(mixed >> 32) & (hot_.size() - 1)];
}

bool EventStoreKeys::series(PyObject* node, PyObject* signal, Mode mode, Series& out, bool& found) {
  HotKey* const hot = place_of(node, signal);
  if (hot != nullptr && hot->node.get() == node && hot->signal.get() == signal) {
    ++num_hits_;
    out = hot->series;
    found = true;
    return true;
  }
  ++num_misses_;
  if (!find_series(node, signal, nullptr, mode, out, found)) {
    return false;
  }
  if (found && hot != nullptr && PyUnicode_CheckExact(node) && PyUnicode_CheckExact(signal)) {
    *hot = HotKey{Ref(Py_NewRef(node)), Ref(Py_NewRef(signal)), out};
  }
  return true;
}

bool EventStoreKeys::find_series(PyObject* node, PyObject* signal, PyObject* epoch, Mode mode,
                                 Series& out, bool& found) {
  SeriesName name;
  std::int64_t root = 0;
  if (!text_of("node_id", node, name.node) || !text_of("signal", signal, name.signal) ||
      (epoch != nullptr && !epoch_parts(epoch, root, name.path))) {
    return false;
  }
  if (mode == Mode::kFind) {
    const std::optional<Series> known = names_.find(name);
    found = known.has_value();
    out = known.value_or(0);
    return true;
  }
  const base::Result<Series> made = names_.add(name);
  if (!made.has_value()) {
    set_error(made.error());
    return false;
  }
  found = true;
  out = *made;
  return true;
}

bool EventStoreKeys::key(PyObject* node, PyObject* signal, PyObject* epoch, Mode mode,
                         events::EventKey& out, bool& found) {
  if (PyLong_Check(epoch) || PyIndex_Check(epoch)) {
    return int64_from("epoch", epoch, out.epoch) && series(node, signal, mode, out.series, found);
  }
  PyObject* const type = epoch_type();
  const int is_epoch = type != nullptr ? PyObject_IsInstance(epoch, type) : -1;
  if (is_epoch <= 0) {
    return is_epoch == 0 && refuse("epoch", "an int or an Epoch", epoch);
  }
  std::vector<std::pair<std::string, std::int64_t>> path;
  if (!epoch_parts(epoch, out.epoch, path)) {
    return false;
  }
  return path.empty() ? series(node, signal, mode, out.series, found)
                      : find_series(node, signal, epoch, mode, out.series, found);
}

const EventStoreKeys::Face* EventStoreKeys::face(Series series) {
  if (series >= faces_.size()) {
    faces_.resize(series + 1);
  }
  Face& face = faces_[series];
  if (!face.node) {
    const SeriesName& name = names_.name(series);
    face.signal = Ref(text_from(name.signal));
    if (!name.path.empty()) {
      face.path = Ref(PyTuple_New(static_cast<Py_ssize_t>(name.path.size())));
      for (std::size_t i = 0; face.path && i < name.path.size(); ++i) {
        PyTuple_SET_ITEM(face.path.get(), static_cast<Py_ssize_t>(i),
                         Py_BuildValue("(NL)", text_from(name.path[i].first),
                                       static_cast<long long>(name.path[i].second)));
      }
    }
    face.node = Ref(text_from(name.node));
    if (PyErr_Occurred() != nullptr) {
      face = Face();
      return nullptr;
    }
  }
  return &face;
}

PyObject* EventStoreKeys::event(const events::StoredEvent& event) {
  static PyObject* const keys[] = {
      PyUnicode_InternFromString("id"),     PyUnicode_InternFromString("node_id"),
      PyUnicode_InternFromString("signal"), PyUnicode_InternFromString("epoch"),
      PyUnicode_InternFromString("value"),  PyUnicode_InternFromString("timestamp")};
  const Face* names = face(event.key.series);
  if (names == nullptr) {
    return nullptr;
  }
  PyObject* epoch = PyLong_FromLongLong(event.key.epoch);
  if (names->path && epoch != nullptr && epoch_type() != nullptr) {
    PyObject* nested = PyObject_CallFunction(epoch_type(), "NO", epoch, names->path.get());
    epoch = nested;
  }
  PyObject* items[] = {PyLong_FromLongLong(event.id),
                       names->node.share(),
                       names->signal.share(),
                       epoch,
                       unbox(event.value),
                       timestamp_to(event.timestamp_us)};
  PyObject* dict = _PyDict_NewPresized(6);
  for (std::size_t i = 0; i < 6; ++i) {
    if (dict != nullptr && (items[i] == nullptr || PyDict_SetItem(dict, keys[i], items[i]) != 0)) {
      Py_CLEAR(dict);
    }
    Py_XDECREF(items[i]);
  }
  return dict;
}

}  // namespace penstock::bindings
