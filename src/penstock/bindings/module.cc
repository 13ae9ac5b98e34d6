// penstock._core: the private extension module behind the Python package.
#include <nanobind/nanobind.h>

#include "penstock/bindings/bind.h"
#include "penstock/bindings/py_emit.h"
#include "penstock/bindings/py_host.h"

NB_MODULE(_core, m) {
  namespace b = penstock::bindings;
  // A program may end with an open iterator or a daemon thread that holds a runner: no leak of
  // ours.
  nanobind::set_leak_warnings(false);
  b::install_python_bridge();
  m.def("set_no_event", [](nanobind::object sentinel) { b::set_no_event(sentinel.ptr()); });
  b::bind_buffer_pool(m);
  b::bind_cli(m);
  b::bind_codec(m);
  b::bind_event_store(m);
  b::bind_log(m);
  b::bind_loop(m);
  b::bind_runner(m);
  b::bind_scheduler(m);
  b::bind_serializer(m);
  b::bind_worker(m);
}
