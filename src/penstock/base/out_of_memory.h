// Want of memory as an error.
//
// Inside the library operator new throws std::bad_alloc, and every owner lets go of what it has. At
// the boundary, a function that returns a Result or a Status, it becomes the error below. What
// returns neither (Value::text(), Buffer::allocate()) lets the exception through to its caller.
#pragma once

#include <expected>
#include <new>
#include <utility>

#include "penstock/base/result.h"

namespace penstock::base {

/// "out of memory", kResourceExhausted, PS0440. Made when the library is loaded: to hand it out
/// takes no memory.
const Error& out_of_memory();

/// out_of_memory() as what a function returns.
inline std::unexpected<Error> fail_out_of_memory() {
  return std::unexpected<Error>(out_of_memory());
}

/// Throws std::bad_alloc when `error` is out_of_memory(). For whoever takes an error for an answer
/// ("it has no address", "the record is damaged"): want of memory is none.
void rethrow_out_of_memory(const Error& error);

/// body(), a Result or Status; what it throws for want of memory is the error instead.
template <class Body>
auto within_memory(Body&& body) -> decltype(body()) {
  try {
    return std::forward<Body>(body)();
  } catch (const std::bad_alloc&) {
    return fail_out_of_memory();
  }
}

}  // namespace penstock::base
