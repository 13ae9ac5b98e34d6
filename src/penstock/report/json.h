// Values as JSON: for `penstock run --json`, for history and for the report page.
// The form, kind by kind: docs/formats/run-record.md, "Values".
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "penstock/base/result.h"
#include "penstock/core/value.h"
#include "penstock/flow/metrics.h"
#include "penstock/flow/observer.h"
#include "penstock/flow/plan.h"
#include "penstock/report/json_text.h"

namespace penstock::report {

/// How much of a value is written, and how.
struct JsonOptions {
  bool in_page = false;          ///< the report page's form: tables, tensors and bytes are tagged
  std::int64_t max_rows = 1000;  ///< a table with more rows gives `sample` instead of `rows`
  std::int64_t sample_rows = 20;
  std::int64_t max_items =
      10'000;  ///< per list, tuple, map; tensors show at most max_rows elements
  std::int64_t max_text_bytes = 1 << 20;
  std::int64_t max_bytes = std::numeric_limits<std::int64_t>::max();  ///< about; the rest is cut
};

/// Options of the report page: bounded to about a megabyte a value.
inline constexpr JsonOptions kPageJson{.in_page = true,
                                       .sample_rows = 1000,
                                       .max_items = 500,
                                       .max_text_bytes = 8192,
                                       .max_bytes = 2 << 20};

/// Appends `value`. Host objects are not converted here: see to_native (core/host.h).
void append_json(const core::Value& value, const JsonOptions& options, JsonText* out);
std::string to_json(const core::Value& value, const JsonOptions& options = {});

/// `value` without host objects; where one cannot be converted, a text that says why.
core::Value to_shown(const core::Value& value);

/// Appends {"id", "code", "origin", "message", "help", "trace"}; empty fields are left out.
void append_error_fields(const base::Error& error, JsonText* out);

/// Appends the fields of a summary record: status, runner, backend, elapsed_s, epochs, results,
/// retries, peak_rss_bytes and, by node id, runs, failed, retries, p50_ms, p95_ms, max_ms,
/// total_ms.
void append_summary_fields(const flow::Plan& plan, const flow::RunInfo& info,
                           const flow::RunSummary& summary, const flow::RunMetrics& metrics,
                           JsonText* out);

}  // namespace penstock::report
