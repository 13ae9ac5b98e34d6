// _core.Scheduler: flow::GraphScheduler over the nodes of a dict or of a tube, any hashable
// objects.
//
// Guarded by the interpreter lock.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nanobind/nanobind.h>

#include "penstock/bindings/bind.h"
#include "penstock/bindings/py_error.h"
#include "penstock/bindings/py_value.h"
#include "penstock/flow/graph_scheduler.h"

namespace penstock::bindings {
namespace {

namespace nb = nanobind;
using flow::GraphScheduler;

struct Scheduler {
  PyObject_HEAD;
  PyObject* nodes;  ///< list: the node of each number
  PyObject* index;  ///< dict: the number of each node
  GraphScheduler* core;
  std::size_t hint;  ///< among core->ready(): whose turn it is to be completed, in all likelihood
};

Scheduler& cast(PyObject* self) {
  return *reinterpret_cast<Scheduler*>(self);
}

PyObject* fail_with(base::ErrorCode code, std::string message, std::string_view id,
                    std::string_view help) {
  set_error(base::Error(code, std::move(message)).with_id(id).with_help(help));
  return nullptr;
}

/// repr(node), cut to 60 characters. Empty with an error set when it has none.
std::string show(PyObject* node) {
  constexpr Py_ssize_t kMaxLength = 60;
  std::string out;
  PyObject* text = PyObject_Repr(node);
  if (text != nullptr && PyUnicode_GET_LENGTH(text) > kMaxLength) {
    Py_SETREF(text, PyUnicode_Substring(text, 0, kMaxLength - 3));
    out = "...";
  }
  const char* const utf8 = text == nullptr ? nullptr : PyUnicode_AsUTF8(text);
  out = utf8 == nullptr ? "" : utf8 + out;
  Py_XDECREF(text);
  return out;
}

/// The number of `node`, given one if it is new; -1 with an error set.
std::int32_t enter(Scheduler& self, PyObject* node) {
  PyObject* const known = PyDict_GetItemWithError(self.index, node);
  if (known != nullptr) {
    return static_cast<std::int32_t>(PyLong_AsLong(known));
  }
  if (PyErr_Occurred() != nullptr) {
    return -1;
  }
  const Py_ssize_t number = PyList_GET_SIZE(self.nodes);
  if (std::cmp_greater_equal(number, GraphScheduler::kMaxNodes)) {
    fail_with(base::ErrorCode::kOutOfRange,
              fmt::format("a graph has at most {} nodes", GraphScheduler::kMaxNodes), "", "");
    return -1;
  }
  PyObject* const made = PyLong_FromSsize_t(number);
  const bool is_in = made != nullptr && PyDict_SetItem(self.index, node, made) == 0 &&
                     PyList_Append(self.nodes, node) == 0;
  Py_XDECREF(made);
  return is_in ? static_cast<std::int32_t>(number) : -1;
}

bool enter_row(Scheduler& self, PyObject* node, PyObject* predecessors,
               std::vector<GraphScheduler::Edge>& edges) {
  const std::int32_t number = enter(self, node);
  PyObject* const row = number < 0 ? nullptr : PyObject_GetIter(predecessors);
  if (row == nullptr) {
    return false;
  }
  while (PyObject* const predecessor = PyIter_Next(row)) {
    const std::int32_t from = enter(self, predecessor);
    Py_DECREF(predecessor);
    if (from < 0) {
      break;
    }
    edges.push_back({.node = number, .predecessor = from});
  }
  Py_DECREF(row);
  return PyErr_Occurred() == nullptr;
}

/// Pairs of a node and its predecessors, as a list. A tube says what its nodes depend on.
PyObject* rows_of(PyObject* graph) {
  if (PyObject_HasAttrString(graph, "items") != 0) {
    return PyMapping_Items(graph);
  }
  if (PyObject_HasAttrString(graph, "depends") != 0) {
    PyObject* const depends = PyObject_GetAttrString(graph, "depends");
    PyObject* const rows = depends == nullptr ? nullptr : PyMapping_Items(depends);
    Py_XDECREF(depends);
    return rows;
  }
  PyObject* const name = PyType_GetName(Py_TYPE(graph));
  if (name != nullptr) {
    fail_with(base::ErrorCode::kInvalidArgument,
              fmt::format("a graph is a Tube, or a dict of each node and what it waits for, not an "
                          "object of type {}",
                          PyUnicode_AsUTF8(name)),
              "", "");
    Py_DECREF(name);
  }
  return nullptr;
}

void refuse_cycle(const Scheduler& self, std::span<const std::int32_t> cycle) {
  constexpr std::size_t kMaxShown = 8;
  std::string text;
  for (const std::int32_t node : cycle.first(std::min(cycle.size(), kMaxShown))) {
    text += show(PyList_GET_ITEM(self.nodes, node)) + " -> ";
    if (PyErr_Occurred() != nullptr) {
      return;
    }
  }
  text += cycle.size() > kMaxShown ? fmt::format("... ({} nodes)", cycle.size())
                                   : show(PyList_GET_ITEM(self.nodes, cycle.front()));
  if (PyErr_Occurred() == nullptr) {
    fail_with(base::ErrorCode::kInvalidArgument, "the graph has a cycle: " + text, "PS0465",
              "leave out one of these edges");
  }
}

bool fill(Scheduler& self, PyObject* graph) {
  std::vector<GraphScheduler::Edge> edges;
  PyObject* const rows = rows_of(graph);
  if (rows == nullptr) {
    return false;
  }
  bool is_good = true;
  for (Py_ssize_t i = 0; is_good && i < PyList_GET_SIZE(rows); ++i) {
    PyObject* node = nullptr;
    PyObject* predecessors = nullptr;
    is_good = PyArg_ParseTuple(PyList_GET_ITEM(rows, i), "OO", &node, &predecessors) != 0 &&
              enter_row(self, node, predecessors, edges);
  }
  Py_DECREF(rows);
  if (!is_good) {
    return false;
  }
  const auto count = static_cast<std::size_t>(PyList_GET_SIZE(self.nodes));
  self.core = new GraphScheduler(count, edges);
  const std::vector<std::int32_t> cycle = self.core->find_cycle(edges);
  if (!cycle.empty()) {
    refuse_cycle(self, cycle);
  }
  return PyErr_Occurred() == nullptr;
}

PyObject* make(PyTypeObject* type, PyObject* arguments, PyObject* keywords) {
  static const char* const kNames[] = {"graph", nullptr};
  PyObject* graph = nullptr;
  if (PyArg_ParseTupleAndKeywords(arguments, keywords, "O:Scheduler", const_cast<char**>(kNames),
                                  &graph) == 0) {
    return nullptr;
  }
  PyObject* const object = type->tp_alloc(type, 0);
  if (object == nullptr) {
    return nullptr;
  }
  Scheduler& self = cast(object);
  self.nodes = PyList_New(0);
  self.index = PyDict_New();
  bool is_good = self.nodes != nullptr && self.index != nullptr;
  try {
    is_good = is_good && fill(self, graph);
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
    is_good = false;
  }
  if (!is_good) {
    Py_DECREF(object);
    return nullptr;
  }
  return object;
}

int traverse(PyObject* object, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(object));
  Py_VISIT(cast(object).nodes);
  Py_VISIT(cast(object).index);
  return 0;
}

int clear(PyObject* object) {
  Py_CLEAR(cast(object).nodes);
  Py_CLEAR(cast(object).index);
  return 0;
}

// The garbage collector has taken the nodes away, and a finalizer of one of them still calls.
bool is_cleared(PyObject* object) {
  if (cast(object).nodes != nullptr) {
    return false;
  }
  PyErr_SetString(PyExc_RuntimeError, "this scheduler is gone");
  return true;
}

void end(PyObject* object) {
  PyObject_GC_UnTrack(object);
  clear(object);
  delete cast(object).core;
  PyTypeObject* const type = Py_TYPE(object);
  type->tp_free(object);
  Py_DECREF(type);
}

PyObject* list_of(const Scheduler& self, std::span<const std::int32_t> numbers) {
  PyObject* const out = PyList_New(static_cast<Py_ssize_t>(numbers.size()));
  for (std::size_t i = 0; out != nullptr && i < numbers.size(); ++i) {
    PyList_SET_ITEM(out, static_cast<Py_ssize_t>(i),
                    Py_NewRef(PyList_GET_ITEM(self.nodes, numbers[i])));
  }
  return out;
}

/// What became ready since there were `before`, and is not completed. There may be fewer: a node's
/// own __eq__ may have started anew.
PyObject* list_since(const Scheduler& self, std::size_t before) {
  const std::span<const std::int32_t> ready = self.core->ready();
  std::vector<std::int32_t> open;
  open.reserve(ready.size() - std::min(before, ready.size()));
  for (const std::int32_t number : ready.subspan(std::min(before, ready.size()))) {
    if (!self.core->is_completed(number)) {
      open.push_back(number);
    }
  }
  return list_of(self, open);
}

PyObject* take(PyObject* object, std::size_t limit) {
  const Scheduler& self = cast(object);
  if (is_cleared(object)) {
    return nullptr;
  }
  std::vector<std::int32_t> taken;
  taken.reserve(std::min(limit, self.core->num_untaken()));
  self.core->take(limit, [&taken](std::int32_t node) { taken.push_back(node); });
  return list_of(self, taken);
}

PyObject* get_ready_nodes(PyObject* object, PyObject*) {
  return take(object, SIZE_MAX);
}

PyObject* get_ready(PyObject* object, PyObject* batch) {
  PyObject* const number = PyNumber_Index(batch);
  if (number == nullptr) {
    return nullptr;
  }
  int overflow = 0;
  const long long count = PyLong_AsLongLongAndOverflow(number, &overflow);
  Py_DECREF(number);
  if (overflow < 0 || (overflow == 0 && count < 1)) {
    const std::string seen = show(batch);
    return PyErr_Occurred() != nullptr
               ? nullptr
               : fail_with(base::ErrorCode::kInvalidArgument,
                           "batch must be at least 1: batch=" + seen, "", "");
  }
  return take(object, overflow > 0 ? SIZE_MAX : static_cast<std::size_t>(count));
}

/// The number of `node`; -1 with an error set when it has none. Most are completed in the order
/// they became ready, and then this is a comparison instead of a search.
std::int32_t number_of(Scheduler& self, PyObject* node) {
  const std::span<const std::int32_t> ready = self.core->ready();
  while (self.hint < ready.size() && self.core->is_completed(ready[self.hint])) {
    ++self.hint;
  }
  if (self.hint < ready.size() && PyList_GET_ITEM(self.nodes, ready[self.hint]) == node) {
    return ready[self.hint];
  }
  PyObject* const known = PyDict_GetItemWithError(self.index, node);
  if (known != nullptr) {
    return static_cast<std::int32_t>(PyLong_AsLong(known));
  }
  const std::string shown = PyErr_Occurred() != nullptr ? "" : show(node);
  if (PyErr_Occurred() == nullptr) {
    fail_with(base::ErrorCode::kNotFound, "no such node in the graph: " + shown, "PS0464", "");
  }
  return -1;
}

bool complete(Scheduler& self, PyObject* node) {
  const std::int32_t number = number_of(self, node);
  if (number < 0) {
    return false;
  }
  const GraphScheduler::Refusal refusal = self.core->complete(number);
  if (refusal == GraphScheduler::Refusal::kNone) [[likely]] {
    return true;
  }
  const std::string shown = show(node);
  if (PyErr_Occurred() == nullptr) {
    const std::uint32_t missing = self.core->num_missing(number);
    fail_with(base::ErrorCode::kFailedPrecondition,
              refusal == GraphScheduler::Refusal::kCompleted
                  ? fmt::format("node {} is completed already", shown)
                  : fmt::format("node {} is not ready: {} of its inputs {} not completed", shown,
                                missing, missing == 1 ? "is" : "are"),
              "PS0463", "complete each node once, after the ones it waits for");
  }
  return false;
}

PyObject* mark_completed(PyObject* object, PyObject* node) {
  Scheduler& self = cast(object);
  if (is_cleared(object)) {
    return nullptr;
  }
  const std::size_t before = self.core->ready().size();
  return complete(self, node) ? list_since(self, before) : nullptr;
}

PyObject* mark_done(PyObject* object, PyObject* done) {
  if (!PyList_Check(done)) {
    return mark_completed(object, done);
  }
  Scheduler& self = cast(object);
  if (is_cleared(object)) {
    return nullptr;
  }
  const std::size_t before = self.core->ready().size();
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(done); ++i) {
    // What a node's own __eq__ does must not take it away meanwhile.
    PyObject* const node = Py_NewRef(PyList_GET_ITEM(done, i));
    const bool is_done = complete(self, node);
    Py_DECREF(node);
    if (!is_done) {
      return nullptr;
    }
  }
  return list_since(self, before);
}

PyObject* reset(PyObject* object, PyObject*) {
  cast(object).core->reset();
  cast(object).hint = 0;
  Py_RETURN_NONE;
}

PyObject* is_complete(PyObject* object, PyObject*) {
  return PyBool_FromLong(cast(object).core->is_complete());
}

PyObject* get_backend(PyObject*, void*) {
  return PyUnicode_InternFromString("native");
}

}  // namespace

void bind_scheduler(nb::module_& m) {
  static PyMethodDef methods[] = {
      {"get_ready_nodes", &Guarded<&get_ready_nodes>::call, METH_NOARGS,
       "get_ready_nodes($self, /)\n--\n\nAll nodes that are ready and were not given before."},
      {"get_ready", &Guarded<&get_ready>::call, METH_O,
       "get_ready($self, batch, /)\n--\n\nThe same, at most `batch` of them, oldest first."},
      {"mark_completed", &Guarded<&mark_completed>::call, METH_O,
       "mark_completed($self, node, /)\n--\n\nA ready node is done. The nodes that became ready."},
      {"mark_done", &Guarded<&mark_done>::call, METH_O,
       "mark_done($self, done, /)\n--\n\nThe same for a node, or for each of a list, in order."},
      {"reset", &reset, METH_NOARGS,
       "reset($self, /)\n--\n\nBack to the start: nothing given, nothing completed."},
      {"is_complete", &is_complete, METH_NOARGS,
       "is_complete($self, /)\n--\n\nWhether every node is completed."},
      {nullptr, nullptr, 0, nullptr}};
  static PyGetSetDef attributes[] = {{"backend", &get_backend, nullptr, "\"native\"", nullptr},
                                     {nullptr, nullptr, nullptr, nullptr, nullptr}};
  static PyType_Slot slots[] = {
      {Py_tp_new, reinterpret_cast<void*>(&make)},
      {Py_tp_dealloc, reinterpret_cast<void*>(&end)},
      {Py_tp_traverse, reinterpret_cast<void*>(&traverse)},
      {Py_tp_clear, reinterpret_cast<void*>(&clear)},
      {Py_tp_methods, methods},
      {Py_tp_getset, attributes},
      {Py_tp_doc,
       const_cast<char*>("Scheduler(graph)\n--\n\n"
                         "Says which nodes of a graph are ready: of a Tube, or of a dict "
                         "of each node and what it waits for.")},
      {0, nullptr}};
  static PyType_Spec spec = {"penstock._core.Scheduler", sizeof(Scheduler), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, slots};
  m.attr("Scheduler") = nb::steal(PyType_FromSpec(&spec));
}

}  // namespace penstock::bindings
