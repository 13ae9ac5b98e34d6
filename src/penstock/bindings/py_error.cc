#include "penstock/bindings/py_error.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

namespace penstock::bindings {
namespace {

namespace nb = nanobind;

[[noreturn]] void raise(nb::object exception) {
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception.ptr())), exception.ptr());
  throw nb::python_error();
}

}  // namespace

void throw_error(const base::Error& error) {
  raise(nb::module_::import_("penstock._errors")
            .attr("make_error")(std::string(base::to_string(error.code())), error.message(),
                                error.origin(), error.id(), error.help(), error.trace()));
}

void throw_diagnostics(const flow::Diagnostics& diagnostics) {
  nb::list items;
  for (const flow::Diagnostic& d : diagnostics) {
    nb::dict item;
    item["id"] = d.id;
    item["message"] = d.message;
    item["file"] = d.location.file;
    item["line"] = d.location.line;
    item["column"] = d.location.column;
    item["help"] = d.help;
    item["text"] = flow::render(d, false);
    items.append(item);
  }
  const bool missing =
      diagnostics.size() == 1 && flow::to_error(diagnostics).code() == base::ErrorCode::kNotFound;
  raise(nb::module_::import_("penstock._errors").attr("make_load_error")(items, missing));
}

}  // namespace penstock::bindings
