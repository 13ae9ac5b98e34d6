// What a run counted: per node calls, failures, time; bounded memory whatever the run's length.
//
// Owner thread only (the runner's).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace penstock::flow {

/// Durations in buckets (8 per octave, 1 ns to ~1 h): quantiles at most an eighth too high.
class DurationHistogram {
 public:
  static constexpr int kBuckets = 42 * 8;

  void add(std::int64_t duration_ns);
  /// Upper edge of the bucket holding quantile q in [0, 1], at most the maximum; 0 when empty.
  std::int64_t quantile_ns(double q) const;
  std::int64_t count() const { return count_; }        ///< timed calls
  std::int64_t total_ns() const { return total_ns_; }  ///< of the timed calls
  std::int64_t max_ns() const { return max_ns_; }
  /// Counts per bucket; empty before the first add().
  std::span<const std::uint32_t> buckets() const;

 private:
  // Allocated on first use: most nodes of a million-node plan run once or never.
  std::unique_ptr<std::array<std::uint32_t, kBuckets>> buckets_;
  std::int64_t count_ = 0, total_ns_ = 0, max_ns_ = 0;
};

struct NodeMetrics {
  std::int64_t runs = 0;      ///< calls that returned, failed ones included; with all its attempts
  std::int64_t no_event = 0;  ///< calls that emitted nothing
  std::int64_t skipped = 0;   ///< not called: a required input was absent
  std::int64_t failed = 0;
  std::int64_t retries = 0;
  std::int64_t reused = 0;     ///< not called: the result was known
  std::int64_t running = 0;    ///< handed to the executor and not back yet
  bool is_slow = false;        ///< the last timed call took over 2 us: the next is timed too
  DurationHistogram duration;  ///< of timed calls: all, or one in eight while the node is fast

  /// Time of all runs; an estimate while only a sample is timed.
  double total_ns() const {
    return duration.count() == 0
               ? 0.0
               : static_cast<double>(duration.total_ns()) * static_cast<double>(runs) /
                     static_cast<double>(duration.count());
  }
};

/// One NodeMetrics per plan node.
class RunMetrics {
 public:
  explicit RunMetrics(std::size_t num_nodes) : nodes_(num_nodes) {}
  std::span<const NodeMetrics> nodes() const { return nodes_; }
  NodeMetrics& node(std::int32_t index) { return nodes_[static_cast<std::size_t>(index)]; }
  std::int64_t epochs_started = 0, epochs_finished = 0, results = 0;

 private:
  std::vector<NodeMetrics> nodes_;
};

}  // namespace penstock::flow
