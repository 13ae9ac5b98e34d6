// The command line inside Python: the same one as the native executable's, with Python nodes.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "penstock/bindings/bind.h"
#include "penstock/bindings/engine.h"
#include "penstock/bindings/pipeline_file.h"
#include "penstock/cli/cli.h"
#include "penstock/core/host.h"

namespace penstock::bindings {
namespace {

namespace nb = nanobind;

int cli_main(const std::vector<std::string>& args) {
  cli::CliHost host;
  host.resolvers = {python_resolver()};
  host.has_python = true;
  host.python_version = PY_VERSION;
  host.make_executor = [](const flow::Plan& plan, const cli::ExecutorRequest& request,
                          const core::Value& tube_inputs) {
    const core::HostLock lock;
    return make_executor(plan, {request.runner, request.num_workers, request.task_timeout_s},
                         tube_inputs);
  };
  host.make_isolation = [](const flow::Plan& plan, const std::string& runner,
                           const core::Value& tube_inputs) {
    const core::HostLock lock;
    return make_isolation(plan, runner, tube_inputs);
  };
  host.read_functions = [](const std::string& path, bool execute) {
    const core::HostLock lock;
    return read_pipeline_file(path, execute);
  };
  host.look_around = [] {
    const core::HostLock lock;
    std::vector<cli::Finding> found;
    const nb::object rows = nb::module_::import_("penstock._doctor").attr("look_around")();
    for (const nb::handle row : rows) {
      found.push_back({nb::cast<std::string>(row[0]), nb::cast<std::string>(row[1]),
                       nb::cast<bool>(row[2]), nb::cast<std::string>(row[3])});
    }
    return found;
  };
  return cli::main(args, host);
}

}  // namespace

void bind_cli(nb::module_& m) {
  m.def("cli_main", &cli_main, nb::arg("args"));
}

}  // namespace penstock::bindings
