// penstock history and penstock show: the runs of the past and their results.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include <fmt/format.h>

#include "penstock/cli/commands.h"
#include "penstock/cli/recorded_events.h"
#include "penstock/cli/results.h"
#include "penstock/core/block_store.h"
#include "penstock/flow/history.h"
#include "penstock/report/json.h"

namespace penstock::cli {
namespace {

using flow::History;
using flow::RunRecord;
using report::JsonText;

constexpr std::size_t kRunIdShown = 18;
constexpr std::size_t kMaxValueBytes = 4'000;

std::string time_text(std::int64_t unix_us) {
  const auto seconds = static_cast<std::time_t>(unix_us / 1'000'000);
  std::tm parts{};
  localtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

/// A run that never wrote its end was killed, unless its process is still there.
std::string status_text(const RunRecord& run) {
  const bool alive = kill(static_cast<pid_t>(run.pid), 0) == 0;
  return run.status == "running" && !alive ? "killed" : run.status;
}

void append_run(const RunRecord& run, JsonText& json) {
  json.begin_object().key("run_id").text(run.run_id).key("file").text(run.file);
  json.key("status").text(status_text(run)).key("runner").text(run.runner);
  json.integer_field("started_us", run.started_us).key("elapsed_s").real(run.elapsed_s, 6);
  json.integer_field("epochs", run.epochs).integer_field("results", run.results);
  json.integer_field("retries", run.retries).integer_field("peak_rss_bytes", run.peak_rss_bytes);
  json.integer_field("num_workers", run.num_workers).key("seed").raw(std::to_string(run.seed));
  json.key("plan").text(run.plan).key("version").text(run.version);
  json.text_field("error_id", run.error_id).text_field("error", run.error);
  json.text_field("origin", run.origin);
  json.key("inputs").begin_object();
  for (const auto& [name, value] : run.inputs) {
    json.key(name).text(value);
  }
  json.end_object().key("cids").begin_array();
  for (const flow::ResultRecord& result : run.cids) {
    json.begin_object()
        .integer_field("epoch", result.epoch)
        .key("cid")
        .text(result.cid)
        .end_object();
  }
  json.end_array().key("nodes").begin_object();
  for (const flow::NodeRecord& node : run.nodes) {
    json.key(node.id).begin_object().key("type").text(node.type);
    json.integer_field("runs", node.runs).integer_field("failed", node.failed);
    json.integer_field("skipped", node.skipped);
    json.key("total_ms").real(static_cast<double>(node.total_ns) * 1e-6, 6);
    json.key("p50_ms").real(static_cast<double>(node.p50_ns) * 1e-6, 6);
    json.key("p95_ms").real(static_cast<double>(node.p95_ns) * 1e-6, 6);
    json.key("max_ms").real(static_cast<double>(node.max_ns) * 1e-6, 6).end_object();
  }
  json.end_object().end_object();
}

std::string run_text(const RunRecord& run) {
  std::string out =
      fmt::format("run       {}\ntube      {}\nstatus    {}\nstarted   {}\nelapsed   {:.3f} s\n",
                  run.run_id, run.file, status_text(run), time_text(run.started_us), run.elapsed_s);
  out += fmt::format("runner    {}, {} worker{}, seed {}\nepochs    {}, {} results\nplan      {}\n",
                     run.runner, run.num_workers, run.num_workers == 1 ? "" : "s", run.seed,
                     run.epochs, run.results, run.plan);
  for (const auto& [name, value] : run.inputs) {
    out += fmt::format("input     {} = {}\n", name, value);
  }
  if (!run.error.empty()) {
    out +=
        fmt::format("error     {}{}{}\n", run.error_id, run.error_id.empty() ? "" : " ", run.error);
  }
  if (!run.cids.empty()) {
    out += fmt::format("result    epoch {}: {}\n", run.cids.back().epoch, run.cids.back().cid);
  }
  std::size_t width = 4;
  for (const flow::NodeRecord& node : run.nodes) {
    width = std::max(width, node.id.size());
  }
  out += fmt::format("\n{:<{}}  {:>8}  {:>7}  {:>6}  {:>10}  {:>9}  {:>9}\n", "node", width, "runs",
                     "skipped", "failed", "total ms", "p50 ms", "p95 ms");
  for (const flow::NodeRecord& node : run.nodes) {
    out += fmt::format(
        "{:<{}}  {:>8}  {:>7}  {:>6}  {:>10.2f}  {:>9.3f}  {:>9.3f}\n", node.id, width, node.runs,
        node.skipped, node.failed, static_cast<double>(node.total_ns) * 1e-6,
        static_cast<double>(node.p50_ns) * 1e-6, static_cast<double>(node.p95_ns) * 1e-6);
  }
  out.pop_back();
  return out;
}

int fail_with(const base::Error& error, Session& session) {
  session.terminal.error(error);
  return kFailed;
}

base::Result<core::Value> load_value(const History& history, const core::Cid& cid,
                                     const std::string& name) {
  const auto root = history.root_of(name);
  if (root.has_value()) {
    return core::decode(*root);
  }
  if (root.error().code() != base::ErrorCode::kNotFound) {
    return base::fail(root.error());
  }
  PENSTOCK_ASSIGN_OR_RETURN(const auto store,
                            core::DirectoryBlockStore::open(history.block_folder()));
  return core::get_value(*store, cid);
}

int show_value(const History& history, const std::string& name, bool json, Session& session) {
  const auto cid = core::Cid::parse(name);
  if (!cid.has_value()) {
    return fail_with(cid.error(), session);
  }
  const auto value = load_value(history, *cid, name);
  if (!value.has_value()) {
    const bool gone = value.error().code() == base::ErrorCode::kNotFound;
    const auto runs = history.runs_with(name, 1);
    if (!gone || !runs.has_value() || runs->empty()) {
      return fail_with(value.error(), session);
    }
    session.terminal.out(run_text(runs->front()));
    session.terminal.note("note: this run gave the result; the value itself is no longer kept");
    return kOk;
  }
  session.terminal.out(json ? report::to_json(*value) : one_line(*value, kMaxValueBytes));
  return kOk;
}

}  // namespace

int history(const HistoryCommand& command, Session& session) {
  const auto opened = History::open(flow::user_data_folder());
  if (!opened.has_value()) {
    return fail_with(opened.error(), session);
  }
  if (!command.events.empty()) {
    return show_events(**opened, command, session);
  }
  std::string file = command.file;
  std::error_code failed;
  if (const auto path = std::filesystem::canonical(file, failed); !file.empty() && !failed) {
    file = path.string();
  }
  std::int64_t num_damaged = 0;
  const auto runs = (*opened)->list(command.limit, file, &num_damaged);
  if (!runs.has_value()) {
    return fail_with(runs.error(), session);
  }
  if (num_damaged > 0) {
    session.terminal.note(fmt::format("note: {} damaged records are left out", num_damaged));
  }
  if (command.json) {
    for (const RunRecord& run : *runs) {
      JsonText json;
      append_run(run, json);
      session.terminal.out(json.take());
    }
    return kOk;
  }
  if (runs->empty()) {
    session.terminal.note("no runs are recorded yet");
    return kOk;
  }
  session.terminal.out(fmt::format("{:<{}}  {:<19}  {:<11}  {:>9}  {:<9}  {}", "run", kRunIdShown,
                                   "started", "status", "elapsed", "runner", "tube"));
  for (const RunRecord& run : *runs) {
    session.terminal.out(fmt::format(
        "{:<{}}  {:<19}  {:<11}  {:>7.2f} s  {:<9}  {}", run.run_id.substr(0, kRunIdShown),
        kRunIdShown, time_text(run.started_us), status_text(run), run.elapsed_s, run.runner,
        std::filesystem::path(run.file).filename().string()));
  }
  return kOk;
}

int show(const ShowCommand& command, Session& session) {
  const auto opened = History::open(flow::user_data_folder());
  if (!opened.has_value()) {
    return fail_with(opened.error(), session);
  }
  const History& history = **opened;
  constexpr std::int64_t kCandidates = 6;
  const auto runs = history.find_runs(command.name, kCandidates);
  const auto cids = history.find_cids(command.name, kCandidates);
  if (!runs.has_value() || !cids.has_value()) {
    return fail_with(runs.has_value() ? cids.error() : runs.error(), session);
  }
  if (runs->size() + cids->size() > 1) {
    std::string names;
    for (const RunRecord& run : *runs) {
      names += fmt::format("{}{}", names.empty() ? "" : ", ", run.run_id);
    }
    for (const std::string& cid : *cids) {
      names += fmt::format("{}{}", names.empty() ? "" : ", ", cid);
    }
    session.terminal.error(
        flow::Diagnostic{.id = "PS0907",
                         .message = fmt::format("'{}' begins more than one name", command.name),
                         .location = {},
                         .excerpt = {},
                         .help = fmt::format("one of: {}", names.substr(0, 400))});
    return kFailed;
  }
  if (!runs->empty()) {
    JsonText json;
    append_run(runs->front(), json);
    session.terminal.out(command.json ? json.take() : run_text(runs->front()));
    return kOk;
  }
  if (!cids->empty() || core::Cid::parse(command.name).has_value()) {
    return show_value(history, cids->empty() ? command.name : cids->front(), command.json, session);
  }
  session.terminal.error(flow::Diagnostic{
      .id = "PS0907",
      .message = fmt::format("no run and no result begins with '{}'", command.name),
      .location = {},
      .excerpt = {},
      .help = "'penstock history' lists runs"});
  return kFailed;
}

}  // namespace penstock::cli
