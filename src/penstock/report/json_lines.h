// JsonLines: what `penstock run --json` prints. Owner thread only (the runner's).
#pragma once

#include <functional>
#include <string_view>

#include "penstock/core/value.h"
#include "penstock/flow/observer.h"
#include "penstock/report/json.h"

namespace penstock::report {

/// One line per result, {"epoch", "cid", "value"}; one per failed epoch, {"error": {...}}; and last
/// {"summary": {...}}. Each line is given to the sink whole, with its newline, when it is known.
/// "cid" is null for a value that has no canonical encoding. The form of values: run-record.md.
class JsonLines : public flow::Observer {
 public:
  using Sink = std::function<void(std::string_view line)>;

  explicit JsonLines(Sink sink, JsonOptions options = {})
      : sink_(std::move(sink)), options_(options) {}

  void on_start(const flow::Plan& plan, const flow::RunInfo& info) override;
  void on_result(std::int64_t root_epoch, const core::Value& value) override;
  void on_error(const base::Error& error) override;
  void on_finish(const flow::RunSummary& summary, const flow::RunMetrics& metrics) override;

 private:
  void send(JsonText* line);

  const Sink sink_;
  const JsonOptions options_;
  const flow::Plan* plan_ = nullptr;  ///< kept alive by the runner until on_finish
  flow::RunInfo info_;
};

}  // namespace penstock::report
