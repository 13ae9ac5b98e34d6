// The binding functions, one per file, called by module.cc.
#pragma once

#include <nanobind/nanobind.h>

namespace penstock::bindings {

void bind_buffer_pool(nanobind::module_& m);
void bind_cli(nanobind::module_& m);
void bind_codec(nanobind::module_& m);
void bind_event_store(nanobind::module_& m);
void bind_log(nanobind::module_& m);
void bind_loop(nanobind::module_& m);
void bind_runner(nanobind::module_& m);
void bind_scheduler(nanobind::module_& m);
void bind_serializer(nanobind::module_& m);
void bind_worker(nanobind::module_& m);

}  // namespace penstock::bindings
