#include "penstock/base/out_of_memory.h"

namespace penstock::base {

const Error& out_of_memory() {
  // Never destroyed: threads may want it until the process ends.
  static const Error* const error =
      new Error(Error(ErrorCode::kResourceExhausted, "out of memory").with_id("PS0440"));
  return *error;
}

void rethrow_out_of_memory(const Error& error) {
  if (error.id() == out_of_memory().id()) {
    throw std::bad_alloc();
  }
}

namespace {

[[maybe_unused]] const Error& made_at_load = out_of_memory();

}  // namespace
}  // namespace penstock::base
