// RunLog: the last log lines of each node, in bounded space. Owner thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>

namespace penstock::report {

/// The first kFirst lines of a node are written as they come; of the later ones only the last
/// kLast are kept and written at a checkpoint. No more than kTotalFirst lines are written at once
/// as they come, whatever the number of nodes, and no more than kMaxNodes nodes keep lines.
class RunLog {
 public:
  static constexpr std::int64_t kFirst = 50;
  static constexpr std::size_t kLast = 20;
  static constexpr std::int64_t kTotalFirst = 5000;
  static constexpr std::size_t kMaxNodes = 500;
  static constexpr std::size_t kMaxLineBytes = 2000;

  /// `node`: index in the plan, or negative for the run itself.
  void add(std::int32_t node, std::int64_t t_us, std::string_view line);
  /// A {"type": "log"} record of the lines to be written now, or "". `checkpoint`: also those kept.
  std::string take_record(bool checkpoint);
  bool has_pending() const { return !pending_.empty(); }

 private:
  struct NodeLines {
    std::int64_t num_first = 0;
    std::deque<std::string> kept;  // items, as JSON
  };
  std::string pending_;  // items, comma separated
  std::int64_t num_first_ = 0;
  std::map<std::int32_t, NodeLines> nodes_;
};

/// "error", "warning", "info" or "debug": by the words a line starts with ("WARNING: ...").
std::string_view level_of(std::string_view line);

}  // namespace penstock::report
