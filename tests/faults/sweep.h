// A scenario, the faults put into it one by one, and what is made of each.
//
// Each fault gets a process of its own, a copy of this one in which the scenario has run before, so
// that what is made once per process is there. It runs the scenario with the fault, and then with
// none of its answers left looks at what it still holds.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "faults.h"

#include "penstock/base/result.h"

namespace penstock::faults {

/// Bytes to be equal with and without a fault. Made by the scenario under Paused.
using Answer = base::Result<std::string>;

/// One run of a scenario. Made, used and destroyed in the process of the fault.
class Stage {
 public:
  virtual ~Stage() = default;
  /// What the faults are put into. What it allocates for itself it allocates under Paused.
  virtual Answer act() = 0;
};

struct Scenario {
  std::string name;
  /// Everything before act(), in an empty `folder` of its own; no faults yet.
  std::function<std::unique_ptr<Stage>(const std::string& folder)> set_up;
  /// Folders under `folder` that must be empty at the end, when there are files in work in them.
  std::vector<std::string> scratch_folders;
  /// Threads and processes: what is counted in which order differs from run to run.
  bool is_concurrent = false;
  /// The faults are put into the worker processes that the scenario starts: see worker_main().
  bool is_in_worker = false;
  /// Its error is a list: where there is no memory even for that, std::bad_alloc comes out, which
  /// one allocation alone does not show.
  bool needs_memory_to_fail = false;
};

/// What was wrong with one fault.
struct Finding {
  Fault fault;
  std::string what;  ///< "crash", "wrong success", "leak", ...
  std::string detail;
  std::string site;
};

struct Report {
  std::string name;
  std::string trouble;  ///< the scenario does not even run without a fault; empty when it does
  std::int64_t allocations = 0, calls = 0;  ///< without a fault
  std::int64_t injected = 0;                ///< faults that came to pass
  std::int64_t errors = 0;                  ///< of these: the answer was an error
  std::vector<Finding> findings;            ///< the first kMaxFindings, each place once
  std::int64_t num_findings = 0;

  static constexpr std::size_t kMaxFindings = 12;
};

struct SweepOptions {
  /// At most so many faults of each kind, spread evenly; 0: all.
  std::int64_t most = 0;
  std::int32_t seconds_each = 15;  ///< a scenario that takes longer hangs
};

Report sweep(const Scenario& scenario, const SweepOptions& options);

/// The report as lines for people.
std::string to_text(const Report& report);

/// What worker processes of the test share with the process that starts them.
struct WorkerFault {
  Fault fault;
  Site site;
  std::int64_t counted[2] = {};  ///< by the last worker that ended as it should
};
inline constexpr const char* kWorkerFaultVariable = "PENSTOCK_WORKER_FAULT";

/// The main function of a worker: of exec_test_worker, with a fault in it. Only one worker of a run
/// has the fault, so that another may take its place.
int worker_main(int control_fd);

std::vector<Scenario> core_scenarios();
std::vector<Scenario> event_scenarios();
std::vector<Scenario> flow_scenarios();
std::vector<Scenario> exec_scenarios();
std::vector<Scenario> cli_scenarios();

/// A Stage of one function.
template <class Act>
std::unique_ptr<Stage> stage_of(Act act) {
  class Made final : public Stage {
   public:
    explicit Made(Act body) : act_(std::move(body)) {}
    Answer act() override { return act_(); }

   private:
    Act act_;
  };
  return std::make_unique<Made>(std::move(act));
}

/// The error, or what `describe` makes of the value, under Paused.
template <class T, class Describe>
Answer answer(const base::Result<T>& result, Describe describe) {
  const Paused pause;
  if (!result.has_value()) {
    return base::fail(result.error());
  }
  return describe(*result);
}

}  // namespace penstock::faults
