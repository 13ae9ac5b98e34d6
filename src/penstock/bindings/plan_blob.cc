#include "penstock/bindings/plan_blob.h"

#include <algorithm>
#include <limits>

#include <Python.h>
#include <fmt/format.h>

#include "penstock/bindings/engine.h"
#include "penstock/bindings/py_host.h"
#include "penstock/bindings/py_value.h"
#include "penstock/core/identity.h"
#include "penstock/flow/spec_yaml.h"

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
  PENSTOCK_ASSIGN_OR_RETURN(const core::Value inputs, core::to_native(tube_inputs));
  PENSTOCK_ASSIGN_OR_RETURN(std::string yaml, flow::to_yaml(plan.spec()));
  PyObject* host = call_worker_module("describe_host", PyTuple_New(0));
  if (host == nullptr) {
    return base::fail(take_python_error());
  }
  auto host_value = to_value(host);
  Py_DECREF(host);
  PENSTOCK_RETURN_IF_ERROR(host_value);
  const core::Value blob = core::Value::map({
      {"tube", core::Value::text(std::move(yaml))},
      {"file", core::Value::text(plan.spec().file)},
      {"inputs", inputs.is_absent() ? core::Value::map({}) : inputs},
      {"digest", core::Value::text(plan.digest().to_hex())},
      {"host", std::move(*host_value)},
  });
  PENSTOCK_ASSIGN_OR_RETURN(core::Message message,
                            core::encode_transport(blob, std::numeric_limits<std::int64_t>::max()));
  return std::move(message.header);
}

base::Result<std::shared_ptr<const flow::Plan>> compile_plan_blob(std::string_view bytes) {
  PENSTOCK_ASSIGN_OR_RETURN(const core::Value blob, core::decode_transport(bytes, {}));
  const core::HostLock lock;
  auto spec = flow::parse_spec(blob.find("tube")->as_text(), blob.find("file")->as_text());
  if (!spec.has_value()) {
    return base::fail(flow::to_error(spec.error()));
  }
  PyObject* arguments =
      Py_BuildValue("(NO)", from_value(*blob.find("host")), names_main(*spec) ? Py_True : Py_False);
  PyObject* done = call_worker_module("prepare", arguments);
  if (done == nullptr) {
    return base::fail(take_python_error().with_id("PS0505"));
  }
  Py_DECREF(done);
  auto plan = flow::Plan::compile(std::make_shared<const flow::Spec>(std::move(*spec)), resolvers(),
                                  *blob.find("inputs"));
  if (!plan.has_value()) {
    return base::fail(flow::to_error(plan.error()));
  }
  const std::string& wanted = blob.find("digest")->as_text();
  if ((*plan)->digest().to_hex() != wanted) {
    return base::fail(
        base::ErrorCode::kFailedPrecondition,
        fmt::format("the worker compiled another plan than the run: digest {} wanted {}",
                    (*plan)->digest().to_hex(), wanted));
  }
  return std::move(*plan);
}

}  // namespace penstock::bindings
