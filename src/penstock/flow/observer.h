// Observer: what a run tells the outside. Progress, reports, history, JSON lines and callbacks are
// observers; a run without observers pays nothing for them.
//
// All methods are called on the runner's own thread, in order. `detail()` says how much an observer
// needs; the runner computes only that. Text and spans are valid during the call.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/identity.h"
#include "penstock/core/operator.h"
#include "penstock/core/value.h"
#include "penstock/flow/epoch.h"

namespace penstock::flow {

class Plan;
class RunMetrics;

struct RunInfo {
  std::string run_id;  ///< unique, sortable by start time
  std::string runner;  ///< "sync", "threads", "processes"
  std::int32_t num_workers = 1;
  std::uint64_t seed = 0;
  std::int64_t started_unix_us = 0;
};

enum class NodeStatus : std::uint8_t { kRan, kNoEvent, kExhausted, kFailed, kReused };

/// One node run.
struct NodeRun {
  std::int32_t node;  ///< index in Plan::nodes()
  std::int64_t root_epoch;
  std::span<const std::int64_t> path;
  std::int32_t worker;    ///< 0 = the runner's own thread
  std::int64_t start_us;  ///< since the run started
  std::int64_t duration_ns;
  NodeStatus status;
};

/// One call of a node that keeps its results: what it depended on, and whether it was needed.
struct ReuseFact {
  std::int32_t node = 0;
  std::int64_t root_epoch = 0;
  std::span<const std::int64_t> path;
  bool is_reused = false;  ///< false: it was called, and its result kept
  core::Digest key;        ///< of `parts`
  std::vector<core::Part> parts;
};

/// One value on one signal.
struct Event {
  std::int64_t id;            ///< unique and increasing within the process
  std::int64_t timestamp_us;  ///< unix time
  std::string_view node_id;   ///< "meta" for EpochEnded
  std::string_view signal;
  const Epoch* epoch;
  const core::Value* value;
};

/// The end of a run.
struct RunSummary {
  std::string status;  ///< "ok", "failed", "interrupted"
  std::string backend = "native";
  double elapsed_s = 0;
  std::int64_t epochs = 0, results = 0, retries = 0;
  std::int64_t peak_rss_bytes = 0;  ///< of this process and its workers: docs/formats/run-record.md
};

class Observer {
 public:
  enum Detail : std::uint32_t {
    kRunOnly = 0,
    kNodeRuns = 1,  ///< on_node_run for every node run
    kEvents = 2,    ///< on_event for every event
  };

  virtual ~Observer() = default;
  virtual std::uint32_t detail() const { return kRunOnly; }

  virtual void on_start(const Plan& /*plan*/, const RunInfo& /*info*/) {}
  virtual void on_node_run(const NodeRun& /*run*/) {}
  virtual void on_reuse(const ReuseFact& /*fact*/) {}
  /// An error stops the run (a callback raised).
  virtual base::Status on_event(const Event& /*event*/) { return {}; }
  virtual void on_log(std::int32_t /*node*/, std::string_view /*line*/) {}
  /// At most ~20 times a second while the run is waiting or between epochs: draw, flush.
  virtual void on_tick(const RunMetrics& /*metrics*/) {}
  virtual void on_result(std::int64_t /*root_epoch*/, const core::Value& /*value*/) {}
  virtual void on_error(const base::Error& /*error*/) {}
  virtual void on_finish(const RunSummary& /*summary*/, const RunMetrics& /*metrics*/) {}
};

}  // namespace penstock::flow
