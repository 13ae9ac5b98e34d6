#include "penstock/report/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>

#include "penstock/base/clock.h"

namespace penstock::report {
namespace {

constexpr std::string_view kBold = "\x1b[1m", kDim = "\x1b[2m", kGreen = "\x1b[32m",
                           kRed = "\x1b[31m", kReset = "\x1b[0m";
constexpr std::size_t kMaxIdWidth = 28;
constexpr double kRateMemoryS = 2.0;
constexpr double kBusyPerS = 0.05;  // a node that ran this often lately counts as at work

double to_s(std::int64_t ns) {
  return static_cast<double>(ns) * 1e-9;
}

std::string rate_text(double per_s) {
  return per_s >= 1e6   ? fmt::format("{:.1f}M/s", per_s / 1e6)
         : per_s >= 1e4 ? fmt::format("{:.0f}k/s", per_s / 1e3)
         : per_s >= 10  ? fmt::format("{:.0f}/s", per_s)
                        : fmt::format("{:.1f}/s", per_s);
}

// The first `width` columns of ASCII text; ids are identifiers, so bytes are columns.
std::string cut(std::string text, std::size_t width) {
  if (text.size() > width) {
    text.resize(width);
  }
  return text;
}

}  // namespace

std::string duration_text(double seconds) {
  if (seconds < 0.9995) {
    return seconds < 0.9995e-6   ? fmt::format("{:.0f} ns", seconds * 1e9)
           : seconds < 0.9995e-3 ? fmt::format("{:.0f} us", seconds * 1e6)
                                 : fmt::format("{:.0f} ms", seconds * 1e3);
  }
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  return whole < 60     ? fmt::format("{} s", whole)
         : whole < 3600 ? fmt::format("{} min {} s", whole / 60, whole % 60)
                        : fmt::format("{} h {} min", whole / 3600, whole / 60 % 60);
}

bool use_color(ColorMode mode, int fd) {
  if (mode != ColorMode::kAuto) {
    return mode == ColorMode::kAlways;
  }
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool is_refused = (no_color != nullptr && *no_color != '\0') ||
                          (terminal != nullptr && std::string_view(terminal) == "dumb");
  return !is_refused && ::isatty(fd) == 1;
}

ProgressOptions stderr_progress(ColorMode mode) {
  ProgressOptions options;
  const char* terminal = std::getenv("TERM");
  options.is_terminal =
      ::isatty(STDERR_FILENO) == 1 && terminal != nullptr && std::string_view(terminal) != "dumb";
  options.color = use_color(mode, STDERR_FILENO);
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
    options.width = size.ws_col;
    options.height = size.ws_row;
  }
  options.sink = [](std::string_view text) {
    // Progress is a courtesy: what a full pipe refuses is dropped.
    (void)!::write(STDERR_FILENO, text.data(), text.size());
  };
  return options;
}

Progress::Progress(ProgressOptions options) : options_(std::move(options)) {
}

std::int64_t Progress::now_ns() const {
  return options_.clock_ns ? options_.clock_ns() : base::fast_ns();
}

void Progress::on_start(const flow::Plan& plan, const flow::RunInfo& info) {
  plan_ = &plan;
  runner_ = info.runner;
  rows_.clear();
  num_drawn_ = 0;
  for (std::int32_t i = 0; i < std::ssize(plan.nodes()); ++i) {
    if (plan.nodes()[static_cast<std::size_t>(i)].kind != flow::NodeKind::kInput) {
      rows_.push_back({.node = i});
    }
  }
  start_ns_ = last_rate_ns_ = now_ns();
  last_draw_ns_ = start_ns_;
}

void Progress::update_rates(const flow::RunMetrics& metrics, std::int64_t now) {
  const double seconds = to_s(now - last_rate_ns_);
  const double keep = std::exp(-seconds / kRateMemoryS);
  for (NodeRow& row : rows_) {
    const std::int64_t runs = metrics.nodes()[static_cast<std::size_t>(row.node)].runs;
    row.rate_per_s = keep * row.rate_per_s +
                     (1 - keep) * static_cast<double>(runs - row.runs) / std::max(seconds, 1e-6);
    row.runs = runs;
  }
  last_rate_ns_ = now;
}

std::string Progress::run_line(const flow::RunMetrics& metrics, std::int64_t now) const {
  const double seconds = to_s(now - start_ns_);
  const double rate = static_cast<double>(metrics.epochs_finished) / std::max(seconds, 1e-6);
  std::string out = fmt::format("{}, epoch {}", duration_text(seconds), metrics.epochs_finished);
  if (options_.total_epochs.has_value()) {
    out += fmt::format(" of {}", *options_.total_epochs);
  }
  if (metrics.epochs_finished > 0) {
    out += ", " + rate_text(rate);
  }
  if (options_.total_epochs.has_value() && metrics.epochs_finished > 0) {
    out += fmt::format(", {} left", duration_text(static_cast<double>(*options_.total_epochs -
                                                                      metrics.epochs_finished) /
                                                  rate));
  }
  return out;
}

std::string Progress::running_names(const flow::RunMetrics& metrics) const {
  constexpr int kShown = 4;
  std::string out;
  int count = 0;
  for (const NodeRow& row : rows_) {
    if (metrics.nodes()[static_cast<std::size_t>(row.node)].running > 0 && ++count <= kShown) {
      out += (out.empty() ? "" : ", ") + plan_->nodes()[static_cast<std::size_t>(row.node)].id;
    }
  }
  return count > kShown ? fmt::format("{} and {} more", out, count - kShown) : out;
}

std::string Progress::node_line(const NodeRow& row, const flow::NodeMetrics& node,
                                std::size_t id_width) const {
  const flow::PlanNode& at = plan_->nodes()[static_cast<std::size_t>(row.node)];
  // The root region runs once per epoch; how often a map's body will run is not known before.
  const bool has_total = options_.total_epochs.has_value() && at.region == 0;
  const std::string count = has_total ? fmt::format("{}/{}", node.runs, *options_.total_epochs)
                                      : fmt::format("{}", node.runs);
  const bool is_busy = node.running > 0 || row.rate_per_s > kBusyPerS;
  const std::string_view state = node.failed > 0                ? "failed"
                                 : is_busy                      ? "running"
                                 : node.runs + node.skipped > 0 ? "done"
                                                                : "waits";
  std::string line =
      fmt::format("  {:<{}}  {:<7} {:>11}", cut(at.id, id_width), id_width, state, count);
  if (row.rate_per_s > kBusyPerS) {
    line += fmt::format("  {:>8}", rate_text(row.rate_per_s));
  } else {
    line += fmt::format("  {:>8}", "");
  }
  if (node.runs > 0) {
    line += fmt::format(
        "  {:>9} each",
        duration_text(to_s(node.duration.total_ns()) /
                      static_cast<double>(std::max<std::int64_t>(1, node.duration.count()))));
  }
  if (has_total && row.rate_per_s > 0 && node.runs < *options_.total_epochs) {
    line += fmt::format(
        "  {} left",
        duration_text(static_cast<double>(*options_.total_epochs - node.runs) / row.rate_per_s));
  }
  line.erase(line.find_last_not_of(' ') + 1);
  line = cut(std::move(line), static_cast<std::size_t>(std::max(20, options_.width - 1)));
  if (!options_.color) {
    return line;
  }
  const std::string_view paint = state == "failed" ? kRed : state == "running" ? kGreen : kDim;
  return fmt::format("{}{}{}", paint, line, kReset);
}

void Progress::draw(const flow::RunMetrics& metrics, std::int64_t now) {
  // Nodes that are at work first when not all fit; else in the plan's order.
  const auto room = static_cast<std::size_t>(std::clamp(options_.height - 4, 3, 30));
  std::vector<const NodeRow*> shown;
  for (const NodeRow& row : rows_) {
    shown.push_back(&row);
  }
  const auto is_busy = [&](const NodeRow* row) {
    return metrics.nodes()[static_cast<std::size_t>(row->node)].running > 0 ||
           row->rate_per_s > kBusyPerS;
  };
  if (shown.size() > room) {
    std::stable_partition(shown.begin(), shown.end(), is_busy);
    shown.resize(room);
  }
  std::size_t id_width = 4;
  for (const NodeRow* row : shown) {
    id_width = std::max(
        id_width,
        std::min(kMaxIdWidth, plan_->nodes()[static_cast<std::size_t>(row->node)].id.size()));
  }
  std::string title = cut(fmt::format("running ({}): {}", runner_, run_line(metrics, now)),
                          static_cast<std::size_t>(std::max(20, options_.width - 1)));
  // Up over our own lines and erase to the end of the screen, in one write: no flicker.
  std::string text =
      num_drawn_ > 0 ? fmt::format("\x1b[{}A\r\x1b[J", num_drawn_) : std::string("\r");
  text += options_.color ? fmt::format("{}{}{}\n", kBold, title, kReset) : title + "\n";
  num_drawn_ = 1;
  for (const NodeRow* row : shown) {
    text += node_line(*row, metrics.nodes()[static_cast<std::size_t>(row->node)], id_width) + "\n";
    ++num_drawn_;
  }
  if (shown.size() < rows_.size()) {
    text += fmt::format("  ... {} more nodes\n", rows_.size() - shown.size());
    ++num_drawn_;
  }
  options_.sink(text);
}

void Progress::on_tick(const flow::RunMetrics& metrics) {
  const std::int64_t now = now_ns();
  if (plan_ == nullptr || now - start_ns_ < kQuietNs) {
    return;
  }
  if (options_.is_terminal) {
    if (num_drawn_ == 0 || now - last_draw_ns_ >= kRedrawNs) {
      last_draw_ns_ = now;
      update_rates(metrics, now);
      draw(metrics, now);
    }
  } else if (now - last_draw_ns_ >= kLineNs) {
    last_draw_ns_ = now;
    const std::string running = running_names(metrics);
    options_.sink(fmt::format("penstock: {}{}{}\n", run_line(metrics, now),
                              running.empty() ? "" : "; running ", running));
  }
}

void Progress::clear() {
  if (num_drawn_ > 0) {
    options_.sink(fmt::format("\x1b[{}A\r\x1b[J", num_drawn_));
    num_drawn_ = 0;
  }
}

void Progress::on_finish(const flow::RunSummary& /*summary*/, const flow::RunMetrics& /*metrics*/) {
  clear();
  plan_ = nullptr;
}

}  // namespace penstock::report
