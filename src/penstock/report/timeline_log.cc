#include "penstock/report/timeline_log.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

namespace penstock::report {
namespace {

constexpr std::int64_t kMinSliceUs = 1000;

}  // namespace

std::string epoch_text(const flow::Plan& plan, const flow::NodeRun& run) {
  flow::Epoch epoch{.root = run.root_epoch, .path = {}};
  std::int32_t region = plan.nodes()[static_cast<std::size_t>(run.node)].region;
  for (std::size_t i = run.path.size(); i-- > 0 && region >= 0;) {
    const flow::Region& at = plan.regions()[static_cast<std::size_t>(region)];
    if (at.map >= 0) {
      epoch.path.emplace_back(plan.nodes()[static_cast<std::size_t>(at.map)].id, run.path[i]);
    }
    region = at.parent;
  }
  std::reverse(epoch.path.begin(), epoch.path.end());
  return epoch.to_string();
}

void TimelineLog::add(const flow::NodeRun& run) {
  const std::int64_t duration_us = (run.duration_ns + 500) / 1000;
  if (num_runs_ < kVerbatim) {
    ++num_runs_;
    write_out(run, duration_us);
    return;
  }
  if (slice_width_us_ == 0) {
    slice_width_us_ = std::max(kMinSliceUs, run.start_us / kSlicesPerWidth);
    begin_slice(run.start_us);
  } else if (run.start_us >= slice_start_us_ + slice_width_us_) {
    close_slice();
    begin_slice(run.start_us);
  }
  const bool is_failure = run.status == flow::NodeStatus::kFailed && num_failures_ < kFailures;
  if (is_failure || duration_us >= slice_width_us_) {
    num_failures_ += is_failure ? 1 : 0;
    write_out(run, duration_us);
    return;
  }
  const auto lane_index =
      std::min(static_cast<std::size_t>(std::max(run.worker, 0)), kMaxLanes - 1);
  if (lanes_.size() <= lane_index) {
    lanes_.resize(lane_index + 1);
  }
  Lane& lane = lanes_[lane_index];
  const std::int64_t votes = std::max<std::int64_t>(run.duration_ns, 1);
  ++lane.count;
  lane.busy_ns += run.duration_ns;
  if (lane.candidate == run.node) {
    lane.votes += votes;
  } else if (lane.votes >= votes) {
    lane.votes -= votes;
  } else {
    lane.candidate = run.node;
    lane.votes = votes - lane.votes;
  }
}

void TimelineLog::write_out(const flow::NodeRun& run, std::int64_t duration_us) {
  // Node ids may hold no quotes or backslashes (spec.h), so the epoch needs no escaping.
  fmt::format_to(std::back_inserter(runs_), "{}[{},\"{}\",{},{},{},{}]", runs_.empty() ? "" : ",",
                 run.node, epoch_text(plan_, run), run.worker, run.start_us, duration_us,
                 static_cast<int>(run.status));
}

void TimelineLog::begin_slice(std::int64_t start_us) {
  slice_start_us_ = start_us;
  lanes_.clear();
}

void TimelineLog::close_slice() {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    const Lane& lane = lanes_[i];
    if (lane.count > 0) {
      fmt::format_to(std::back_inserter(slices_), "{}[{},{},{},{},{},{}]",
                     slices_.empty() ? "" : ",", i, slice_start_us_,
                     slice_start_us_ + slice_width_us_, lane.busy_ns / 1000, lane.count,
                     lane.candidate);
    }
  }
  lanes_.clear();
  if (++num_slices_ % kSlicesPerWidth == 0) {
    slice_width_us_ *= 2;
  }
}

std::vector<std::string> TimelineLog::take_records() {
  std::vector<std::string> out;
  if (!runs_.empty()) {
    out.push_back(fmt::format(R"({{"type":"node_runs","runs":[{}]}})", runs_));
  }
  if (!slices_.empty()) {
    out.push_back(fmt::format(R"({{"type":"slices","slices":[{}]}})", slices_));
  }
  runs_.clear();
  slices_.clear();
  return out;
}

}  // namespace penstock::report
