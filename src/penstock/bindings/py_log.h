// Log lines of Python nodes: which node's call a thread is in, so that what it prints finds its
// log.
#pragma once

#include "penstock/core/operator.h"

namespace penstock::bindings {

/// Marks the calling thread as inside a call of a Python node while it lives. May be nested.
class CallScope {
 public:
  explicit CallScope(const core::Context* context);
  ~CallScope();
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

 private:
  const core::Context* outer_;
};

}  // namespace penstock::bindings
