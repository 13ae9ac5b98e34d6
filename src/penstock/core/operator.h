// Operator: the unit of work. Spec as data, a const object that computes, and a state object.
//
// From the OperatorSpec come the YAML node type, the Python function, `penstock ops describe` and
// the reference page. A pack (ops/<pack>) registers its operators in a Registry by a call. Other
// languages' functions are operators too: they implement NodeType and Operator directly.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/clock.h"
#include "penstock/base/result.h"
#include "penstock/core/value.h"

namespace penstock::core {

/// Asks running work to stop. Thread-safe; shared by a run and its operators.
class CancelToken {
 public:
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }  // a flag, orders nothing
  void reset() { cancelled_.store(false, std::memory_order_relaxed); }
  bool is_cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> cancelled_{false};
};

struct Context;

/// Takes the log lines of running nodes. Thread-safe.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void log(const Context& context, std::string_view line) = 0;
};

class HostLoop;  // host.h

/// How nodes are connected, for the few operators whose work depends on it. Immutable, thread-safe.
class Wiring {
 public:
  /// Where an input of a node comes from.
  struct Source {
    std::string node;  ///< "input" for an input of the tube
    std::string signal;
    std::int32_t depth = 0;  ///< how many indices of Context::path its epoch has
  };

  virtual ~Wiring() = default;
  /// Ids of the maps around `node`, outermost first: one per index of Context::path.
  virtual std::vector<std::string> maps(std::int32_t node) const = 0;
  /// `input` counts the node's bindings (or its ports, with Signature::fixed_ports).
  virtual Source source(std::int32_t node, std::int32_t input) const = 0;
};

/// Where in the run a call happens. Owned by the runner; valid during the call.
struct Context {
  const std::string* node_id = nullptr;  ///< node id in the tube; null outside a run
  std::int32_t node = -1;                ///< index in the plan
  std::int64_t epoch = 0;                ///< root epoch, from 0
  std::span<const std::int64_t> path;    ///< sub-epoch index per enclosing map, outermost first
  std::uint64_t seed = 0;                ///< of the run; key random numbers by (seed, node, epoch)
  const CancelToken* cancel = nullptr;   ///< null = cannot be cancelled
  LogSink* sink = nullptr;               ///< null = log lines are dropped
  HostLoop* loop = nullptr;              ///< where coroutines of the host run; null without a host
  const Wiring* wiring = nullptr;        ///< null outside a run
  std::int64_t deadline_ns = 0;          ///< of base::fast_ns(): when it must be over; 0 = never

  /// True when the call should end now: the run was cancelled, or the node's timeout is over. What
  /// takes long asks every few milliseconds, and then gives kCancelled.
  bool is_cancelled() const {
    return (cancel != nullptr && cancel->is_cancelled()) ||
           (deadline_ns != 0 && base::fast_ns() >= deadline_ns);
  }
  /// One line for the node's log.
  void log(std::string_view line) const {
    if (sink != nullptr) {
      sink->log(*this, line);
    }
  }
};

/// What a call did besides emitting.
enum class Step : std::uint8_t {
  kDone,       ///< Outputs written; a signal left absent means "no event".
  kExhausted,  ///< A source has ended: nothing was emitted, and it must not be called again.
  kPending,    ///< The call goes on, and its end is told to Call::later.
};

/// Takes the end of a call that goes on after Operator::call() has returned. Thread-safe.
class Later {
 public:
  /// Exactly once, after the outputs were written; perhaps before call() has returned, which must
  /// answer kPending all the same. This object is gone afterwards.
  virtual void finish(base::Result<Step> step) = 0;

 protected:
  ~Later() = default;
};

/// State of a stateful node: one object per run, in one place, handed to every call.
class State {
 public:
  virtual ~State() = default;
};

/// One call. `inputs[i]` belongs to the i-th binding (or declared port); absent = no event on an
/// optional input. `outputs[i]` is signal i, absent on entry. Spans are valid during the call;
/// `outputs` and `context->sink`, `cancel`, `loop` until Later::finish() when it goes on after
/// that.
struct Call {
  std::span<const Value* const> inputs;
  std::span<Value> outputs;
  State* state = nullptr;
  const Context* context = nullptr;
  Later* later = nullptr;  ///< null: the call must be over when call() returns
};

/// A run as a node sees it when it is started and stopped.
struct Session {
  const std::string* node_id = nullptr;
  std::string_view runner;        ///< "sync", "threads", "processes", "async"
  const Value* inputs = nullptr;  ///< map of the tube-scoped inputs
  const Context* context = nullptr;
};

/// What a node does at the beginning and the end of a run, in the process where its calls are made.
class Lifecycle {
 public:
  /// Before the first call. An error: the run does not begin.
  virtual base::Status start(State* state, const Session& session) const = 0;
  /// After the last call, also when the run failed, if start() has succeeded.
  virtual base::Status stop(State* state, const Session& session) const = 0;

 protected:
  ~Lifecycle() = default;
};

/// A node's work, bound to its parameters and edges. Immutable and thread-safe while running.
class Operator {
 public:
  virtual ~Operator() = default;
  /// Errors carry what, seen, wanted; the runner adds node and epoch.
  virtual base::Result<Step> call(Call& call) const = 0;
  /// A fresh state for a run; null for a stateless operator.
  virtual base::Result<std::unique_ptr<State>> make_state() const {
    return std::unique_ptr<State>();
  }
  /// True when calls go on by themselves (kPending) where that is allowed: they need no thread.
  virtual bool is_async() const { return false; }
  /// Null for a node that does nothing at the beginning and the end of a run.
  virtual const Lifecycle* lifecycle() const { return nullptr; }
};

/// An object that nodes share: call() gives it, as its only output. Where its scope is one run, the
/// object is in the state: start() makes it, stop() lets it go. Otherwise each call() makes one.
class Asset : public Operator {
 public:
  virtual base::Status start(State* state) const = 0;
  virtual base::Status stop(State* state) const = 0;
  /// The state's object is `value` from now on; a deep copy of it when `copy`.
  virtual base::Status replace(State* state, const Value& value, bool copy) const = 0;
  /// Lets go of what a call() has made.
  virtual base::Status release(const Value& value) const = 0;
};

/// An input of a node type.
struct Slot {
  std::string name;
  bool required = true;      ///< an absent event skips the node; false: it is passed as absent
  bool has_default = false;  ///< need not be connected (a default or a parameter holds)
  bool positional = true;    ///< may be bound by position
  std::string type = "any";  ///< for messages and docs: "table", "float64 (n,) [V]", "any"
  bool fixed = false;        ///< a parameter holds it, unless an edge by name does
};

/// How one edge of a node is bound: to a position or to a slot name.
struct Binding {
  std::int32_t position = -1;  ///< >= 0: positional argument; -1: by `name`
  std::string name;            ///< slot name; of a positional binding: the declared name, if known
};

/// The wiring face of a node type, known before any edge is looked at.
struct Signature {
  std::vector<Slot> slots;      ///< declared inputs in order
  bool any_positional = false;  ///< accepts more positional arguments (*args)
  bool any_keyword = false;     ///< accepts other names (**kwargs, named tables); optional
  bool fixed_ports = false;     ///< inputs of Call are indexed by slot, not by binding
  std::vector<std::string> signals{"value"};
  std::vector<std::string> signal_types;  ///< as Slot::type; may be shorter: the rest is unknown
  bool stateful = false;                  ///< default of the node key `stateful`
  bool source = false;                    ///< may exhaust (a generator)
  bool needs_host = false;                ///< must run with the host's interpreter lock held
  bool native = true;                     ///< inputs must be native Values (no kHost)
};

/// Whether a result may be used again when everything it depends on is the same.
enum class Purity : std::uint8_t {
  kNever,    ///< depends on more than its inputs (the epoch, a state): never
  kUnknown,  ///< only when the tube says so: a function may read a clock or send a letter
  kPure,     ///< the same inputs give the same outputs, and nothing else happens
  kKept,     ///< the same, and results are worth keeping unless the tube says otherwise
};

/// One thing a result depends on besides the values of its inputs, by the name messages give it.
struct Part {
  std::string name;   ///< "parameter query", "code of words.split"
  std::string value;  ///< short text, or a digest in hex

  friend bool operator==(const Part&, const Part&) = default;
};

/// `value` as a Part: itself when it is one short line, else its digest. An error when it cannot be
/// encoded.
base::Result<Part> part_of(std::string name, const Value& value);

/// A file that a node reads: named by a parameter, or by the value of an input.
struct FileInput {
  std::string slot;  ///< the parameter or the input
  std::string path;  ///< empty: the input's value
};

/// A resolved `type:` with its parameters: knows its wiring and makes the bound operator.
class NodeType {
 public:
  virtual ~NodeType() = default;
  virtual const Signature& signature() const = 0;
  virtual base::Result<std::shared_ptr<const Operator>> bind(
      std::span<const Binding> bindings) const = 0;
  /// Canonical bytes of what this type computes (operator name and version, parameters): part of
  /// the plan digest. Never contains addresses, paths of this machine or times.
  virtual std::string identity() const = 0;
  /// True when nothing in it is a single node's own: the compiler may use one for all nodes with
  /// the same `type:` and no parameters.
  virtual bool is_shareable() const { return false; }

  virtual Purity purity() const { return Purity::kUnknown; }
  /// All that its results depend on besides inputs and files. May cost a look at source code.
  virtual base::Result<std::vector<Part>> parts() const { return std::vector<Part>(); }
  /// Files whose content its results depend on.
  virtual std::vector<FileInput> files() const { return {}; }
};

// ---- operators described as data ---------------------------------------------------------------

/// A declared input or output.
struct PortSpec {
  std::string name;
  std::string type;     ///< "table", "tensor float64 (n_samples,) [V]", "any"
  std::string summary;  ///< one line
  bool optional = false;
};

/// A declared parameter; the YAML key under `params`.
struct ParameterSpec {
  std::string name;
  std::string type;  ///< "text", "int", "float", "bool", "list of text", "map", "any"
  std::string summary;
  std::optional<Value> default_value;  ///< none = required
  std::vector<std::string> choices;    ///< allowed texts; empty = any
};

/// A documented failure.
struct ErrorSpec {
  base::ErrorCode code;
  std::string condition;
};

/// Everything there is to know about an operator, as data.
struct OperatorSpec {
  std::string name;          ///< "table.read"
  std::int32_t version = 1;  ///< bumped when results change; part of every identity
  std::string summary;       ///< one line, names what it does
  std::string description;   ///< paragraphs, plain text
  std::vector<PortSpec> inputs;
  std::string variadic;  ///< non-empty: accepts further named inputs; says what they are
  std::vector<PortSpec> outputs;
  std::vector<ParameterSpec> parameters;
  std::vector<ErrorSpec> errors;
  bool deterministic = true;   ///< the same inputs give the same outputs
  bool has_effects = false;    ///< does something besides: writes a file, sends a message
  bool keeps_results = false;  ///< results are smaller than their inputs and dear to compute
  std::vector<std::string> reads_files;  ///< inputs and parameters that are paths of files it reads
  bool stateful = false;
  bool source = false;
  bool order_sensitive = false;
  bool splittable = false;
  std::string cost;       ///< "O(rows) time, ..."
  std::string reference;  ///< paper, standard or library
  std::string twin;       ///< the Python function that does the same, or "none: " and why
  std::string example;    ///< a runnable tube (YAML); may use ${DIR}, a scratch folder
};

/// Makes the bound operator; `params` is a complete, validated map (defaults filled in).
using OperatorFactory = std::function<base::Result<std::shared_ptr<const Operator>>(
    const Value& params, std::span<const Binding> bindings)>;

/// The native operators by name. Built once, then frozen (immutable, thread-safe).
class Registry {
 public:
  struct Entry {
    OperatorSpec spec;
    OperatorFactory factory;
  };

  /// kAlreadyExists on a second registration of a name, kInvalidArgument for an incomplete spec.
  base::Status add(OperatorSpec spec, OperatorFactory factory);

  const Entry* find(std::string_view name) const;
  std::span<const Entry> entries() const { return entries_; }  ///< sorted by name

  /// A node type for operator `name` with `params` (a map or absent). Every parameter problem is
  /// reported: unknown (with the nearest name), missing, wrong type, not a choice.
  base::Result<std::unique_ptr<NodeType>> make_type(std::string_view name,
                                                    const Value& params) const;

 private:
  std::vector<Entry> entries_;
};

/// The closest of `candidates` to `name` within a third of its length in edits; empty if none.
std::string nearest_name(std::string_view name, std::span<const std::string> candidates);

}  // namespace penstock::core
