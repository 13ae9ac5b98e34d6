#include "penstock/bindings/plan_blob.h"

#include <algorithm>

#include <Python.h>

#include "penstock/bindings/engine.h"
#include "penstock/bindings/pipeline_file.h"
#include "penstock/bindings/py_host.h"
#include "penstock/bindings/py_value.h"
#include "penstock/core/host.h"
#include "penstock/flow/plan_blob.h"

namespace penstock::bindings {
namespace {

/// The result of penstock._worker.<function>(); null with the Python error set.
PyObject* call_worker_module(const char* function, PyObject* arguments) {
  PyObject* module = PyImport_ImportModule("penstock._worker");
  PyObject* callable = module != nullptr ? PyObject_GetAttrString(module, function) : nullptr;
  PyObject* result = callable != nullptr && arguments != nullptr
                         ? PyObject_CallObject(callable, arguments)
                         : nullptr;
  Py_XDECREF(callable);
  Py_XDECREF(module);
  Py_XDECREF(arguments);
  return result;
}

bool names_main(const flow::Spec& spec) {
  return std::ranges::any_of(
      spec.nodes, [](const flow::NodeSpec& node) { return node.type.starts_with("__main__."); });
}

}  // namespace

base::Result<std::string> make_plan_blob(const flow::Plan& plan, const core::Value& tube_inputs) {
  PyObject* host = call_worker_module("describe_host", PyTuple_New(0));
  if (host == nullptr) {
    return base::fail(take_python_error());
  }
  auto host_value = to_value(host);
  Py_DECREF(host);
  PENSTOCK_RETURN_IF_ERROR(host_value);
  std::vector<core::MapEntry> entries = host_value->as_map();
  entries.emplace_back("functions", core::Value::text(pipeline_file_path(plan.spec().file)));
  return flow::write_plan_blob(plan, tube_inputs, core::Value::map(std::move(entries)));
}

base::Result<std::shared_ptr<const flow::Plan>> compile_plan_blob(std::string_view bytes) {
  const core::HostLock lock;
  PENSTOCK_ASSIGN_OR_RETURN(const flow::PlanBlob blob, flow::read_plan_blob(bytes));
  PyObject* arguments =
      Py_BuildValue("(NO)", from_value(blob.host), names_main(*blob.spec) ? Py_True : Py_False);
  PyObject* done = call_worker_module("prepare", arguments);
  if (done == nullptr) {
    return base::fail(take_python_error().with_id("PS0505"));
  }
  Py_DECREF(done);
  const core::Value* const functions = blob.host.find("functions");
  if (functions != nullptr && !functions->as_text().empty() &&
      !open_pipeline_module(functions->as_text())) {
    return base::fail(take_python_error().with_id("PS0505"));
  }
  auto plan = flow::Plan::compile(blob.spec, resolvers(), blob.tube_inputs);
  if (!plan.has_value()) {
    return base::fail(flow::to_error(plan.error()));
  }
  return std::move(*plan);
}

}  // namespace penstock::bindings
