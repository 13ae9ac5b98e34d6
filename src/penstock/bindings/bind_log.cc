// _core.log_line(): a line for the log of the node that the calling thread is running.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "penstock/bindings/bind.h"
#include "penstock/bindings/py_log.h"

namespace penstock::bindings {
namespace {

thread_local const core::Context* current_call = nullptr;

bool log_line(const std::string& line) {
  if (current_call == nullptr) {
    return false;
  }
  current_call->log(line);
  return true;
}

}  // namespace

CallScope::CallScope(const core::Context* context) : outer_(current_call) {
  current_call = context;
}

CallScope::~CallScope() {
  current_call = outer_;
}

void bind_log(nanobind::module_& m) {
  m.def("log_line", &log_line, nanobind::arg("line"),
        "Add a line to the log of the node this thread is running; False outside a node.");
}

}  // namespace penstock::bindings
