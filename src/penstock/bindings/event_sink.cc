#include "penstock/bindings/event_sink.h"

#include <cstddef>
#include <span>
#include <string_view>

#include "penstock/bindings/py_host.h"
#include "penstock/core/host.h"

namespace penstock::bindings {
namespace {

PyObject* text(std::string_view view) {
  return PyUnicode_FromStringAndSize(view.data(), static_cast<Py_ssize_t>(view.size()));
}

PyObject* step(const std::string& map, std::int64_t index) {
  return Py_BuildValue("(NL)", text(map), static_cast<long long>(index));
}

PyObject* path_of(const flow::Epoch& epoch) {
  PyObject* path = PyTuple_New(static_cast<Py_ssize_t>(epoch.path.size()));
  for (std::size_t i = 0; path != nullptr && i < epoch.path.size(); ++i) {
    PyTuple_SET_ITEM(path, static_cast<Py_ssize_t>(i),
                     step(epoch.path[i].first, epoch.path[i].second));
  }
  return path;
}

PyObject* path_of(const std::vector<std::string>& maps, std::span<const std::int64_t> indices) {
  PyObject* path = PyTuple_New(static_cast<Py_ssize_t>(indices.size()));
  for (std::size_t i = 0; path != nullptr && i < indices.size(); ++i) {
    PyTuple_SET_ITEM(path, static_cast<Py_ssize_t>(i), step(maps[i], indices[i]));
  }
  return path;
}

}  // namespace

EventSink::EventSink(Ref callable, std::shared_ptr<const flow::Plan> plan)
    : callable_(std::move(callable)), plan_(std::move(plan)) {
  for (const flow::Region& region : plan_->regions()) {
    std::vector<std::string> maps;
    if (region.parent != flow::kNone) {
      maps = maps_[static_cast<std::size_t>(region.parent)];  // parents come first
      maps.push_back(plan_->nodes()[static_cast<std::size_t>(region.map)].id);
    }
    maps_.push_back(std::move(maps));
  }
}

const std::vector<std::string>& EventSink::maps_of(std::int32_t node) {
  const auto region = plan_->nodes()[static_cast<std::size_t>(node)].region;
  return maps_[static_cast<std::size_t>(region)];
}

base::Status EventSink::send(PyObject* record) {
  if (record == nullptr) {
    return base::fail(take_python_error().with_context("callback"));
  }
  PyObject* done = PyObject_CallOneArg(callable_.get(), record);
  Py_DECREF(record);
  if (done == nullptr) {
    return base::fail(take_python_error().with_context("callback"));
  }
  Py_DECREF(done);
  return {};
}

void EventSink::on_node_run(const flow::NodeRun& run) {
  const flow::PlanNode& node = plan_->nodes()[static_cast<std::size_t>(run.node)];
  const bool exhausted = run.status == flow::NodeStatus::kExhausted;
  // A call that gave its one signal is told by its event.
  const bool gave = run.status == flow::NodeStatus::kRan || run.status == flow::NodeStatus::kReused;
  const bool may_lack = run.status == flow::NodeStatus::kNoEvent || (gave && node.num_signals > 1);
  if ((!exhausted && !may_lack) || !failed_.has_value()) {
    return;
  }
  const core::HostLock lock;
  if (callable_) {
    PyObject* path = path_of(maps_of(run.node), run.path);
    failed_ = send(Py_BuildValue("(NsLN)", text(node.id), exhausted ? "exhausted" : "none",
                                 static_cast<long long>(run.root_epoch), path));
  }
}

base::Status EventSink::on_event(const flow::Event& event) {
  if (!failed_.has_value()) {
    return std::exchange(failed_, base::Status());
  }
  const core::HostLock lock;
  if (!callable_) {
    return {};
  }
  return send(Py_BuildValue("(NNLNNLL)", text(event.node_id), text(event.signal),
                            static_cast<long long>(event.epoch->root), path_of(*event.epoch),
                            unbox(*event.value), static_cast<long long>(event.id),
                            static_cast<long long>(event.timestamp_us)));
}

}  // namespace penstock::bindings
