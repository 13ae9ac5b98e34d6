// Runner: one loop, one executor. Python, the CLI and C++ programs run plans through this class.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "penstock/base/clock.h"
#include "penstock/core/operator.h"
#include "penstock/flow/observer.h"
#include "penstock/flow/plan.h"

namespace penstock::flow {

class Executor;   // executor.h
class Isolation;  // isolation.h

/// How a Runner behaves; the defaults are those of the synchronous runner.
struct RunnerOptions {
  std::string name = "sync";  ///< for RunInfo and messages
  std::uint64_t seed = 0;
  std::int32_t max_epochs_in_flight = 1;  ///< look-ahead of run() over root epochs
  std::optional<std::uint64_t>
      shuffle;  ///< take ready nodes in a random order from this seed (tests)
  std::vector<std::shared_ptr<Observer>> observers;
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

/// Runs a Plan on an Executor. Owner thread only. State of stateful nodes lives here.
class Runner {
 public:
  Runner(std::shared_ptr<const Plan> plan, std::unique_ptr<Executor> executor,
         RunnerOptions options);
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

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

  const Plan& plan() const;
  const RunMetrics& metrics() const;
  RunSummary summary() const;
  void add_observer(std::shared_ptr<Observer> observer);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace penstock::flow
