// TimelineLog: node runs for the timeline, in bounded space. Owner thread only.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/flow/observer.h"
#include "penstock/flow/plan.h"

namespace penstock::report {

/// "3/months[0]/rows[7]": the epoch of a run of node `run.node`.
std::string epoch_text(const flow::Plan& plan, const flow::NodeRun& run);

/// Turns node runs into records. The first kVerbatim runs are written one by one; what follows is
/// summed up in slices of time, one entry per worker, and only runs longer than a slice (at most
/// one per worker and slice) and the first kFailures failed ones are still written out. Every
/// kSlicesPerWidth slices the width doubles, so the text grows with the logarithm of the run's
/// length.
class TimelineLog {
 public:
  static constexpr std::int64_t kVerbatim = 4000;
  static constexpr std::int64_t kFailures = 200;
  static constexpr std::int64_t kSlicesPerWidth = 240;
  static constexpr std::size_t kMaxLanes = 64;  ///< workers beyond share the last lane

  explicit TimelineLog(const flow::Plan& plan) : plan_(plan) {}

  void add(const flow::NodeRun& run);
  /// Ends the open slice; called at the end of the run.
  void close_slice();
  /// Records since the last call: {"type": "node_runs"} and {"type": "slices"}; empty when none.
  std::vector<std::string> take_records();
  bool has_pending() const { return !runs_.empty() || !slices_.empty(); }

 private:
  struct Lane {
    std::int64_t busy_ns = 0, count = 0;
    // Weighted majority vote (Boyer and Moore 1981): right when one node takes over half the time.
    std::int32_t candidate = 0;
    std::int64_t votes = 0;
  };
  void write_out(const flow::NodeRun& run, std::int64_t duration_us);
  void begin_slice(std::int64_t start_us);

  const flow::Plan& plan_;
  std::string runs_, slices_;  // items of the pending records, comma separated
  std::int64_t num_runs_ = 0, num_failures_ = 0, num_slices_ = 0;
  std::int64_t slice_start_us_ = 0, slice_width_us_ = 0;  // width 0: no slices yet
  std::vector<Lane> lanes_;
};

}  // namespace penstock::report
