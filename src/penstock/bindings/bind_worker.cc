// Worker processes of Python plans, and arrays in shared memory.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "penstock/bindings/bind.h"
#include "penstock/bindings/numpy_memory.h"
#include "penstock/bindings/plan_blob.h"
#include "penstock/bindings/py_error.h"
#include "penstock/bindings/py_host.h"
#include "penstock/exec/shm_arena.h"
#include "penstock/exec/worker.h"

namespace penstock::bindings {
namespace {

namespace nb = nanobind;

int run_worker(int control_fd) {
  const exec::WorkerHooks hooks{.compile = compile_plan_blob};
  const int code = exec::run_worker(control_fd, hooks);
  drop_deferred();
  return code;
}

/// Writable, uninitialised shared memory as a one-dimensional uint8 array.
nb::ndarray<nb::numpy, std::uint8_t, nb::ndim<1>> shared_bytes(std::int64_t size_bytes) {
  auto buffer = value_or_throw(exec::SharedArena::instance().allocate(size_bytes));
  auto* keep = new std::shared_ptr<core::Buffer>(buffer);
  const nb::capsule owner(
      keep, [](void* p) noexcept { delete static_cast<std::shared_ptr<core::Buffer>*>(p); });
  const std::size_t shape[] = {static_cast<std::size_t>(size_bytes)};
  return {buffer->mutable_data(), 1, shape, owner};
}

}  // namespace

void bind_worker(nb::module_& m) {
  m.def("run_worker", &run_worker, nb::arg("control_fd"));
  m.def("share_numpy_memory", &share_numpy_memory);
  m.def("shared_bytes", &shared_bytes, nb::arg("size_bytes"));
}

}  // namespace penstock::bindings
