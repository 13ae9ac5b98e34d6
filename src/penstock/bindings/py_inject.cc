#include "penstock/bindings/py_inject.h"

#include <algorithm>

#include "penstock/bindings/py_host.h"

namespace penstock::bindings {
namespace {

/// A list of (map id, index), one per enclosing map down to `depth`.
PyObject* make_path(const core::Context& context, const std::vector<std::string>& maps,
                    std::size_t depth) {
  PyObject* path = PyList_New(0);
  for (std::size_t i = 0; path != nullptr && i < std::min(depth, context.path.size()); ++i) {
    PyObject* step =
        Py_BuildValue("(sL)", maps[i].c_str(), static_cast<long long>(context.path[i]));
    const int failed = step == nullptr ? -1 : PyList_Append(path, step);
    Py_XDECREF(step);
    if (failed != 0) {
      Py_CLEAR(path);
    }
  }
  return path;
}

std::vector<std::string> maps_of(const core::Context& context) {
  return context.wiring != nullptr && !context.path.empty() ? context.wiring->maps(context.node)
                                                            : std::vector<std::string>();
}

PyObject* make_epoch(const Injection& injection, const core::Context& context) {
  const Ref path(make_path(context, maps_of(context), context.path.size()));
  if (!path) {
    return nullptr;
  }
  return PyObject_CallFunction(injection.cls.get(), "LO", static_cast<long long>(context.epoch),
                               path.get());
}

/// One raw event as _events.make_received() makes it, added to `events` under `slot`.
bool add_event(PyObject* events, PyObject* make, PyObject* slot, const core::Call& call,
               std::size_t input, const std::vector<std::string>& maps) {
  const core::Context& context = *call.context;
  const auto source = context.wiring->source(context.node, static_cast<std::int32_t>(input));
  const Ref path(make_path(context, maps, static_cast<std::size_t>(source.depth)));
  const Ref value(unbox(*call.inputs[input]));
  if (!path || !value) {
    return false;
  }
  const Ref event(PyObject_CallFunction(make, "ssLOO", source.node.c_str(), source.signal.c_str(),
                                        static_cast<long long>(context.epoch), path.get(),
                                        value.get()));
  return event && PyDict_SetItem(events, slot, event.get()) == 0;
}

PyObject* make_events(const core::Call& call, std::span<const Ref> slots) {
  const Ref module(PyImport_ImportModule("penstock._events"));
  const Ref cls(module ? PyObject_GetAttrString(module.get(), "EventMap") : nullptr);
  const Ref make(module ? PyObject_GetAttrString(module.get(), "make_received") : nullptr);
  if (!cls || !make) {
    return nullptr;
  }
  Ref events(PyObject_CallNoArgs(cls.get()));
  const std::vector<std::string> maps = maps_of(*call.context);
  for (std::size_t i = 0; events && call.context->wiring != nullptr && i < slots.size(); ++i) {
    if (!call.inputs[i]->is_absent() &&
        !add_event(events.get(), make.get(), slots[i].get(), call, i, maps)) {
      return nullptr;
    }
  }
  return events.release();
}

}  // namespace

std::vector<Injection> read_injections(PyObject* tuple) {
  std::vector<Injection> found;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple); ++i) {
    PyObject* item = PyTuple_GET_ITEM(tuple, i);
    const bool is_epoch = PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(item, 1), "epoch") == 0;
    found.push_back({.name = PyUnicode_AsUTF8(PyTuple_GET_ITEM(item, 0)),
                     .kind = is_epoch ? Injection::Kind::kEpoch : Injection::Kind::kEvents,
                     .cls = Ref(Py_NewRef(PyTuple_GET_ITEM(item, 2)))});
  }
  return found;
}

PyObject* make_injected(const Injection& injection, const core::Call& call,
                        std::span<const Ref> slots) {
  return injection.kind == Injection::Kind::kEpoch ? make_epoch(injection, *call.context)
                                                   : make_events(call, slots);
}

}  // namespace penstock::bindings
