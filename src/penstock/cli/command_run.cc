// penstock run: loads a tube, runs it, prints its results.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "penstock/cli/commands.h"
#include "penstock/cli/dry_run.h"
#include "penstock/cli/executors.h"
#include "penstock/cli/only.h"
#include "penstock/cli/python.h"
#include "penstock/cli/results.h"
#include "penstock/cli/run_inputs.h"
#include "penstock/cli/tubes.h"
#include "penstock/core/host.h"
#include "penstock/flow/event_recorder.h"
#include "penstock/flow/history.h"
#include "penstock/flow/result_cache.h"
#include "penstock/flow/runner.h"
#include "penstock/report/html_report.h"
#include "penstock/report/json_lines.h"
#include "penstock/report/progress.h"

namespace penstock::cli {
namespace {

constexpr std::int32_t kEpochsInFlight = 64;
constexpr std::size_t kMaxResultBytes = 2'000;

// The handler may touch nothing but this flag.
core::CancelToken* interrupted_run = nullptr;

extern "C" void on_interrupt(int /*signal*/) {
  if (interrupted_run != nullptr) {
    interrupted_run->cancel();
  }
}

/// Ctrl-C asks the run to stop; a second one ends the process. Inside Python its own handler asks.
class InterruptGuard {
 public:
  InterruptGuard(core::CancelToken& token, bool active) : active_(active) {
    if (active_) {
      interrupted_run = &token;
      struct sigaction action{};
      action.sa_handler = on_interrupt;
      action.sa_flags = SA_RESETHAND;
      sigemptyset(&action.sa_mask);
      sigaction(SIGINT, &action, &before_);
      sigaction(SIGTERM, &action, &before_term_);
    }
  }
  ~InterruptGuard() {
    if (active_) {
      sigaction(SIGINT, &before_, nullptr);
      sigaction(SIGTERM, &before_term_, nullptr);
      interrupted_run = nullptr;
    }
  }
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

 private:
  bool active_;
  struct sigaction before_{}, before_term_{};
};

/// Everything that watches a run, kept to be asked afterwards.
struct Watchers {
  std::shared_ptr<LastResult> last = std::make_shared<LastResult>();
  std::shared_ptr<flow::HistoryObserver> history;
  std::shared_ptr<flow::EventRecorder> events;
  std::shared_ptr<report::HtmlReport> page;
  std::shared_ptr<report::Progress> progress;
};

std::string command_line(const Session& session) {
  return fmt::format("penstock {}", fmt::join(session.args, " "));
}

base::Result<Watchers> watch(const RunCommand& command, const RunInputs& inputs, Session& session,
                             flow::RunnerOptions& options) {
  Watchers out;
  const bool record = !command.no_history && std::getenv("PENSTOCK_NO_HISTORY") == nullptr;
  options.observers.push_back(out.last);
  if (command.json) {
    options.observers.push_back(std::make_shared<report::JsonLines>([](std::string_view line) {
      std::fwrite(line.data(), 1, line.size(), stdout);
      std::fflush(stdout);
    }));
  }
  if (record) {
    out.history = std::make_shared<flow::HistoryObserver>(flow::user_data_folder());
    out.history->set_inputs(inputs.all.as_map());
    options.observers.push_back(out.history);
  }
  if (command.events && record) {
    out.events = std::make_shared<flow::EventRecorder>(flow::user_data_folder());
    options.observers.push_back(out.events);
  }
  if (!command.report.empty()) {
    PENSTOCK_ASSIGN_OR_RETURN(out.page,
                              report::HtmlReport::create({.path = command.report,
                                                          .name = {},
                                                          .command = command_line(session),
                                                          .inputs = inputs.all.as_map()}));
    options.observers.push_back(out.page);
  }
  if (!command.quiet) {
    report::ProgressOptions progress = report::stderr_progress(session.terminal.color());
    progress.total_epochs = command.epochs;
    out.progress = std::make_shared<report::Progress>(std::move(progress));
    options.observers.push_back(out.progress);
  }
  return out;
}

/// What the page says under "Since the last run": results and times of the same tube's last run.
void add_changes(const Watchers& watchers) {
  if (watchers.page == nullptr || watchers.history == nullptr) {
    return;
  }
  const flow::RunRecord& now = watchers.history->record();
  const std::optional<flow::RunRecord>& before = watchers.history->before();
  if (!before) {
    return;
  }
  report::ChangesSinceLastRun changes{.run_id = before->run_id,
                                      .started_unix_us = before->started_us,
                                      .elapsed_s = before->elapsed_s};
  const auto compare = [&changes](std::string name, const std::string& old,
                                  const std::string& fresh) {
    const std::string_view kind = old.empty()     ? "added"
                                  : fresh.empty() ? "removed"
                                  : old == fresh  ? "same"
                                                  : "changed";
    changes.items.push_back(
        {.name = std::move(name), .kind = std::string(kind), .before = old, .after = fresh});
  };
  compare("pipeline", before->plan, now.plan);
  for (const auto& [name, value] : now.inputs) {
    const auto old =
        std::ranges::find(before->inputs, name, &std::pair<std::string, std::string>::first);
    compare("input " + name, old == before->inputs.end() ? "" : old->second, value);
  }
  compare("runner", before->runner, now.runner);
  if (!before->cids.empty() || !now.cids.empty()) {
    compare("last result", before->cids.empty() ? "" : before->cids.back().cid,
            now.cids.empty() ? "" : now.cids.back().cid);
  }
  for (const flow::NodeRecord& node : before->nodes) {
    changes.node_total_ms.emplace_back(node.id, static_cast<double>(node.total_ns) * 1e-6);
  }
  watchers.page->add_changes(changes);
}

/// Two decimals while they mean something.
std::string elapsed_text(double seconds) {
  return seconds >= 1 && seconds < 60 ? fmt::format("{:.2f} s", seconds)
                                      : report::duration_text(seconds);
}

int print_outcome(const RunCommand& command, const base::Status& status, const Watchers& watchers,
                  const flow::RunSummary& summary, Session& session) {
  Terminal& terminal = session.terminal;
  if (!command.json && !watchers.last->last.is_absent()) {
    terminal.out(one_line(watchers.last->last, kMaxResultBytes));
  }
  if (!status.has_value()) {
    const bool cancelled = status.error().code() == base::ErrorCode::kCancelled;
    if (cancelled) {
      terminal.note(fmt::format("interrupted after {}", elapsed_text(summary.elapsed_s)));
    } else {
      terminal.error(status.error());
    }
    if (watchers.page != nullptr && !command.quiet) {
      terminal.note(fmt::format("report: {}", command.report));
    }
    return cancelled ? kInterrupted : kFailed;
  }
  if (command.quiet) {
    return kOk;
  }
  if (!command.json) {
    terminal.note(fmt::format("ok: {} epoch{}, {} result{} in {} ({})", summary.epochs,
                              summary.epochs == 1 ? "" : "s", summary.results,
                              summary.results == 1 ? "" : "s", elapsed_text(summary.elapsed_s),
                              command.executor.runner));
    if (watchers.history != nullptr && !watchers.history->last_cid().empty()) {
      terminal.note(fmt::format("cid: {}", watchers.history->last_cid()));
    }
  }
  if (watchers.page != nullptr) {
    terminal.note(fmt::format("report: {}", command.report));
  }
  if (watchers.events != nullptr && watchers.events->error()) {
    terminal.note(fmt::format("note: {}", watchers.events->error()->to_string()));
  }
  if (watchers.events != nullptr && watchers.events->num_left_out() > 0) {
    terminal.note(fmt::format("note: {} events are not recorded: their values have no encoding",
                              watchers.events->num_left_out()));
  }
  if (watchers.history != nullptr && watchers.history->error()) {
    terminal.note(fmt::format("note: {}", watchers.history->error()->message()));
  }
  return kOk;
}

base::Result<std::unique_ptr<flow::Executor>> make_executor(const RunCommand& command,
                                                            const flow::Plan& plan,
                                                            const RunInputs& inputs,
                                                            const CliHost& host) {
  return host.make_executor ? host.make_executor(plan, command.executor, inputs.tube)
                            : make_native_executor(plan, command.executor, inputs.tube);
}

/// Before the run: calls that need not, or are not to be made, are taken out of it.
base::Status prepare(const RunCommand& command, const flow::Plan& plan, const RunInputs& inputs,
                     const flow::RunRecord& from, flow::Runner& runner) {
  if (command.only.empty()) {
    return {};
  }
  const std::int32_t node = plan.find_node(command.only);
  if (node == flow::kNone) {
    std::vector<std::string> names;
    for (const flow::PlanNode& known : plan.nodes().subspan(1)) {
      names.push_back(known.id);
    }
    const std::string nearest = core::nearest_name(command.only, names);
    return base::fail(base::Error(base::ErrorCode::kNotFound,
                                  fmt::format("the tube has no node '{}'", command.only))
                          .with_id("PS0422")
                          .with_help(nearest.empty() ? "'penstock graph' shows its nodes"
                                                     : fmt::format("did you mean '{}'?", nearest)));
  }
  return runner.run_only(node, kept_calls(from, plan), inputs.process);
}

int run_plan(const RunCommand& command, const std::shared_ptr<const flow::Plan>& plan,
             const RunInputs& inputs, const flow::RunRecord& from, Session& session) {
  core::CancelToken cancel;
  flow::RunnerOptions options{.name = command.executor.runner, .seed = command.seed};
  options.max_epochs_in_flight = command.executor.runner == "sync" ? 1 : kEpochsInFlight;
  options.cancel = &cancel;
  RunCommand used = command;
  if (command.dry_run) {
    used.executor.runner = "sync";  // nothing is called: where does not matter
  }
  auto executor = make_executor(used, *plan, inputs, session.host);
  if (!executor.has_value()) {
    session.terminal.error(executor.error());
    return executor.error().id() == "PS0902" ? kUsage : kFailed;
  }
  if (!command.no_cache && plan->reuse() != nullptr) {
    auto cache = flow::open_user_cache();
    if (!cache.has_value()) {
      session.terminal.error(cache.error());
      return kFailed;
    }
    options.cache = std::move(*cache);
  }
  if (command.dry_run) {
    flow::Runner runner(plan, std::move(*executor), std::move(options));
    const auto calls = runner.dry_run(inputs.process);
    if (!calls.has_value()) {
      session.terminal.error(calls.error());
      return kFailed;
    }
    print_dry_run(*plan, *calls, command.json, session.terminal);
    return kOk;
  }
  auto resources = parse_resources(command.resources, command.executor.num_workers);
  if (!resources.has_value()) {
    session.terminal.error(resources.error());
    return kUsage;
  }
  options.resources = *resources;
  if (!command.tags.empty()) {
    options.tags = command.tags;
  }
  if (session.host.make_isolation) {
    auto isolation = session.host.make_isolation(*plan, command.executor.runner, inputs.tube);
    if (!isolation.has_value()) {
      session.terminal.error(isolation.error());
      return kFailed;
    }
    options.isolation = std::move(*isolation);
  }
  auto watchers = watch(command, inputs, session, options);
  if (!watchers.has_value()) {
    session.terminal.error(watchers.error().id().empty() ? watchers.error().with_id("PS0909")
                                                         : watchers.error());
    return kFailed;
  }
  if (!command.only.empty()) {
    options.observers.push_back(std::make_shared<NodeAsResult>(command.only, options.observers));
  }
  std::optional<std::int64_t> epochs = command.only.empty() ? command.epochs : 1;
  if (!epochs && !plan->has_source()) {
    epochs = 1;
  }
  base::Status status;
  flow::RunSummary summary;
  {
    const InterruptGuard guard(cancel, !session.host.has_python);
    // Python nodes of the synchronous runner run on this very thread: it keeps the lock.
    const bool keeps_lock = command.executor.runner == "sync" && plan->needs_host();
    std::optional<core::HostUnlock> unlock;
    if (!keeps_lock) {
      unlock.emplace();
    }
    flow::Runner runner(plan, std::move(*executor), std::move(options));
    status = prepare(command, *plan, inputs, from, runner);
    if (status.has_value() && epochs == 1 && command.only.empty()) {
      runner.skip_known(inputs.process);
    }
    if (status.has_value()) {
      status = runner.init();
    }
    if (status.has_value()) {
      status = runner.run(epochs, inputs.process,
                          [](const flow::EpochResult&) -> base::Status { return {}; });
    }
    if (auto ended = runner.deinit(); status.has_value()) {
      status = std::move(ended);
    }
    summary = runner.summary();
  }
  add_changes(*watchers);
  return print_outcome(command, status, *watchers, summary, session);
}

/// PENSTOCK_BACKEND for the command, which is native code. False for a value that says nothing.
bool check_backend(const RunCommand& command, Session& session) {
  const char* value = std::getenv("PENSTOCK_BACKEND");
  const std::string_view wanted = value == nullptr ? "" : value;
  if (wanted == "reference" && !command.quiet) {
    session.terminal.note(
        "note: the command has no pure-Python twin, so the native code does it [PS0473]");
  }
  if (wanted.empty() || wanted == "reference" || wanted == "native" || wanted == "auto") {
    return true;
  }
  session.terminal.error(
      base::Error(
          base::ErrorCode::kInvalidArgument,
          fmt::format("unknown backend: seen '{}', wanted native, reference or auto", wanted))
          .with_context("PENSTOCK_BACKEND")
          .with_id("PS0470")
          .with_help("export PENSTOCK_BACKEND=auto"));
  return false;
}

}  // namespace

int run(const RunCommand& command, Session& session) {
  if (needs_python(command.file, session.host)) {
    return hand_over(command.file, session);
  }
  flow::ParsedSpec parsed = load_tube(command.file, session.host, true);
  const bool hands_over =
      !session.host.has_python && parsed.diagnostics.empty() && has_python_parts(parsed.spec);
  if (hands_over) {
    return hand_over(parsed.spec, session);
  }
  if (!check_backend(command, session)) {
    return kUsage;
  }
  auto inputs = parse_inputs(command.inputs, parsed.spec);
  if (!inputs.has_value()) {
    session.terminal.error(inputs.error());
    return kUsage;
  }
  flow::RunRecord from;
  if (!command.only.empty()) {
    auto found = find_run(command.inputs_from, parsed.spec.file);
    const base::Status taken = found.has_value() ? add_inputs_of(*found, parsed.spec, *inputs)
                                                 : base::Status(base::fail(found.error()));
    if (!taken.has_value()) {
      session.terminal.error(taken.error());
      return kFailed;
    }
    from = std::move(*found);
  }
  flow::Diagnostics plots = check_plots(parsed);
  flow::Diagnostics problems = std::move(parsed.diagnostics);
  std::shared_ptr<const flow::Plan> plan;
  if (problems.empty()) {
    auto compiled = compile_tube(parsed.spec, session.host, inputs->tube);
    if (compiled.has_value()) {
      plan = std::move(*compiled);
    } else {
      problems = std::move(compiled.error());
    }
  } else if (parsed.whole) {
    problems =
        merge_diagnostics(parsed.spec, std::move(problems), check_wiring(parsed.spec, nullptr));
  }
  add_diagnostics(std::move(plots), problems);
  if (flow::was_interrupted(problems)) {
    session.terminal.note("interrupted while the tube was loaded");
    return kInterrupted;
  }
  if (!problems.empty()) {
    for (const flow::Diagnostic& problem : problems) {
      session.terminal.error(problem);
    }
    return kFailed;
  }
  return run_plan(command, plan, *inputs, from, session);
}

}  // namespace penstock::cli
