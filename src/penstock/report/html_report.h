// HtmlReport: writes the run's report page while it runs. One file, appended to and never
// rewritten; a killed run leaves a page that shows everything up to its last flush.
//
// Page and records: docs/formats/run-record.md. Owner thread only (the runner's).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/value.h"
#include "penstock/flow/observer.h"
#include "penstock/report/run_log.h"
#include "penstock/report/timeline_log.h"

namespace penstock::report {

/// One thing that differs from, or is the same as in, the run before.
struct Change {
  std::string name;           ///< "input late_minutes", "result of epoch 0"
  std::string kind;           ///< "added", "removed", "changed", "same"
  std::string before, after;  ///< as shown; empty where there is none
};

/// What the page says under "Since the last run".
struct ChangesSinceLastRun {
  std::string run_id;  ///< of the run before
  std::int64_t started_unix_us = 0;
  double elapsed_s = 0;
  std::vector<Change> items;
  std::vector<std::pair<std::string, double>> node_total_ms;  ///< of the run before, by node id
};

struct ReportOptions {
  std::string path;     ///< file to write; an existing one is replaced at once
  std::string name;     ///< of the pipeline; empty: the tube's id, or its file's name
  std::string command;  ///< command line, shown at the foot; may be empty
  std::vector<core::MapEntry> inputs;  ///< run inputs, beside the plan's tube-scoped ones
};

class HtmlReport : public flow::Observer {
 public:
  /// Opens the file and writes the page's start. kUnavailable with the system's reason.
  static base::Result<std::shared_ptr<HtmlReport>> create(ReportOptions options);
  ~HtmlReport() override;
  HtmlReport(const HtmlReport&) = delete;
  HtmlReport& operator=(const HtmlReport&) = delete;

  std::uint32_t detail() const override { return kNodeRuns; }
  void on_start(const flow::Plan& plan, const flow::RunInfo& info) override;
  void on_node_run(const flow::NodeRun& run) override;
  void on_log(std::int32_t node, std::string_view line) override;
  void on_tick(const flow::RunMetrics& metrics) override;
  void on_result(std::int64_t root_epoch, const core::Value& value) override;
  void on_error(const base::Error& error) override;
  void on_finish(const flow::RunSummary& summary, const flow::RunMetrics& metrics) override;

  /// At any time after on_start, also after on_finish.
  void add_changes(const ChangesSinceLastRun& changes);

  /// The first write that failed (the disk is full); later records are dropped.
  const base::Status& status() const { return status_; }
  const std::string& path() const { return options_.path; }

 private:
  HtmlReport(ReportOptions options, int fd);

  void add_record(std::string_view json);
  void add_stats(const flow::RunMetrics& metrics, std::int64_t t_us);
  void add_result(std::int64_t epoch, const core::Value& value, bool with_value);
  void add_pending(bool checkpoint);
  void flush();
  std::int64_t elapsed_us() const;

  const ReportOptions options_;
  int fd_;
  base::Status status_;
  std::string buffer_;  ///< records not yet written to the file

  const flow::Plan* plan_ = nullptr;  ///< kept alive by the runner until on_finish
  flow::RunInfo info_;
  core::Value plots_;  ///< the tube's `report:` list
  std::int64_t start_ns_ = 0, next_checkpoint_us_ = 0;
  std::optional<TimelineLog> timeline_;
  RunLog log_;
  std::int64_t num_results_ = 0, num_errors_ = 0;
  std::int64_t last_epoch_ = 0;
  core::Value last_result_;  ///< absent when it is in the page already
};

}  // namespace penstock::report
