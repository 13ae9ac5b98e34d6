#include "penstock/report/html_report.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <new>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "penstock/base/clock.h"
#include "penstock/base/out_of_memory.h"
#include "penstock/core/identity.h"
#include "penstock/report/json.h"
#include "penstock/report/page.h"
#include "penstock/report/plot.h"

extern const char penstock_version_text[];

namespace penstock::report {
namespace {

constexpr std::size_t kBufferBytes = 256 * 1024;
constexpr std::int64_t kMaxNodes = 3000;  // of a larger plan only the first are drawn
constexpr std::int64_t kMaxEdges = 12'000;
constexpr std::int64_t kListedResults = 100;  // whose addresses are in the page
constexpr std::int64_t kShownResults =
    8;  // whose values are; then those of numbers 16, 32, 64, ...
constexpr std::int64_t kMaxErrors = 50;
constexpr std::int64_t kCheckpointUs = 1'000'000;

std::string iso_time(std::int64_t unix_us) {
  const std::int64_t seconds = unix_us / 1'000'000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(seconds)),
                     unix_us / 1000 % 1000);
}

std::string_view kind_name(flow::NodeKind kind) {
  switch (kind) {
    case flow::NodeKind::kMap:
      return "map";
    case flow::NodeKind::kGather:
      return "gather";
    case flow::NodeKind::kReturn:
      return "return";
    case flow::NodeKind::kInput:
      return "input";
    case flow::NodeKind::kTube:
    case flow::NodeKind::kTubeReturn:
      return "tube";
    case flow::NodeKind::kAsset:
    case flow::NodeKind::kAssetEnd:
      return "asset";
    case flow::NodeKind::kOperator:
      break;
  }
  return "operator";
}

// The tube's file as seen from here: a page that is handed on should not name private folders.
std::string shown_path(const std::string& file) {
  std::error_code error;
  const auto here = std::filesystem::current_path(error);
  const auto relative = std::filesystem::path(file).lexically_relative(here);
  const bool is_below = !error && !relative.empty() && *relative.begin() != "..";
  return is_below && std::filesystem::path(file).is_absolute() ? relative.string() : file;
}

std::string pipeline_name(const ReportOptions& options, const flow::Spec& spec) {
  if (!options.name.empty()) {
    return options.name;
  }
  return spec.noob_id.empty() ? std::filesystem::path(spec.file).stem().string() : spec.noob_id;
}

void append_nodes(const flow::Plan& plan, JsonText* out) {
  const std::int64_t count = std::ssize(plan.nodes());
  out->key("nodes").begin_array();
  for (std::int64_t i = 0; i < std::min(count, kMaxNodes); ++i) {
    const flow::PlanNode& node = plan.nodes()[static_cast<std::size_t>(i)];
    out->begin_object().key("id").text(node.id).text_field("operator", node.type);
    out->key("kind").text(kind_name(node.kind));
    out->integer_field("depth", plan.regions()[static_cast<std::size_t>(node.region)].depth);
    if (node.stateful) {
      out->key("stateful").boolean(true);
    }
    if (!node.enabled) {
      out->key("enabled").boolean(false);
    }
    if (node.mark.line > 0) {
      out->integer_field("line", node.mark.line);
    }
    out->end_object();
  }
  out->end_array();
  if (count > kMaxNodes) {
    out->integer_field("more_nodes", count - kMaxNodes);
  }
}

void append_edges(const flow::Plan& plan, JsonText* out) {
  std::int64_t num_edges = 0;
  out->key("edges").begin_array();
  for (std::int64_t i = 0; i < std::min(std::ssize(plan.nodes()), kMaxNodes); ++i) {
    const flow::PlanNode& node = plan.nodes()[static_cast<std::size_t>(i)];
    const auto edges = plan.in_edges(node);
    for (std::size_t k = 0; k < edges.size(); ++k) {
      const flow::InEdge& edge = edges[k];
      if (edge.signal < 0 || plan.producer(edge.signal) >= kMaxNodes || ++num_edges > kMaxEdges) {
        continue;
      }
      out->begin_array().integer(plan.producer(edge.signal)).integer(i);
      out->text(plan.signal_names()[static_cast<std::size_t>(edge.signal)]);
      out->text(k < node.bindings.size() ? node.bindings[k].name : "")
          .boolean(!edge.required)
          .end_array();
    }
  }
  out->end_array();
}

void append_inputs(const flow::Plan& plan, const ReportOptions& options, JsonText* out) {
  constexpr JsonOptions kInputJson{.in_page = true,
                                   .max_rows = 5,
                                   .sample_rows = 5,
                                   .max_items = 20,
                                   .max_text_bytes = 400,
                                   .max_bytes = 4000};
  out->key("inputs").begin_array();
  const auto append = [&](std::string_view name, const core::Value& value) {
    out->begin_object().key("name").text(name).key("value");
    append_json(to_shown(value), kInputJson, out);
    out->end_object();
  };
  for (std::size_t i = 0; i < plan.tube_values().size(); ++i) {
    if (!plan.tube_values()[i].is_absent()) {
      append(plan.inputs()[i].id, plan.tube_values()[i]);
    }
  }
  for (const auto& [name, value] : options.inputs) {
    const auto is_tube_input = [&](const flow::PlanInput& input) {
      return input.id == name && input.scope == flow::Scope::kTube;
    };
    if (std::none_of(plan.inputs().begin(), plan.inputs().end(), is_tube_input)) {
      append(name, value);
    }
  }
  for (const flow::PlanInput& input :
       plan.inputs()) {  // what a run that was not told otherwise used
    const auto is_given = [&](const core::MapEntry& entry) { return entry.first == input.id; };
    if (input.scope != flow::Scope::kTube && !input.default_value.is_absent() &&
        std::none_of(options.inputs.begin(), options.inputs.end(), is_given)) {
      append(input.id, input.default_value);
    }
  }
  out->end_array();
}

// [first octave, [count per octave of duration in ns]].
void append_histogram(const flow::DurationHistogram& histogram, JsonText* out) {
  const auto buckets = histogram.buckets();
  std::vector<std::int64_t> octaves(flow::DurationHistogram::kBuckets / 8);
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    octaves[i / 8] += buckets[i];
  }
  const auto is_used = [](std::int64_t count) { return count > 0; };
  const auto first = std::find_if(octaves.begin(), octaves.end(), is_used);
  const auto last = std::find_if(octaves.rbegin(), octaves.rend(), is_used).base();
  if (first >= last) {
    return;
  }
  out->key("hist").begin_array().integer(first - octaves.begin()).begin_array();
  std::for_each(first, last, [&](std::int64_t count) { out->integer(count); });
  out->end_array().end_array();
}

double to_us(std::int64_t ns) {
  return static_cast<double>(ns) * 1e-3;
}

}  // namespace

base::Result<std::shared_ptr<HtmlReport>> HtmlReport::create(ReportOptions options) try {
  const int fd = ::open(options.path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) {
    return base::fail(base::Error(
        base::ErrorCode::kUnavailable,
        fmt::format("cannot write the report '{}': {}", options.path, std::strerror(errno))));
  }
  auto* const made = new (std::nothrow) HtmlReport(std::move(options), fd);
  if (made == nullptr) {
    ::close(fd);
    return base::fail_out_of_memory();
  }
  std::shared_ptr<HtmlReport> report(made);  // closes the file from here on
  report->buffer_ = kPageStart;
  report->flush();
  return report;
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

HtmlReport::HtmlReport(ReportOptions options, int fd) : options_(std::move(options)), fd_(fd) {
}

HtmlReport::~HtmlReport() {
  flush();
  ::close(fd_);
}

std::int64_t HtmlReport::elapsed_us() const {
  return (base::fast_ns() - start_ns_) / 1000;
}

void HtmlReport::add_record(std::string_view json) {
  fmt::format_to(std::back_inserter(buffer_), "<script type=\"application/json\">{}</script>\n",
                 json);
  if (buffer_.size() > kBufferBytes) {
    flush();
  }
}

void HtmlReport::flush() {
  std::string_view left = buffer_;
  while (!left.empty() && status_.has_value()) {
    const ssize_t written = ::write(fd_, left.data(), left.size());
    if (written >= 0) {
      left.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      status_ = base::within_memory([&]() -> base::Status {
        return base::fail(
            base::ErrorCode::kUnavailable,
            fmt::format("cannot write the report '{}': {}", options_.path, std::strerror(errno)));
      });
    }
  }
  buffer_.clear();
}

void HtmlReport::on_start(const flow::Plan& plan, const flow::RunInfo& info) {
  plan_ = &plan;
  info_ = info;
  plots_ = plan.spec().report;
  start_ns_ = base::fast_ns();
  next_checkpoint_us_ = kCheckpointUs;
  timeline_.emplace(plan);
  JsonText out(true);
  out.begin_object()
      .key("type")
      .text("run")
      .integer_field("format", 1)
      .key("run_id")
      .text(info.run_id);
  out.key("name")
      .text(pipeline_name(options_, plan.spec()))
      .text_field("description", plan.spec().description);
  out.text_field("file", shown_path(plan.spec().file)).text_field("command", options_.command);
  out.key("started_at")
      .text(iso_time(info.started_unix_us))
      .key("penstock")
      .text(penstock_version_text);
  out.key("runner")
      .text(info.runner)
      .key("backend")
      .text("native")
      .integer_field("num_workers", info.num_workers);
  out.key("seed").raw(fmt::format("{}", info.seed));
  out.key("plan").text(
      core::Cid{.codec = core::Codec::kDagCbor, .digest = plan.digest()}.to_string());
  append_inputs(plan, options_, &out);
  append_nodes(plan, &out);
  append_edges(plan, &out);
  add_record(out.end_object().str());
  flush();
}

void HtmlReport::on_node_run(const flow::NodeRun& run) {
  timeline_->add(run);
}

void HtmlReport::on_log(std::int32_t node, std::string_view line) {
  log_.add(node, elapsed_us(), line);
}

void HtmlReport::on_tick(const flow::RunMetrics& metrics) {
  const std::int64_t now_us = elapsed_us();
  // Checkpoints get rarer as the run gets longer: their number grows with its logarithm.
  const bool checkpoint = now_us >= next_checkpoint_us_;
  if (checkpoint) {
    next_checkpoint_us_ = now_us + std::max(kCheckpointUs, now_us / 8);
    add_stats(metrics, now_us);
  }
  add_pending(checkpoint);
  if (!buffer_.empty()) {
    flush();
  }
}

void HtmlReport::add_pending(bool checkpoint) {
  for (const std::string& record : timeline_->take_records()) {
    add_record(record);
  }
  if (const std::string record = log_.take_record(checkpoint); !record.empty()) {
    add_record(record);
  }
}

void HtmlReport::add_stats(const flow::RunMetrics& metrics, std::int64_t t_us) {
  JsonText out(true);
  out.begin_object()
      .key("type")
      .text("stats")
      .integer_field("t_us", t_us)
      .key("nodes")
      .begin_array();
  const std::int64_t count = std::min(std::ssize(metrics.nodes()), kMaxNodes);
  for (std::int64_t i = 0; i < count; ++i) {
    const flow::NodeMetrics& node = metrics.nodes()[static_cast<std::size_t>(i)];
    if (node.runs == 0 && node.running == 0 && node.skipped == 0 && node.failed == 0) {
      continue;
    }
    out.begin_object().integer_field("node", i).integer_field("runs", node.runs);
    for (const auto& [name, value] :
         {std::pair("failed", node.failed), std::pair("retries", node.retries),
          std::pair("no_event", node.no_event), std::pair("skipped", node.skipped),
          std::pair("running", node.running)}) {
      if (value != 0) {
        out.integer_field(name, value);
      }
    }
    out.key("total_us")
        .real(to_us(node.duration.total_ns()), 7)
        .key("p50_us")
        .real(to_us(node.duration.quantile_ns(0.5)), 4);
    out.key("p95_us")
        .real(to_us(node.duration.quantile_ns(0.95)), 4)
        .key("max_us")
        .real(to_us(node.duration.max_ns()), 5);
    append_histogram(node.duration, &out);
    out.end_object();
  }
  add_record(out.end_array().end_object().str());
}

void HtmlReport::on_result(std::int64_t root_epoch, const core::Value& value) {
  ++num_results_;
  const bool with_value = num_results_ <= kShownResults ||
                          std::has_single_bit(static_cast<std::uint64_t>(num_results_));
  if (with_value || num_results_ <= kListedResults) {
    add_result(root_epoch, value, with_value);
  }
  last_epoch_ = root_epoch;
  if (with_value) {
    last_result_.reset();
  } else {
    last_result_ = value;
  }
}

void HtmlReport::add_result(std::int64_t epoch, const core::Value& value, bool with_value) {
  const core::Value shown = to_shown(value);
  JsonText out(true);
  out.begin_object()
      .key("type")
      .text("result")
      .integer_field("epoch", epoch)
      .integer_field("t_us", elapsed_us());
  // The address of the value itself: what has no native form has none.
  if (const auto cid = core::cid(value); cid.has_value()) {
    out.key("cid").text(cid->to_string());
  } else {
    base::rethrow_out_of_memory(cid.error());
  }
  if (with_value) {
    out.key("value");
    append_json(shown, kPageJson, &out);
  }
  add_record(out.end_object().str());
  if (!with_value || plots_.is_absent()) {
    return;
  }
  const auto specs = plots_.is(core::Kind::kList) ? plots_.as_list() : std::vector{plots_};
  for (std::size_t i = 0; i < specs.size(); ++i) {
    add_record(plot_record(specs[i], shown, static_cast<int>(i)));
  }
}

void HtmlReport::on_error(const base::Error& error) {
  if (++num_errors_ > kMaxErrors) {
    return;
  }
  JsonText out(true);
  out.begin_object().key("type").text("error").integer_field("t_us", elapsed_us());
  append_error_fields(error, &out);
  add_record(out.end_object().str());
  flush();
}

void HtmlReport::on_finish(const flow::RunSummary& summary, const flow::RunMetrics& metrics) {
  timeline_->close_slice();
  add_pending(true);
  if (!last_result_.is_absent()) {
    add_result(last_epoch_, last_result_, true);
    last_result_.reset();
  }
  add_stats(metrics, elapsed_us());
  JsonText out(true);
  out.begin_object().key("type").text("summary").key("status").text(summary.status);
  out.key("backend").text(summary.backend).key("elapsed_s").real(summary.elapsed_s, 9);
  out.integer_field("epochs", summary.epochs).integer_field("results", summary.results);
  out.integer_field("errors", num_errors_).integer_field("retries", summary.retries);
  out.integer_field("peak_rss_bytes", summary.peak_rss_bytes);
  add_record(out.end_object().str());
  flush();
  timeline_.reset();
  plan_ = nullptr;
}

void HtmlReport::add_changes(const ChangesSinceLastRun& changes) {
  JsonText out(true);
  out.begin_object()
      .key("type")
      .text("changes")
      .key("previous")
      .begin_object()
      .key("run_id")
      .text(changes.run_id);
  out.key("started_at")
      .text(iso_time(changes.started_unix_us))
      .key("elapsed_s")
      .real(changes.elapsed_s, 9)
      .end_object();
  out.key("items").begin_array();
  for (const Change& change : changes.items) {
    out.begin_object().key("name").text(change.name).key("kind").text(change.kind);
    out.text_field("before", change.before).text_field("after", change.after).end_object();
  }
  out.end_array().key("nodes").begin_array();
  for (const auto& [id, total_ms] : changes.node_total_ms) {
    out.begin_object().key("id").text(id).key("total_ms").real(total_ms, 6).end_object();
  }
  add_record(out.end_array().end_object().str());
  flush();
}

}  // namespace penstock::report
