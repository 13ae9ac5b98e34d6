// Host objects: values of an embedding language (Python) that flow by identity in one process.
//
// core knows nothing about Python. The binding derives HostObject, and installs one HostBridge
// that can turn such an object into a native Value when a native operator, the encoder or another
// process needs one, and that knows how to hold the host's interpreter lock.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/value.h"

namespace penstock::core {

class CancelToken;  // operator.h

/// One object of the host language. Made and destroyed by the binding.
class HostObject : public Object {};

/// An event loop of the host language, where its coroutines run: one per runner, made by the
/// binding. Thread-safe.
class HostLoop {
 public:
  virtual ~HostLoop() = default;
  /// Asks every coroutine that is on it to end; each ends soon, as a rule with an error.
  virtual void cancel() = 0;
};

/// The content of a host object that is a text or a byte string, where it lies.
struct HostView {
  Kind kind = Kind::kBytes;  ///< kText (UTF-8) or kBytes
  std::string_view content;  ///< as long as the object lives
};

/// The embedding language, seen from the engine. Thread-safe.
class HostBridge {
 public:
  virtual ~HostBridge() = default;

  /// A native Value equal to `object` (zero-copy for arrays and tables), or an error that names the
  /// type and says how to register a codec. The interpreter lock must be held by this thread.
  virtual base::Result<Value> to_native(const HostObject& object) const = 0;

  /// For an object whose content can be read without a conversion and without the interpreter lock;
  /// none for every other one, whatever it is.
  virtual std::optional<HostView> view(const HostObject& object) const = 0;

  /// The elements of a sized sequence object, for `map`. The interpreter lock must be held.
  virtual base::Result<std::vector<Value>> to_elements(const HostObject& object) const = 0;

  /// True for the host's own list and tuple types (what `flatten` opens), not for every sequence.
  virtual bool is_list_or_tuple(const HostObject& object) const = 0;

  /// Takes / gives back the interpreter lock for this thread; never nested.
  virtual void lock() const = 0;
  virtual void unlock() const = 0;
  /// True when this thread holds it.
  virtual bool is_locked() const = 0;
  /// Called by a thread of ours that will never take the lock again, before it ends.
  virtual void forget_thread() const = 0;

  /// A loop of its own for a runner; costs nothing until a coroutine is given to it. While it runs
  /// one on the runner's own thread it looks at `cancel`, which outlives it (null: never
  /// cancelled).
  virtual std::shared_ptr<HostLoop> make_loop(const CancelToken* cancel) const = 0;

  /// Runs pending signal handlers; an error (kCancelled) when the user asked to stop.
  virtual base::Status check_signals() const = 0;
};

/// The bridge of this process, or null in a program without a host language.
const HostBridge* host_bridge();
/// Installs the bridge once, at start-up, before any run.
void install_host_bridge(const HostBridge* bridge);

/// Holds the interpreter lock for a scope when there is a bridge and this thread lacks it.
class HostLock {
 public:
  HostLock();
  ~HostLock();
  HostLock(const HostLock&) = delete;
  HostLock& operator=(const HostLock&) = delete;

 private:
  bool taken_;
};

/// Gives the interpreter lock up for a scope when this thread holds it.
class HostUnlock {
 public:
  HostUnlock();
  ~HostUnlock();
  HostUnlock(const HostUnlock&) = delete;
  HostUnlock& operator=(const HostUnlock&) = delete;

 private:
  bool given_;
};

/// `value` itself when it holds no host object, else a native copy (deep). Takes the lock itself.
base::Result<Value> to_native(const Value& value);

}  // namespace penstock::core
