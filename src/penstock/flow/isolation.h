// Isolation: calls in a process of their own, for nodes that can be ended in no other way.
#pragma once

#include <functional>

#include "penstock/flow/executor.h"

namespace penstock::flow {

/// Where runners whose nodes live in this process make the calls of which needs_isolation()
/// (policy.h) holds. run() is thread-safe; start() and stop() are for the loop's thread.
class Isolation {
 public:
  virtual ~Isolation() = default;
  /// Before the first call; `access` outlives the last.
  virtual base::Status start(const TaskAccess& access) = 0;
  /// After the last.
  virtual void stop() = 0;
  /// Makes the call and waits for its end, or ends it: at the deadline of the node's policy, and
  /// when the run is cancelled. `pause`, if there is one, is called on this thread every few
  /// milliseconds meanwhile.
  virtual void run(const Task& task, Completion& out, const std::function<void()>& pause) = 0;
};

}  // namespace penstock::flow
