#include "penstock/bindings/plan_blob.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

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

/// Names in __main__ that the tube and the tubes in it use.
void find_main_names(const flow::Spec& spec, std::vector<std::string>& names) {
  constexpr std::string_view kMain = "__main__.";
  const auto add = [&](const std::string& type) {
    if (type.starts_with(kMain) &&
        std::ranges::find(names, type.substr(kMain.size())) == names.end()) {
      names.push_back(type.substr(kMain.size()));
    }
  };
  for (const flow::NodeSpec& node : spec.nodes) {
    add(node.type);
    if (node.tube != nullptr) {
      find_main_names(*node.tube, names);
    }
  }
  for (const flow::AssetSpec& asset : spec.assets) {
    add(asset.type);
  }
}

PyObject* list_of(const std::vector<std::string>& names) {
  PyObject* list = PyList_New(0);
  for (const std::string& name : names) {
    PyObject* text = PyUnicode_FromString(name.c_str());
    PyList_Append(list, text);
    Py_DECREF(text);
  }
  return list;
}

}  // namespace

base::Result<std::string> make_plan_blob(const flow::Plan& plan, const core::Value& tube_inputs) {
  std::vector<std::string> names;
  find_main_names(plan.spec(), names);
  PyObject* host = call_worker_module("describe_host", Py_BuildValue("(N)", list_of(names)));
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
  PyObject* done = call_worker_module("prepare", Py_BuildValue("(N)", from_value(blob.host)));
  if (done == nullptr) {
    base::Error error = take_python_error();
    return base::fail(error.id().empty() ? error.with_id("PS0505") : error);
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
