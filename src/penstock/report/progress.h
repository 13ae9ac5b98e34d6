// Progress: what a person sees of a run on stderr while it goes on. Owner thread only (the
// runner's).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/flow/metrics.h"
#include "penstock/flow/observer.h"
#include "penstock/flow/plan.h"

namespace penstock::report {

enum class ColorMode : std::uint8_t { kAuto, kAlways, kNever };

/// Whether to write colour codes to `fd`: as `mode` says; kAuto: a terminal, unless NO_COLOR is set
/// to anything or TERM is "dumb".
bool use_color(ColorMode mode, int fd);

struct ProgressOptions {
  bool is_terminal = false;  ///< redraw in place; else a plain line now and then
  bool color = false;
  int width = 80, height = 24;                 ///< of the terminal
  std::optional<std::int64_t> total_epochs;    ///< of the run, when known
  std::function<void(std::string_view)> sink;  ///< takes what is to be written
  std::function<std::int64_t()> clock_ns;      ///< monotonic; empty: the system's
};

/// ProgressOptions for stderr as it is now.
ProgressOptions stderr_progress(ColorMode mode);

/// Writes nothing in the first kQuietNs of a run. Then, on a terminal, redraws at most 10 times a
/// second one line for the run and one per node (state, runs, rate, time left), and takes them away
/// at the end. Elsewhere, one plain line every kLineNs.
class Progress : public flow::Observer {
 public:
  static constexpr std::int64_t kQuietNs = 2'000'000'000;
  static constexpr std::int64_t kRedrawNs = 100'000'000;
  static constexpr std::int64_t kLineNs = 10'000'000'000;

  explicit Progress(ProgressOptions options);

  void on_start(const flow::Plan& plan, const flow::RunInfo& info) override;
  void on_tick(const flow::RunMetrics& metrics) override;
  void on_finish(const flow::RunSummary& summary, const flow::RunMetrics& metrics) override;

  /// Takes the drawn lines away, so that other text may be printed; the next tick draws again.
  void clear();

 private:
  struct NodeRow {
    std::int32_t node;
    std::int64_t runs = 0;
    double rate_per_s = 0;  ///< smoothed over about two seconds
  };

  std::int64_t now_ns() const;
  void update_rates(const flow::RunMetrics& metrics, std::int64_t now_ns);
  /// "12 s, epoch 3 of 12, 0.9/s, 9 s left"
  std::string run_line(const flow::RunMetrics& metrics, std::int64_t now_ns) const;
  std::string node_line(const NodeRow& row, const flow::NodeMetrics& metrics,
                        std::size_t id_width) const;
  void draw(const flow::RunMetrics& metrics, std::int64_t now_ns);
  std::string running_names(const flow::RunMetrics& metrics) const;

  const ProgressOptions options_;
  const flow::Plan* plan_ = nullptr;  ///< kept alive by the runner until on_finish
  std::string runner_;
  std::vector<NodeRow> rows_;
  std::int64_t start_ns_ = 0, last_draw_ns_ = 0, last_rate_ns_ = 0;
  int num_drawn_ = 0;  ///< lines on the terminal that are ours
};

/// "112 ns", "450 ms", "12 s", "3 min 5 s", "2 h 14 min".
std::string duration_text(double seconds);

}  // namespace penstock::report
