// penstock run --dry-run: what would run, and why.
#include "penstock/cli/dry_run.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "penstock/flow/history.h"
#include "penstock/flow/reuse_history.h"
#include "penstock/report/json.h"

namespace penstock::cli {
namespace {

using flow::PlannedCall;

constexpr std::int64_t kRunsLookedAt = 50;

std::string_view to_text(PlannedCall::Verdict verdict) {
  switch (verdict) {
    case PlannedCall::Verdict::kRuns:
      return "runs";
    case PlannedCall::Verdict::kReused:
      return "reused";
    case PlannedCall::Verdict::kDepends:
      return "depends";
  }
  return "";
}

/// Newest first; none where no history can be read: then no reasons can be given.
std::vector<flow::RunRecord> recorded_runs(const flow::Plan& plan) {
  const auto history = flow::History::open(flow::user_data_folder());
  if (!history.has_value()) {
    return {};
  }
  std::error_code failed;
  const auto path = std::filesystem::canonical(plan.spec().file, failed);
  return (*history)
      ->list(kRunsLookedAt, failed ? plan.spec().file : path.string())
      .value_or(std::vector<flow::RunRecord>());
}

std::vector<std::string> because(const flow::Plan& plan, const PlannedCall& call,
                                 std::span<const flow::RunRecord> runs) {
  const flow::PlanNode& node = plan.nodes()[static_cast<std::size_t>(call.node)];
  switch (call.verdict) {
    case PlannedCall::Verdict::kReused:
      return {};
    case PlannedCall::Verdict::kDepends: {
      std::vector<std::string> out;
      for (const std::int32_t before : call.waits_for) {
        out.push_back(fmt::format("unless '{}' gives what it gave before",
                                  plan.nodes()[static_cast<std::size_t>(before)].id));
      }
      return out;
    }
    case PlannedCall::Verdict::kRuns:
      break;
  }
  if (!node.is_kept) {
    return {"it keeps no results"};
  }
  return flow::reasons(runs, node.id, call.path, call.parts);
}

}  // namespace

void print_dry_run(const flow::Plan& plan, std::span<const PlannedCall> calls, bool json,
                   Terminal& terminal) {
  const std::vector<flow::RunRecord> runs = recorded_runs(plan);
  // Calls of one node for one reason are one line, in the order of the first of them.
  using Line = std::tuple<std::int32_t, PlannedCall::Verdict, std::vector<std::string>>;
  std::vector<std::pair<Line, std::int64_t>> lines;
  std::size_t width = 4;
  for (const PlannedCall& call : calls) {
    const std::string& id = plan.nodes()[static_cast<std::size_t>(call.node)].id;
    const std::vector<std::string> why = because(plan, call, runs);
    if (json) {
      report::JsonText line;
      line.begin_object().key("node").text(id).key("path").begin_array();
      for (const std::int64_t index : call.path) {
        line.raw(std::to_string(index));
      }
      line.end_array().key("verdict").text(to_text(call.verdict)).key("because").begin_array();
      for (const std::string& reason : why) {
        line.text(reason);
      }
      terminal.out(line.end_array().end_object().take());
      continue;
    }
    width = std::max(width, id.size());
    Line line{call.node, call.verdict, why};
    const auto at = std::ranges::find(lines, line, &std::pair<Line, std::int64_t>::first);
    if (at == lines.end()) {
      lines.emplace_back(std::move(line), 1);
    } else {
      ++at->second;
    }
  }
  for (const auto& [line, count] : lines) {
    const auto& [node, verdict, why] = line;
    std::string text = fmt::format("{:<7}  {:<{}}", to_text(verdict),
                                   plan.nodes()[static_cast<std::size_t>(node)].id, width);
    text += count > 1 ? fmt::format("  {} calls", count) : "";
    text += why.empty() ? "" : fmt::format("  {}", fmt::join(why, "; "));
    terminal.out(text.substr(0, text.find_last_not_of(' ') + 1));
  }
}

}  // namespace penstock::cli
