// Whole runs: on this thread, on threads and on worker processes.
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "sweep.h"
#include "tubes.h"
#include <fmt/format.h>

#include "penstock/base/out_of_memory.h"
#include "penstock/core/identity.h"
#include "penstock/exec/inline_executor.h"
#include "penstock/exec/isolated_calls.h"
#include "penstock/exec/process_executor.h"
#include "penstock/exec/process_test_support.h"
#include "penstock/exec/thread_executor.h"
#include "penstock/flow/history.h"
#include "penstock/flow/result_cache.h"
#include "penstock/flow/runner.h"
#include "penstock/report/html_report.h"
#include "penstock/report/json_lines.h"

namespace penstock::faults {
namespace {

using MakeExecutor = std::function<std::unique_ptr<flow::Executor>()>;

/// What a run is made of; nothing here is made under the fault but the executor and the runner.
struct Job {
  std::shared_ptr<const flow::Plan> plan;
  MakeExecutor make_executor;
  flow::RunnerOptions options;
  std::optional<std::int64_t> epochs;
  bool skips_known = false;
};

void append(std::string& out, const core::Value& value) {
  out += value.is_absent() ? "absent" : core::digest(value)->to_hex();
  out += "\n";
}

base::Status run_all(flow::Runner& runner, const Job& job, std::string& out) {
  if (job.skips_known) {
    runner.skip_known({});
  }
  base::Status status = runner.run(job.epochs, {}, [&](const flow::EpochResult& result) {
    const Paused pause;
    append(out, result.value);
    return base::Status();
  });
  if (auto ended = runner.deinit(); status.has_value()) {
    status = std::move(ended);
  }
  return status;
}

/// The results of the run, or its error. `out` is allocated under Paused only.
Answer run(const Job& job) {
  std::string out;
  base::Status status = base::within_memory([&]() -> base::Status {
    flow::Runner runner(job.plan, job.make_executor(), job.options);
    return run_all(runner, job, out);
  });
  const Paused pause;
  if (boxes_held() != 0) {
    return fmt::format("{} assets are still held", boxes_held());
  }
  if (!status.has_value()) {
    return base::fail(status.error());
  }
  return out;
}

std::unique_ptr<flow::Executor> on_this_thread() {
  return std::make_unique<exec::InlineExecutor>();
}

std::unique_ptr<flow::Executor> on_two_threads() {
  return std::make_unique<exec::ThreadExecutor>(2);
}

Scenario run_of(std::string name, std::string_view tube, MakeExecutor executor, bool is_threads) {
  return {.name = std::move(name),
          .set_up =
              [tube, executor, is_threads](const std::string&) {
                reset_types();
                Job job{.plan = plan_of(tube), .make_executor = executor};
                job.options.max_epochs_in_flight = is_threads ? 4 : 1;
                return stage_of([job] { return run(job); });
              },
          .is_concurrent = is_threads};
}

/// process() after process(), as a program would that goes on after an error.
Scenario epoch_by_epoch() {
  return {.name = "exec/epoch-by-epoch", .set_up = [](const std::string&) {
            reset_types();
            return stage_of([plan = plan_of(kWholeTube)]() -> Answer {
              auto made = base::within_memory([&]() -> base::Result<std::unique_ptr<flow::Runner>> {
                return std::make_unique<flow::Runner>(plan, on_this_thread(),
                                                      flow::RunnerOptions{});
              });
              if (!made.has_value()) {
                return base::fail(made.error());
              }
              std::string out;
              std::optional<base::Error> first;
              for (int i = 0; i < 4; ++i) {
                const auto result = (*made)->process();
                const Paused pause;
                if (!result.has_value()) {
                  first = first.value_or(result.error());
                } else {
                  append(out, result->value);
                }
              }
              base::Status ended = (*made)->deinit();
              made->reset();
              const Paused pause;
              if (first.has_value() || !ended.has_value()) {
                return base::fail(first.value_or(ended.has_value() ? *first : ended.error()));
              }
              return out;
            });
          }};
}

/// The second of two runs, which finds the results of the first.
Scenario with_kept_results() {
  return {.name = "exec/with-kept-results",
          .set_up =
              [](const std::string& folder) {
                Job job{.plan = plan_of(kDearTube), .make_executor = on_this_thread, .epochs = 1};
                job.options.cache = *flow::ResultCache::open(folder);
                std::ignore = run(job);
                job.skips_known = true;
                return stage_of([job] { return run(job); });
              },
          .scratch_folders = {"cache/tmp"}};
}

Scenario keeping_results() {
  return {.name = "exec/keeping-results",
          .set_up =
              [](const std::string& folder) {
                Job job{.plan = plan_of(kDearTube), .make_executor = on_this_thread, .epochs = 1};
                job.options.cache = *flow::ResultCache::open(folder);
                return stage_of([job] { return run(job); });
              },
          .scratch_folders = {"cache/tmp"}};
}

Scenario dry_run() {
  return {.name = "exec/dry-run", .set_up = [](const std::string& folder) {
            Job job{.plan = plan_of(kDearTube), .make_executor = on_this_thread, .epochs = 1};
            job.options.cache = *flow::ResultCache::open(folder);
            return stage_of([job]() -> Answer {
              auto calls =
                  base::within_memory([&]() -> base::Result<std::vector<flow::PlannedCall>> {
                    flow::Runner runner(job.plan, job.make_executor(), job.options);
                    return runner.dry_run({});
                  });
              return answer(calls, [](const std::vector<flow::PlannedCall>& planned) {
                std::string out;
                for (const flow::PlannedCall& call : planned) {
                  out += fmt::format("{}:{} ", call.node, static_cast<int>(call.verdict));
                }
                return out;
              });
            });
          }};
}

report::ReportOptions page_in(const std::string& folder) {
  const Paused pause;
  return {.path = folder + "/page.html", .name = "tube"};
}

/// A page, JSON lines and a history besides; what they tell must be whole when the run is.
Scenario with_observers() {
  return {.name = "exec/with-observers", .set_up = [](const std::string& folder) {
            return stage_of([folder, plan = plan_of(kWholeTube)]() -> Answer {
              auto page = report::HtmlReport::create(page_in(folder));
              if (!page.has_value()) {
                return base::fail(page.error());
              }
              std::string lines;
              std::shared_ptr<flow::HistoryObserver> history;
              base::Result<std::string> ran =
                  base::within_memory([&]() -> base::Result<std::string> {
                    history = std::make_shared<flow::HistoryObserver>(folder + "/home");
                    Job job{.plan = plan, .make_executor = on_this_thread};
                    job.options.observers = {
                        *page, history, std::make_shared<report::JsonLines>([&](auto line) {
                          const Paused pause;
                          lines += line.substr(0, line.find("\"cid\"")).starts_with("{\"epoch\"")
                                       ? line
                                       : "another line\n";
                        })};
                    return run(job);
                  });
              const Paused pause;
              if (!ran.has_value()) {
                return base::fail(ran.error());
              }
              if (!(*page)->status().has_value()) {
                return base::fail((*page)->status().error());
              }
              if (history->error().has_value()) {
                return base::fail(*history->error());
              }
              page->reset();
              std::ifstream file(folder + "/page.html");
              const std::string text{std::istreambuf_iterator<char>(file), {}};
              return *ran + lines +
                     (text.find("\"status\":\"ok\"") != std::string::npos ? "whole" : "");
            });
          }};
}

constexpr std::string_view kProcessTube = R"(
nodes:
  source: {type: test.source, params: {n: 4}}
  tensor: {type: test.tensor, depends: [x: source.value], params: {elements: 3000}}
  arena: {type: test.tensor, depends: [x: source.value], params: {elements: 3000, arena: 1}}
  total: {type: test.total, depends: [x: tensor.value]}
  other: {type: test.total, depends: [x: arena.value]}
  counter: {type: test.counter, depends: [x: source.value]}
  log: {type: test.log, depends: [x: counter.value]}
  out: {type: return, depends: [total: total.value, other: other.value, log: log.value]}
)";

Scenario on_processes() {
  return {.name = "exec/processes",
          .set_up =
              [](const std::string&) {
                Job job{.plan = *exec::testing::compile(kProcessTube), .make_executor = [] {
                          return std::make_unique<exec::ProcessExecutor>(
                              exec::testing::options(kProcessTube, 2));
                        }};
                job.options.max_epochs_in_flight = 4;
                return stage_of([job] { return run(job); });
              },
          .is_concurrent = true};
}

/// The workers are this program: see worker_main().
Scenario in_workers() {
  return {.name = "exec/in-workers",
          .set_up =
              [](const std::string&) {
                exec::ProcessOptions options = exec::testing::options(kProcessTube, 2);
                options.command = {"/proc/self/exe", "--worker"};
                Job job{.plan = *exec::testing::compile(kProcessTube), .make_executor = [options] {
                          return std::make_unique<exec::ProcessExecutor>(options);
                        }};
                job.options.max_epochs_in_flight = 4;
                return stage_of([job] { return run(job); });
              },
          .is_concurrent = true,
          .is_in_worker = true};
}

constexpr std::string_view kIsolatedTube = R"(
nodes:
  source: {type: test.source, params: {n: 2}}
  sleep: {type: test.sleep, depends: [x: source.value], params: {ms: 1}, timeout_ms: 60000}
  out: {type: return, depends: [sleep.value]}
)";

/// One call in a process of its own, as runners make it of a node that cannot be ended otherwise.
Scenario isolated_call() {
  return {.name = "exec/isolated-call",
          .set_up =
              [](const std::string&) {
                return stage_of([plan = *exec::testing::compile(kIsolatedTube)]() -> Answer {
                  exec::testing::TableAccess access(plan);
                  base::Result<core::Value> value =
                      base::within_memory([&]() -> base::Result<core::Value> {
                        exec::IsolatedCalls calls(exec::testing::options(kIsolatedTube));
                        PENSTOCK_RETURN_IF_ERROR(calls.start(access));
                        exec::testing::Row row{.inputs = {core::Value::integer(7)}};
                        row.outputs.resize(1);
                        flow::Completion out;
                        calls.run(exec::testing::TableAccess::task(plan->find_node("sleep"), row),
                                  out, nullptr);
                        PENSTOCK_RETURN_IF_ERROR(out.status);
                        return row.outputs[0];
                      });
                  return answer(
                      value, [](const core::Value& got) { return std::to_string(got.as_int()); });
                });
              },
          .is_concurrent = true};
}

}  // namespace

std::vector<Scenario> exec_scenarios() {
  return {run_of("exec/sync", kWholeTube, on_this_thread, false),
          run_of("exec/threads", kWholeTube, on_two_threads, true),
          run_of("exec/assets", kAssetTube, on_this_thread, false),
          run_of("exec/assets-on-threads", kAssetTube, on_two_threads, true),
          run_of("exec/retries", kFlakyTube, on_this_thread, false),
          run_of("exec/retries-on-threads", kFlakyTube, on_two_threads, true),
          epoch_by_epoch(),
          keeping_results(),
          with_kept_results(),
          dry_run(),
          with_observers(),
          on_processes(),
          in_workers(),
          isolated_call()};
}

}  // namespace penstock::faults
