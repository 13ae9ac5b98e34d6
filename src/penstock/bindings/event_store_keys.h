// What the Python face of an event store knows of names: str objects to series and back.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <Python.h>

#include "penstock/bindings/py_ref.h"
#include "penstock/events/event_store.h"

namespace penstock::bindings {

/// Guarded by the interpreter lock. Functions that fail leave a Python error set.
class EventStoreKeys {
 public:
  /// `cache_size`: how many (node_id, signal) pairs are recognised by the identity of their two str
  /// objects. A pair that is not costs a look at its text; what is found does not depend on it.
  EventStoreKeys(events::EventNames& names, std::size_t cache_size);

  enum class Mode : std::uint8_t { kAdd, kFind };

  /// The key of (node_id, signal, epoch); `epoch` is an int or a penstock.Epoch. False with an
  /// error set. With kFind a name that nobody used leaves `found` false.
  bool key(PyObject* node, PyObject* signal, PyObject* epoch, Mode mode, events::EventKey& out,
           bool& found);
  /// The same for an int epoch that is known already.
  bool series(PyObject* node, PyObject* signal, Mode mode, events::Series& out, bool& found);

  /// {"id", "node_id", "signal", "epoch", "value", "timestamp"}; a new reference.
  PyObject* event(const events::StoredEvent& event);

  std::int64_t num_hits() const { return num_hits_; }
  std::int64_t num_misses() const { return num_misses_; }

 private:
  struct HotKey {
    Ref node, signal;
    events::Series series = 0;
  };
  /// A series as Python sees it.
  struct Face {
    Ref node, signal, path;  ///< path: a tuple of (map, index); null outside maps
  };

  HotKey* place_of(PyObject* node, PyObject* signal);
  bool find_series(PyObject* node, PyObject* signal, PyObject* path, Mode mode, events::Series& out,
                   bool& found);
  const Face* face(events::Series series);

  events::EventNames& names_;
  std::vector<HotKey> hot_;  ///< direct-mapped; a power of two, or empty
  std::vector<Face> faces_;
  std::int64_t num_hits_ = 0, num_misses_ = 0;
};

/// The store of a penstock._core.EventStore; throws nanobind::python_error for another object.
std::shared_ptr<events::EventStore> store_of(PyObject* object);
/// The name of an object's type as Python tells it: "ndarray", not "numpy.ndarray".
std::string type_name(PyObject* object);
/// An int, as an int64. False with an error set.
bool int64_from(const char* what, PyObject* object, std::int64_t& out);
/// penstock.Epoch; borrowed.
PyObject* epoch_type();
/// A penstock.Epoch's root and path. False with an error set.
bool epoch_parts(PyObject* epoch, std::int64_t& root,
                 std::vector<std::pair<std::string, std::int64_t>>& path);
/// None (now), seconds of unix time, or a datetime, as microseconds. False with an error set.
bool timestamp_from(PyObject* object, std::int64_t& out);
/// An aware datetime in UTC; a new reference.
PyObject* timestamp_to(std::int64_t timestamp_us);
/// `object` (one reference taken over) as a value that gives the very same object back.
core::Value box_same(PyObject* object);

}  // namespace penstock::bindings
