#include "penstock/bindings/py_error.h"

#include <utility>

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "penstock/bindings/py_host.h"
#include "penstock/core/host.h"

namespace penstock::bindings {
namespace {

namespace nb = nanobind;

[[noreturn]] void raise(nb::object exception) {
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception.ptr())), exception.ptr());
  throw nb::python_error();
}

/// An exception of this process, until it is raised again: errors that the engine remembers must
/// not keep the frames of a failed call alive. A value, since an error may go without the lock.
class KeptException final : public base::ErrorCause {
 public:
  explicit KeptException(PyObject* exception) : exception_(box(Py_NewRef(exception))) {}

  /// None after the first call. Lock held.
  nb::object take() const {
    const core::Value taken = std::exchange(exception_, core::Value::null());
    return nb::steal(unbox(taken));
  }
  std::string portable() const override {
    const core::HostLock lock;
    try {
      const auto bytes = nb::cast<nb::bytes>(nb::module_::import_("penstock._errors")
                                                 .attr("pack_cause")(nb::steal(unbox(exception_))));
      return {bytes.c_str(), bytes.size()};
    } catch (nb::python_error&) {
      return {};
    }
  }
  std::string kinds() const override {
    const core::HostLock lock;
    std::string names;
    try {
      const nb::object exception = nb::steal(unbox(exception_));
      for (const nb::handle type : exception.type().attr("__mro__")) {
        const auto module = nb::cast<std::string>(type.attr("__module__"));
        names += (names.empty() ? "" : "\n") + module + "." +
                 nb::cast<std::string>(type.attr("__qualname__"));
      }
    } catch (nb::python_error&) {
      return {};
    }
    return names;
  }

 private:
  mutable core::Value exception_;  ///< guarded by the interpreter lock
};

/// An exception, bytes of one, or None.
nb::object cause_of(const base::Error& error) {
  const auto* kept = dynamic_cast<const KeptException*>(error.cause().get());
  if (kept != nullptr) {
    return kept->take();
  }
  if (error.cause() == nullptr) {
    return nb::none();
  }
  const std::string bytes = error.cause()->portable();
  return nb::bytes(bytes.data(), bytes.size());
}

}  // namespace

std::shared_ptr<const base::ErrorCause> keep_exception(PyObject* exception) {
  return std::make_shared<const KeptException>(exception);
}

void throw_error(const base::Error& error) {
  raise(nb::module_::import_("penstock._errors")
            .attr("make_error")(std::string(base::to_string(error.code())), error.message(),
                                error.origin(), error.id(), error.help(), error.trace(),
                                cause_of(error)));
}

void throw_diagnostics(const flow::Diagnostics& diagnostics) {
  if (flow::was_interrupted(diagnostics)) {
    PyErr_SetNone(PyExc_KeyboardInterrupt);
    throw nb::python_error();
  }
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
