// penstock._core.EventStore.
//
// A plain C type, not nanobind's: an event is added in a tenth of a microsecond, and dispatch must
// not double that.
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "penstock/bindings/bind.h"
#include "penstock/bindings/event_store_columns.h"
#include "penstock/bindings/event_store_keys.h"
#include "penstock/bindings/py_error.h"
#include "penstock/bindings/py_host.h"
#include "penstock/bindings/py_value.h"

namespace penstock::bindings {
namespace {

using events::EventKey;
using events::EventStore;
using events::StoredEvent;
using Mode = EventStoreKeys::Mode;

struct Inside {
  Inside(std::shared_ptr<EventStore> made, std::size_t cache_size)
      : owned(std::move(made)), store(*owned), keys(store.names(), cache_size) {}
  const std::shared_ptr<EventStore> owned;  ///< a run may record into it
  EventStore& store;
  EventStoreKeys keys;
};

struct Self {
  PyObject_HEAD Inside* inside;
};

PyTypeObject* event_store_type = nullptr;  // set once, by bind_event_store()

Inside& inside(PyObject* self) {
  return *reinterpret_cast<Self*>(self)->inside;
}

/// The memory-only store, or one with a log; null with a Python error set.
std::unique_ptr<EventStore> make_store(PyObject* path, bool read_only) {
  if (path == nullptr || path == Py_None) {
    return std::make_unique<EventStore>();
  }
  PyObject* bytes = nullptr;
  if (PyUnicode_FSConverter(path, &bytes) == 0) {
    return nullptr;
  }
  const std::string folder(PyBytes_AS_STRING(bytes),
                           static_cast<std::size_t>(PyBytes_GET_SIZE(bytes)));
  Py_DECREF(bytes);
  using Mode = events::EventJournal::Mode;
  base::Result<std::unique_ptr<EventStore>> made = nullptr;
  {
    const core::HostUnlock unlock;
    made = EventStore::open(folder, read_only ? Mode::kRead : Mode::kWrite);
  }
  if (!made.has_value()) {
    set_error(made.error());
    return nullptr;
  }
  return std::move(*made);
}

PyObject* failed(const base::Error& error) {
  set_error(error);
  return nullptr;
}

PyObject* invalid(const std::string& message) {
  return failed({base::ErrorCode::kInvalidArgument, message});
}

/// Arguments of f(names[0], names[1] ...), by position or by name; those not given are null.
bool parse(const char* function, std::span<const char* const> names, std::size_t num_required,
           PyObject* const* args, Py_ssize_t num_positional, PyObject* keywords, PyObject** out) {
  const Py_ssize_t num_keywords = keywords != nullptr ? PyTuple_GET_SIZE(keywords) : 0;
  const auto count = static_cast<Py_ssize_t>(names.size());
  for (Py_ssize_t i = 0; i < count; ++i) {
    out[i] = i < num_positional ? args[i] : nullptr;
  }
  bool good = num_positional <= count;
  for (Py_ssize_t k = 0; good && k < num_keywords; ++k) {
    Py_ssize_t at = 0;
    while (at < count &&
           PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(keywords, k),
                                            names[static_cast<std::size_t>(at)]) != 0) {
      ++at;
    }
    good = at < count && out[at] == nullptr;
    if (good) {
      out[at] = args[num_positional + k];
    }
  }
  for (std::size_t i = 0; i < num_required; ++i) {
    good = good && out[i] != nullptr;
  }
  if (!good) {
    std::string wanted;
    for (std::size_t i = 0; i < names.size(); ++i) {
      wanted += (i == 0 ? "" : ", ") + std::string(names[i]) + (i < num_required ? "" : "=None");
    }
    PyErr_Format(PyExc_TypeError, "%s(%s): wrong arguments", function, wanted.c_str());
  }
  return good;
}

PyObject* event_store_new(PyTypeObject* type, PyObject* args, PyObject* keywords) {
  static const char* names[] = {"cache_size", "path", "read_only", nullptr};
  Py_ssize_t cache_size = 256;
  PyObject* path = nullptr;
  int read_only = 0;
  if (PyArg_ParseTupleAndKeywords(args, keywords, "|nO$p:EventStore", const_cast<char**>(names),
                                  &cache_size, &path, &read_only) == 0) {
    return nullptr;
  }
  if (cache_size < 0 || cache_size > (1 << 20)) {
    return invalid("cache_size must be 0 to 1048576: seen=" + std::to_string(cache_size));
  }
  try {
    std::unique_ptr<EventStore> store = make_store(path, read_only != 0);
    if (store == nullptr) {
      return nullptr;
    }
    auto made = std::make_unique<Inside>(std::move(store), static_cast<std::size_t>(cache_size));
    PyObject* self = type->tp_alloc(type, 0);
    if (self != nullptr) {
      reinterpret_cast<Self*>(self)->inside = made.release();
    }
    return self;
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
}

void event_store_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  PyTypeObject* type = Py_TYPE(self);
  delete std::exchange(reinterpret_cast<Self*>(self)->inside, nullptr);
  type->tp_free(self);
  Py_DECREF(type);
}

// Each box in the store was made for it: the reference it holds is the store's.
int event_store_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  int stopped = 0;
  if (reinterpret_cast<Self*>(self)->inside == nullptr) {
    return 0;
  }
  inside(self).store.visit_objects([&](const core::Value& value) {
    if (stopped == 0 && value.is(core::Kind::kHost)) {
      stopped = visit(static_cast<const PyBox*>(value.as_host())->object(), arg);
    }
  });
  return stopped;
}

int event_store_clear_refs(PyObject* self) {
  (void)inside(self).store.clear();
  return 0;
}

PyObject* add_event(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  static const char* const kNames[] = {"node_id", "signal", "epoch", "value", "timestamp"};
  PyObject* parsed[5];
  if (keywords != nullptr || count < 4 || count > 5) {
    if (!parse("add_event", kNames, 4, args, count, keywords, parsed)) {
      return nullptr;
    }
    args = parsed;
    count = 5;
  }
  Inside& in = inside(self);
  EventKey key;
  std::int64_t timestamp = 0;
  bool found = false;
  if (!in.keys.key(args[0], args[1], args[2], Mode::kAdd, key, found) ||
      !timestamp_from(count == 5 ? args[4] : nullptr, timestamp)) {
    return nullptr;
  }
  const base::Result<std::int64_t> id = in.store.add(key, box_same(Py_NewRef(args[3])), timestamp);
  return id.has_value() ? PyLong_FromLongLong(*id) : failed(id.error());
}

PyObject* list_of(Inside& in, const std::vector<StoredEvent>& found) {
  PyObject* list = PyList_New(static_cast<Py_ssize_t>(found.size()));
  for (std::size_t i = 0; list != nullptr && i < found.size(); ++i) {
    PyObject* event = in.keys.event(found[i]);
    if (event == nullptr) {
      Py_CLEAR(list);
    } else {
      PyList_SET_ITEM(list, static_cast<Py_ssize_t>(i), event);
    }
  }
  return list;
}

PyObject* get_events(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  static const char* const kNames[] = {"node_id", "signal", "epoch"};
  PyObject* parsed[3];
  if (!parse("get_events", kNames, 3, args, count, keywords, parsed)) {
    return nullptr;
  }
  Inside& in = inside(self);
  EventKey key;
  bool found = false;
  if (!in.keys.key(parsed[0], parsed[1], parsed[2], Mode::kFind, key, found)) {
    return nullptr;
  }
  if (!found) {
    return PyList_New(0);
  }
  const auto events = in.store.get(key);
  return events.has_value() ? list_of(in, *events) : failed(events.error());
}

PyObject* range_of(std::int64_t first, std::size_t count) {
  return PyObject_CallFunction(reinterpret_cast<PyObject*>(&PyRange_Type), "LL",
                               static_cast<long long>(first),
                               static_cast<long long>(first) + static_cast<long long>(count));
}

PyObject* batch_add_events(PyObject* self, PyObject* const* args, Py_ssize_t count,
                           PyObject* keywords) {
  static const char* const kRows[] = {"events"};
  static const char* const kColumns[] = {"node_id", "signal", "epochs", "values", "timestamps"};
  PyObject* parsed[5];
  const Py_ssize_t num_all = count + (keywords != nullptr ? PyTuple_GET_SIZE(keywords) : 0);
  const bool is_rows = num_all <= 1;
  if (!(is_rows ? parse("batch_add_events", kRows, 1, args, count, keywords, parsed)
                : parse("batch_add_events", kColumns, 4, args, count, keywords, parsed))) {
    return nullptr;
  }
  Inside& in = inside(self);
  EventBatch batch(in.keys);
  if (!(is_rows ? batch.read_rows(parsed[0])
                : batch.read_columns(parsed[0], parsed[1], parsed[2], parsed[3], parsed[4]))) {
    return nullptr;
  }
  base::Result<std::int64_t> first = std::int64_t{0};
  if (batch.is_plain() && batch.size() > 4096) {
    const core::HostUnlock unlock;
    first = in.store.add_batch(batch.columns());
  } else {
    first = in.store.add_batch(batch.columns());
  }
  return first.has_value() ? range_of(*first, batch.size()) : failed(first.error());
}

PyObject* batch_get_events(PyObject* self, PyObject* keys) {
  Inside& in = inside(self);
  const Ref list(PySequence_Fast(keys, "not iterable"));
  if (!list) {
    PyErr_Clear();
    return invalid(std::string("keys must be a list of (node_id, signal, epoch): type=") +
                   type_name(keys));
  }
  std::vector<EventKey> wanted;
  std::vector<bool> is_known;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(list.get()); ++i) {
    const Ref key(Py_NewRef(PySequence_Fast_GET_ITEM(list.get(), i)));
    if (!(PyTuple_Check(key.get()) || PyList_Check(key.get())) ||
        PySequence_Fast_GET_SIZE(key.get()) != 3) {
      return invalid(std::string("a key must be (node_id, signal, epoch): type=") +
                     type_name(key.get()));
    }
    EventKey made;
    bool found = false;
    PyObject** const parts = PySequence_Fast_ITEMS(key.get());
    if (!in.keys.key(parts[0], parts[1], parts[2], Mode::kFind, made, found)) {
      return nullptr;
    }
    if (!found) {
      made.series = events::EventNames::kMaxSeries;
    }
    wanted.push_back(made);
  }
  const auto lists = in.store.get_batch(wanted);
  if (!lists.has_value()) {
    return failed(lists.error());
  }
  PyObject* out = PyList_New(static_cast<Py_ssize_t>(lists->size()));
  for (std::size_t i = 0; out != nullptr && i < lists->size(); ++i) {
    PyObject* one = list_of(in, (*lists)[i]);
    if (one == nullptr) {
      Py_CLEAR(out);
    } else {
      PyList_SET_ITEM(out, static_cast<Py_ssize_t>(i), one);
    }
  }
  return out;
}

PyObject* find(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  static const char* const kNames[] = {"node_id", "signal", "epochs"};
  PyObject* parsed[3];
  if (!parse("find", kNames, 3, args, count, keywords, parsed)) {
    return nullptr;
  }
  Inside& in = inside(self);
  EventBatch batch(in.keys);
  if (!batch.read_keys(parsed[0], parsed[1], parsed[2])) {
    return nullptr;
  }
  const Ref numpy(PyImport_ImportModule("numpy"));
  const Ref ids(numpy ? PyObject_CallMethod(numpy.get(), "empty", "ns",
                                            static_cast<Py_ssize_t>(batch.size()), "int64")
                      : nullptr);
  Py_buffer buffer;
  if (!ids || PyObject_GetBuffer(ids.get(), &buffer, PyBUF_CONTIG) != 0) {
    return nullptr;
  }
  base::Status status;
  {
    const core::HostUnlock unlock;
    status = in.store.find(batch.keys(), {static_cast<std::int64_t*>(buffer.buf), batch.size()});
  }
  PyBuffer_Release(&buffer);
  return status.has_value() ? ids.share() : failed(status.error());
}

PyObject* scan(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  static const char* const kNames[] = {"first_id", "limit"};
  PyObject* parsed[2];
  std::int64_t first = 0, limit = 1000;
  if (!parse("scan", kNames, 0, args, count, keywords, parsed) ||
      (parsed[0] != nullptr && !int64_from("first_id", parsed[0], first)) ||
      (parsed[1] != nullptr && !int64_from("limit", parsed[1], limit))) {
    return nullptr;
  }
  if (first < 0 || limit < 0) {
    return invalid("first_id and limit must not be negative: first_id=" + std::to_string(first) +
                   " limit=" + std::to_string(limit));
  }
  const auto found = inside(self).store.scan(first, static_cast<std::size_t>(limit));
  return found.has_value() ? list_of(inside(self), *found) : failed(found.error());
}

PyObject* clear(PyObject* self, PyObject*) {
  const base::Status status = inside(self).store.clear();
  return status.has_value() ? Py_NewRef(Py_None) : failed(status.error());
}

PyObject* clear_epoch(PyObject* self, PyObject* epoch) {
  std::int64_t root = 0;
  std::vector<std::pair<std::string, std::int64_t>> path;
  const bool is_int = PyLong_Check(epoch) || PyIndex_Check(epoch);
  const int is_epoch =
      is_int || epoch_type() == nullptr ? 0 : PyObject_IsInstance(epoch, epoch_type());
  if (is_int ? !int64_from("epoch", epoch, root)
             : is_epoch == 1 && !epoch_parts(epoch, root, path)) {
    return nullptr;
  }
  if (!is_int && is_epoch != 1) {
    return invalid(std::string("epoch must be an int or an Epoch: type=") + type_name(epoch));
  }
  const base::Status status = inside(self).store.clear_epoch(root, path);
  return status.has_value() ? Py_NewRef(Py_None) : failed(status.error());
}

PyObject* flush(PyObject* self, PyObject*) {
  base::Status status;
  {
    const core::HostUnlock unlock;
    status = inside(self).store.flush();
  }
  return status.has_value() ? Py_NewRef(Py_None) : failed(status.error());
}

// The store stays readable; its log is let go of when it goes.
PyObject* close(PyObject* self, PyObject*) {
  base::Status status;
  {
    const core::HostUnlock unlock;
    status = inside(self).store.close();
  }
  return status.has_value() ? Py_NewRef(Py_None) : failed(status.error());
}

PyObject* enter(PyObject* self, PyObject*) {
  return Py_NewRef(self);
}

PyObject* leave(PyObject* self, PyObject* const*, Py_ssize_t) {
  return close(self, nullptr);
}

PyObject* event_count(PyObject* self, PyObject*) {
  return PyLong_FromLongLong(inside(self).store.size());
}

Py_ssize_t length(PyObject* self) {
  return static_cast<Py_ssize_t>(inside(self).store.size());
}

PyObject* stats(PyObject* self, PyObject*) {
  const Inside& in = inside(self);
  return Py_BuildValue("{sLsLsIsLsL}", "events", static_cast<long long>(in.store.size()), "next_id",
                       static_cast<long long>(in.store.next_id()), "signals",
                       in.store.names().size(), "cache_hits",
                       static_cast<long long>(in.keys.num_hits()), "cache_misses",
                       static_cast<long long>(in.keys.num_misses()));
}

PyObject* backend(PyObject*, void*) {
  return PyUnicode_FromString("native");
}

template <class Function>
PyCFunction erased(Function* function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

constexpr int kFast = METH_FASTCALL | METH_KEYWORDS;

PyMethodDef methods[] = {
    {"add_event", erased(Guarded<add_event>::call), kFast,
     "add_event($self, node_id, signal, epoch, value, timestamp=None)\n--\n\n"
     "Add one event; its id: 0, 1, 2 ... in the order of adding.\n\n"
     "`epoch` is an int or an Epoch, `value` any object (the very same one comes back),\n"
     "`timestamp` a datetime or seconds of unix time; None is now. About 0.1 us."},
    {"get_events", erased(Guarded<get_events>::call), kFast,
     "get_events($self, node_id, signal, epoch)\n--\n\n"
     "Events of one signal in one epoch, oldest first: dicts of id, node_id, signal, epoch, value\n"
     "and timestamp (an aware datetime). O(events found)."},
    {"batch_add_events", erased(Guarded<batch_add_events>::call), kFast,
     "batch_add_events($self, *args, **kwargs)\n--\n\n"
     "Add many events at one moment; the range of their ids.\n\n"
     "batch_add_events(events): tuples (node_id, signal, epoch, value[, timestamp]) or dicts with\n"
     "these keys. batch_add_events(node_id, signal, epochs, values, timestamps=None): columns;\n"
     "`values` is a list, or an array of floats, integers or bools, `epochs` an int, a list or an\n"
     "int64 array, node_id and signal a str for all or a list. Arrays are copied without the\n"
     "interpreter lock, at the speed of memory."},
    {"batch_get_events", Guarded<batch_get_events>::call, METH_O,
     "batch_get_events($self, keys, /)\n--\n\n"
     "get_events() for each (node_id, signal, epoch), all as they were at one moment."},
    {"find", erased(Guarded<find>::call), kFast,
     "find($self, node_id, signal, epochs)\n--\n\n"
     "The id of the newest event for each epoch, -1 where there is none: an int64 array.\n\n"
     "Arguments as the columns of batch_add_events(). About 10 ns for each."},
    {"scan", erased(Guarded<scan>::call), kFast,
     "scan($self, first_id=0, limit=1000)\n--\n\n"
     "Up to `limit` events with ids from `first_id` on, in order."},
    {"clear", Guarded<clear>::call, METH_NOARGS,
     "clear($self)\n--\n\nForget all events. Ids go on."},
    {"clear_epoch", Guarded<clear_epoch>::call, METH_O,
     "clear_epoch($self, epoch, /)\n--\n\n"
     "Forget the events of an epoch and of all epochs inside it."},
    {"event_count", Guarded<event_count>::call, METH_NOARGS,
     "event_count($self)\n--\n\nHow many events there are."},
    {"flush", Guarded<flush>::call, METH_NOARGS,
     "flush($self)\n--\n\n"
     "Make everything so far outlast a crash; returns when it does. A store in memory has nothing "
     "to do."},
    {"close", Guarded<close>::call, METH_NOARGS,
     "close($self)\n--\n\n"
     "flush(), and let go of the log: another store may write it. Events can still be read."},
    {"__enter__", Guarded<enter>::call, METH_NOARGS, "__enter__($self)\n--\n\nThe store itself."},
    {"__exit__", erased(Guarded<leave>::call), METH_FASTCALL,
     "__exit__($self, *args)\n--\n\nclose()."},
    {"stats", Guarded<stats>::call, METH_NOARGS,
     "stats($self)\n--\n\n"
     "Counts: events, next_id, signals (names seen so far), and how often the cache knew the names "
     "of a call."},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef properties[] = {
    {"backend", backend, nullptr, "\"native\"", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

}  // namespace

std::shared_ptr<EventStore> store_of(PyObject* object) {
  if (event_store_type == nullptr || !PyObject_TypeCheck(object, event_store_type)) {
    throw_error({base::ErrorCode::kInvalidArgument,
                 "record_events() wants a native EventStore: type=" + type_name(object)});
  }
  return inside(object).owned;
}

void bind_event_store(nanobind::module_& m) {
  static PyType_Slot slots[] = {
      {Py_tp_new, reinterpret_cast<void*>(event_store_new)},
      {Py_tp_dealloc, reinterpret_cast<void*>(event_store_dealloc)},
      {Py_tp_traverse, reinterpret_cast<void*>(event_store_traverse)},
      {Py_tp_clear, reinterpret_cast<void*>(event_store_clear_refs)},
      {Py_tp_methods, methods},
      {Py_tp_getset, properties},
      {Py_sq_length, reinterpret_cast<void*>(length)},
      {Py_tp_doc,
       const_cast<char*>(
           "EventStore(cache_size=256, path=None, *, read_only=False)\n--\n\n"
           "Events by (node_id, signal, epoch): any number of threads add and read.\n\n"
           "Linearizable; readers never lock. `cache_size`: how many (node_id, signal) pairs are\n"
           "known by the identity of their str objects; no answer depends on it. `path`: a folder "
           "for\n"
           "its log; then values are written as they are encoded, and flush() makes them last.")},
      {0, nullptr},
  };
  static PyType_Spec spec = {"penstock._core.EventStore", sizeof(Self), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE, slots};
  PyObject* type = PyType_FromSpec(&spec);
  if (type == nullptr || PyModule_AddObjectRef(m.ptr(), "EventStore", type) != 0) {
    throw nanobind::python_error();
  }
  event_store_type = reinterpret_cast<PyTypeObject*>(type);
}

}  // namespace penstock::bindings
