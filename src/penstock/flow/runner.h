// Runner: one loop, one executor. Python, the CLI and C++ programs run plans through this class.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/clock.h"
#include "penstock/core/operator.h"
#include "penstock/flow/observer.h"
#include "penstock/flow/plan.h"

namespace penstock::flow {

class Executor;     // executor.h
class Isolation;    // isolation.h
class ResultCache;  // result_cache.h

/// How a Runner behaves; the defaults are those of the synchronous runner.
struct RunnerOptions {
  std::string name = "sync";  ///< for RunInfo and messages
  std::uint64_t seed = 0;
  std::int32_t max_epochs_in_flight = 1;  ///< look-ahead of run() over root epochs
  std::optional<std::uint64_t>
      shuffle;  ///< take ready nodes in a random order from this seed (tests)
  std::vector<std::shared_ptr<Observer>> observers;
  std::shared_ptr<ResultCache> cache;      ///< of results that nodes keep; null = none is reused
  core::CancelToken* cancel = nullptr;     ///< not owned; null = only host signals stop the run
  std::shared_ptr<core::HostLoop> loop;    ///< for coroutines; null = the host makes one if need be
  std::optional<Resources> resources;      ///< what there is; none = default_resources()
  std::vector<std::string> tags{"local"};  ///< what this place is called; see `where` of nodes
  std::shared_ptr<Isolation> isolation;    ///< null = nodes that need one are refused (PS0414)
  std::shared_ptr<base::Clock> clock;      ///< waits between attempts; null = the real one
};

/// What one root epoch gave.
struct EpochResult {
  std::int64_t epoch = 0;
  core::Value value;       ///< absent: the return did not run (or there is none)
  bool exhausted = false;  ///< true: the tube can give no more results
};

/// A call that an epoch would make, or need not make.
struct PlannedCall {
  enum class Verdict : std::uint8_t {
    kRuns,
    kReused,   ///< its result is known
    kDepends,  ///< runs unless nodes before it give what they gave before
  };
  std::int32_t node = 0;
  std::vector<std::int64_t> path;
  Verdict verdict = Verdict::kRuns;
  std::vector<core::Part> parts;        ///< of a node that keeps results, if known
  std::vector<std::int32_t> waits_for;  ///< kDepends: those nodes
};

/// Runs a Plan on an Executor. Owner thread only. State of stateful nodes lives here.
///
/// Want of memory in an operator is that node's failure; in the runner itself it is PS0440, and
/// then deinit() is all that is left to call: the others give PS0441.
class Runner {
 public:
  Runner(std::shared_ptr<const Plan> plan, std::unique_ptr<Executor> executor,
         RunnerOptions options);
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  /// For a run of one epoch, before init(): nodes whose results for `inputs` are known give them,
  /// and nodes that are needed for nothing else do not run. Events of those are not seen, so it
  /// does nothing where an observer wants events, and without a cache.
  void skip_known(const core::Value& inputs);

  /// Before init(): the next epoch calls only `node`, with the inputs it had in the run that kept
  /// `calls`; `inputs` are that run's. PS0422 when they were not kept.
  base::Status run_only(std::int32_t node, KeptCalls calls, const core::Value& inputs);

  /// What an epoch with `inputs` would call; nothing is called, started or written. Instead of
  /// init(); the runner must be inline, and cannot be used for anything else.
  base::Result<std::vector<PlannedCall>> dry_run(const core::Value& inputs);

  /// Starts the executor, makes node states and starts the nodes that have a Lifecycle, in plan
  /// order. When one fails (PS0411), those before it are stopped again. Idempotent.
  base::Status init();
  /// Ends the run: drains, stops nodes in reverse order and the executor. Idempotent; the runner
  /// can be init()ed again, and node states and epoch numbers go on. The first error of a node that
  /// could not be stopped (PS0412); the run has ended all the same.
  base::Status deinit();

  /// One root epoch. `inputs`: a map of process-scoped inputs (or absent). After an error the epoch
  /// is closed and the runner is usable.
  base::Result<EpochResult> process(const core::Value& inputs = {});

  /// Up to `num_epochs` root epochs (none = until exhausted), several in flight if allowed; results
  /// are delivered in epoch order. `sink` may return an error to stop.
  base::Status run(std::optional<std::int64_t> num_epochs, const core::Value& inputs,
                   const std::function<base::Status(EpochResult)>& sink);

  /// Enables or disables a node from the next epoch on: one that lies in the tube or, as
  /// "outer.inner", in a nested one; of a nested tube, all in it. Its state is kept, and epoch
  /// numbers go on. Between init() and deinit() its Lifecycle is started or stopped at once, where
  /// the node lives. Nothing to do is no error.
  /// PS0430 while an epoch is open, PS0431 for an id that is no node's. PS0411: it could not be
  /// started, and stays disabled; PS0412: it could not be stopped, and is disabled all the same.
  base::Status enable_node(std::string_view id);
  base::Status disable_node(std::string_view id);
  /// What enable_node() says while the runner runs.
  static base::Error switch_while_running(std::string_view id);

  const Plan& plan() const;
  const RunMetrics& metrics() const;
  RunSummary summary() const;
  void add_observer(std::shared_ptr<Observer> observer);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace penstock::flow
