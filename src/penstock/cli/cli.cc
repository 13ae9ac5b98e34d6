// Declares the commands to CLI11 and dispatches. CLI11 throws; nothing leaves this file.
#include "penstock/cli/cli.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <map>
#include <new>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "penstock/base/out_of_memory.h"
#include "penstock/base/version.h"
#include "penstock/cli/commands.h"
#include "penstock/cli/sizes.h"
#include "penstock/cli/worker.h"

namespace penstock::cli {
namespace {

constexpr std::array<const char*, 15> kCommandNames{
    "run",     "check",  "graph", "fmt",     "new", "stub",  "schema",    "ops",
    "explain", "doctor", "show",  "history", "why", "cache", "completion"};

struct Parsed {
  RunCommand run;
  CheckCommand check;
  GraphCommand graph;
  FormatCommand format;
  NewCommand make_new;
  StubCommand stub;
  OpsCommand ops_list, ops_describe;
  ExplainCommand explain;
  DoctorCommand doctor;
  HistoryCommand history;
  WhyCommand why;
  ShowCommand show;
  CacheCommand cache;
  std::string shell;
  std::string color = "auto";
};

/// An int from `least`, with a message of ours: CLI11's own prints the limits of a double.
CLI::Validator int_from(std::int64_t least) {
  return CLI::Validator(
      [least](std::string& text) -> std::string {
        std::int64_t value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        const bool valid =
            error == std::errc() && end == text.data() + text.size() && value >= least;
        return valid ? "" : fmt::format("wants an int from {}, seen '{}'", least, text);
      },
      "", "");
}

CLI::Validator seconds_above_zero() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
        double value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        const bool valid = error == std::errc() && end == text.data() + text.size() && value > 0;
        return valid ? "" : fmt::format("wants a number of seconds above 0, seen '{}'", text);
      },
      "", "");
}

/// A size such as 500000000, 500MB or 2GiB, as the number of its bytes.
CLI::Validator size_in_bytes() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
        const auto bytes = parse_size(text);
        if (!bytes) {
          return fmt::format("wants a size such as 500MB or 2GiB, seen '{}'", text);
        }
        text = std::to_string(*bytes);
        return "";
      },
      "", "");
}

void declare_run(CLI::App& app, RunCommand& run) {
  CLI::App& sub = *app.add_subcommand("run", "Run a tube and print its results");
  sub.add_option("FILE", run.file, "A tube file, or 'hello' for a built-in one")->required();
  sub.add_option("-r,--runner", run.executor.runner, "Where nodes run: sync, threads or processes")
      ->type_name("NAME");
  sub.add_option("-w,--workers", run.executor.num_workers, "Threads or processes; 0 = one per core")
      ->check(int_from(0))
      ->type_name("N");
  sub.add_option("-e,--epochs", run.epochs,
                 "Epochs to run (default: until the sources end, else one)")
      ->check(int_from(0))
      ->type_name("N");
  sub.add_option("-i,--input", run.inputs, "Value of an input, as YAML; may be repeated")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  sub.add_option("--task-timeout", run.executor.task_timeout_s,
                 "Seconds a task may take in a worker process")
      ->check(seconds_above_zero())
      ->type_name("SECONDS");
  sub.add_option("--resource", run.resources,
                 "What there is of cpu, io or memory for nodes that ask for it; may be repeated")
      ->type_name("NAME=AMOUNT")
      ->allow_extra_args(false);
  sub.add_option("--tag", run.tags,
                 "What this place is called, for nodes that say where; may be repeated")
      ->type_name("TAG")
      ->allow_extra_args(false);
  sub.add_option("--report", run.report, "Write a page about the run")->type_name("FILE.html");
  sub.add_flag("--json", run.json, "One JSON line per result, then one with the summary");
  sub.add_option("--seed", run.seed, "Seed of all randomness in the run")
      ->check(int_from(0))
      ->type_name("N");
  sub.add_flag("-q,--quiet", run.quiet, "Only results and errors");
  CLI::Option* no_history = sub.add_flag("--no-history", run.no_history, "Do not record this run");
  sub.add_flag("--events", run.events, "Record every event; see 'penstock history --events RUN'")
      ->excludes(no_history);
  sub.add_flag("-n,--dry-run", run.dry_run, "Only say what would run, and why");
  CLI::Option* const only =
      sub.add_option("--only", run.only, "Call only this node")->type_name("NODE");
  CLI::Option* const inputs_from =
      sub.add_option("--inputs-from", run.inputs_from,
                     "With the inputs it had in this run, or in the 'last'")
          ->type_name("RUN");
  only->needs(inputs_from);
  inputs_from->needs(only);
  sub.add_flag("--no-cache", run.no_cache, "Neither use results of earlier runs nor keep any");
}

void declare_look(CLI::App& app, Parsed& out) {
  CLI::App& check = *app.add_subcommand("check", "Report everything wrong with tube files");
  check.add_option("FILE", out.check.files, "Tube files")->required();
  check.add_flag_callback("--json", [&out] { out.check.format = "json"; }, "Problems as JSON");
  check.add_flag_callback(
      "--sarif", [&out] { out.check.format = "sarif"; }, "Problems as SARIF 2.1.0");
  check.add_flag_callback(
      "--github", [&out] { out.check.format = "github"; }, "Problems as GitHub annotations");
  check.add_flag("--types", out.check.types, "Import Python types instead of reading their source");

  CLI::App& graph = *app.add_subcommand("graph", "Draw a tube");
  graph.add_option("FILE", out.graph.file, "A tube file, or 'hello'")->required();
  graph.add_option("-f,--format", out.graph.format, "ascii, mermaid, dot or svg")
      ->check(CLI::IsMember({"ascii", "mermaid", "dot", "svg"}))
      ->type_name("NAME");
  graph.add_option("-o,--output", out.graph.output, "Write to a file")->type_name("FILE");

  CLI::App& ops = *app.add_subcommand("ops", "List and describe native operators");
  ops.require_subcommand(1);
  CLI::App& list = *ops.add_subcommand("list", "All operators, one line each");
  list.add_flag("--json", out.ops_list.json, "As JSON");
  CLI::App& describe = *ops.add_subcommand("describe", "Everything about one operator");
  describe.add_option("NAME", out.ops_describe.name, "Such as table.read")->required();
  describe.add_flag("--json", out.ops_describe.json, "As JSON");

  CLI::App& explain = *app.add_subcommand("explain", "Explain an error id");
  explain.add_option("ID", out.explain.id, "Such as PS0101; without it, list all");
}

void declare_write(CLI::App& app, Parsed& out) {
  CLI::App& format = *app.add_subcommand("fmt", "Write a tube in its canonical form");
  format.add_option("FILE", out.format.file, "A tube file; it is rewritten")->required();
  format.add_option("--to", out.format.to, "yaml: write a file of Python functions as a tube")
      ->check(CLI::IsMember({"yaml"}))
      ->type_name("FORM");
  format.add_option("-o,--output", out.format.output, "Write to another file; - = print")
      ->type_name("FILE");
  format.add_flag("--check", out.format.check, "Write nothing; exit 3 if it would change");

  CLI::App& make_new = *app.add_subcommand("new", "Write a first tube that runs as it is");
  make_new.add_option("FILE", out.make_new.file, "A file that does not exist")->required();
  make_new.add_flag("--python", out.make_new.python, "A file of plain functions instead of YAML");

  CLI::App& stub = *app.add_subcommand("stub", "Print Python types for a tube's inputs");
  stub.add_option("FILE", out.stub.file, "A tube file")->required();
  stub.add_option("-o,--output", out.stub.output, "Write to a file")->type_name("FILE.py");

  app.add_subcommand("schema", "Print the JSON Schema of tube files, for editors");
}

void declare_records(CLI::App& app, Parsed& out) {
  CLI::App& why = *app.add_subcommand("why", "Say why a node ran, or why it need not");
  why.add_option("NODE", out.why.node, "A node that keeps its results")->required();
  why.add_option("FILE", out.why.file, "Only runs of this tube");
  why.add_option("--run", out.why.run, "The run, by the beginning of its id (default: the newest)")
      ->type_name("RUN");
  why.add_option("--against", out.why.against, "Compare with this run (default: the one before)")
      ->type_name("RUN");
  why.add_flag("--json", out.why.json, "One JSON line per call, with all it depends on");

  CLI::App& history = *app.add_subcommand("history", "List the runs of the past");
  history.add_option("-n,--limit", out.history.limit, "At most so many")
      ->check(int_from(1))
      ->type_name("N");
  history.add_option("--file", out.history.file, "Only runs of this tube")->type_name("FILE");
  history.add_flag("--json", out.history.json, "One JSON line per run, or per event");
  history.add_option("--events", out.history.events, "The events that a run recorded")
      ->type_name("RUN");
  history.add_option("--node", out.history.node, "Only events of this node")->type_name("ID");
  history.add_option("--signal", out.history.signal, "Only events of this signal")
      ->type_name("NAME");
  history.add_option("--epoch", out.history.epoch, "Only events of this root epoch")
      ->type_name("N");

  CLI::App& show = *app.add_subcommand("show", "Show a run, or a result by its content address");
  show.add_option("NAME", out.show.name, "Run id or CID, or the beginning of one")->required();
  show.add_flag("--json", out.show.json, "As JSON");

  CLI::App& doctor = *app.add_subcommand("doctor", "Versions, backend and what is missing");
  doctor.add_flag("--json", out.doctor.json, "As JSON");

  CLI::App& completion = *app.add_subcommand("completion", "Print a shell's completion script");
  completion.add_option("SHELL", out.shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
}

void declare_cache(CLI::App& app, CacheCommand& out) {
  CLI::App& cache = *app.add_subcommand("cache", "List, verify and remove kept results");
  cache.require_subcommand(1);
  CLI::App& list = *cache.add_subcommand("ls", "All kept results, the last used first");
  list.add_flag("--json", out.json, "One JSON line per result");

  CLI::App& remove = *cache.add_subcommand("rm", "Remove kept results");
  CLI::Option& key = *remove.add_option("KEY", out.key, "The beginning of a key");
  CLI::Option& node = *remove.add_option("--node", out.node, "All results of a node")
                           ->type_name("NAME")
                           ->excludes(&key);
  remove.add_flag("--all", out.all, "All results")->excludes(&key)->excludes(&node);

  CLI::App& verify =
      *cache.add_subcommand("verify", "Read all kept results; exit 3 if any is damaged");
  verify.add_flag("--json", out.json, "One JSON line per damaged result");

  CLI::App& prune = *cache.add_subcommand("prune", "Remove what is beyond the limits, or damaged");
  prune.add_option("--max-bytes", out.max_bytes, "Leave at most so much, as 500MB or 2GiB")
      ->transform(size_in_bytes())
      ->type_name("SIZE");
  prune.add_option("--max-age-days", out.max_age_days, "Leave what was used in so many days")
      ->check(int_from(0))
      ->type_name("N");
}

int run_cache(const CLI::App& sub, const CacheCommand& command, Session& session) {
  if (sub.got_subcommand("ls")) {
    return cache_list(command, session);
  }
  if (sub.got_subcommand("rm")) {
    return cache_remove(command, session);
  }
  return sub.got_subcommand("verify") ? cache_verify(command, session)
                                      : cache_prune(command, session);
}

int complete(const std::string& shell, Session& session);

int dispatch(CLI::App& app, const Parsed& parsed, Session& session) {
  const CLI::App& sub = *app.get_subcommands().front();
  const std::string name = sub.get_name();
  if (name == "run") {
    return run(parsed.run, session);
  }
  if (name == "check") {
    return check(parsed.check, session);
  }
  if (name == "graph") {
    return graph(parsed.graph, session);
  }
  if (name == "fmt") {
    return format(parsed.format, session);
  }
  if (name == "new") {
    return make_new(parsed.make_new, session);
  }
  if (name == "stub") {
    return stub(parsed.stub, session);
  }
  if (name == "schema") {
    return schema(session);
  }
  if (name == "ops") {
    return ops(sub.got_subcommand("list") ? parsed.ops_list : parsed.ops_describe, session);
  }
  if (name == "explain") {
    return explain(parsed.explain, session);
  }
  if (name == "doctor") {
    return doctor(parsed.doctor, session);
  }
  if (name == "why") {
    return why(parsed.why, session);
  }
  if (name == "history") {
    return history(parsed.history, session);
  }
  if (name == "show") {
    return show(parsed.show, session);
  }
  if (name == "cache") {
    return run_cache(sub, parsed.cache, session);
  }
  return complete(parsed.shell, session);
}

/// The words a shell offers; options are read from the commands themselves.
int complete(const std::string& shell, Session& session) {
  std::string words;
  for (const char* name : kCommandNames) {
    words += fmt::format("{}{}", words.empty() ? "" : " ", name);
  }
  if (shell == "bash") {
    session.terminal.out(fmt::format(
        "_penstock() {{\n"
        "  local word=${{COMP_WORDS[COMP_CWORD]}}\n"
        "  if [ \"$COMP_CWORD\" = 1 ]; then COMPREPLY=($(compgen -W \"{}\" -- \"$word\"))\n"
        "  else COMPREPLY=($(compgen -f -X '!*.y*ml' -- \"$word\") "
        "$(compgen -f -X '!*.py' -- \"$word\") $(compgen -d -- \"$word\")); "
        "fi\n"
        "}}\ncomplete -F _penstock penstock",
        words));
  } else if (shell == "zsh") {
    session.terminal.out(fmt::format(
        "#compdef penstock\n_arguments '1:command:({})' '*:file:_files -g \"*.(y(a|)ml|py)\"'",
        words));
  } else {
    session.terminal.out(
        fmt::format("complete -c penstock -n __fish_use_subcommand -f -a '{}'\n"
                    "complete -c penstock -n 'not __fish_use_subcommand' -F",
                    words));
  }
  return kOk;
}

/// "unknown option '--epoch'" and the nearest one of `sub`.
void explain_extras(CLI::App& app, std::string& message, std::string& help) {
  const std::vector<std::string> extras = app.remaining(true);
  const auto option =
      std::ranges::find_if(extras, [](const std::string& word) { return word.starts_with("-"); });
  if (option == extras.end()) {
    message = fmt::format("unexpected argument '{}'", extras.empty() ? "" : extras.front());
    return;
  }
  message = fmt::format("unknown option '{}'", *option);
  std::vector<std::string> known;
  for (const CLI::App* at : {app.get_subcommands().empty() ? &app : app.get_subcommands().front(),
                             static_cast<CLI::App*>(&app)}) {
    for (const CLI::Option* one : at->get_options()) {
      for (const std::string& name : one->get_lnames()) {
        known.push_back("--" + name);
      }
    }
  }
  if (const std::string guess = core::nearest_name(*option, known); !guess.empty()) {
    help = fmt::format("did you mean '{}'?", guess);
  }
}

/// CLI11's words for a wrong command line, as ours.
int report_usage(const CLI::ParseError& error, CLI::App& app, Session& session) {
  std::string message = error.what();
  std::ranges::replace(message, '\n', ' ');
  const std::string command =
      app.get_subcommands().empty() ? "" : " " + app.get_subcommands().front()->get_name();
  std::string help = fmt::format("penstock{} --help", command);
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    explain_extras(app, message, help);
  }
  if (command.empty() && !session.args.empty() && !session.args.front().starts_with('-')) {
    const std::string& word = session.args.front();
    message = fmt::format("unknown command '{}'", word);
    const std::vector<std::string> known(kCommandNames.begin(), kCommandNames.end());
    const std::string guess = core::nearest_name(word, known);
    if (!guess.empty()) {
      help = fmt::format("did you mean 'penstock {}'?", guess);
    } else if (word.ends_with(".yaml") || word.ends_with(".yml") || word.ends_with(".py")) {
      help = fmt::format("did you mean 'penstock run {}'?", word);
    }
  }
  return usage_error(session, std::move(message), std::move(help));
}

report::ColorMode color_of(const std::string& name) {
  if (name == "auto") {
    return report::ColorMode::kAuto;
  }
  return name == "always" ? report::ColorMode::kAlways : report::ColorMode::kNever;
}

}  // namespace

int usage_error(Session& session, std::string message, std::string help) {
  session.terminal.error(flow::Diagnostic{.id = "PS0901",
                                          .message = std::move(message),
                                          .location = {},
                                          .excerpt = {},
                                          .help = std::move(help)});
  return kUsage;
}

namespace {

/// Takes no memory: there is none.
int tell_out_of_memory() {
  const base::Error& error = base::out_of_memory();
  std::fflush(stdout);
  for (const char* const part :
       {"error[", error.id().c_str(), "]: ", error.message().c_str(), "\n"}) {
    std::fputs(part, stderr);
  }
  return kFailed;
}

/// The exit code, `code` unless what was printed did not all arrive.
int close_output(int code, Session& session) {
  errno = 0;
  if ((std::fflush(stdout) == 0 && std::ferror(stdout) == 0) || code != kOk) {
    return code;
  }
  session.terminal.error(
      base::Error(base::ErrorCode::kResourceExhausted,
                  fmt::format("cannot write to standard output{}{}", errno == 0 ? "" : ": ",
                              errno == 0 ? "" : std::strerror(errno)))
          .with_id("PS0443"));
  return kFailed;
}

}  // namespace

int main(std::span<const std::string> args, const CliHost& host) try {
  if (args.size() == 2 && args[0] == kWorkerArgument) {
    return run_native_worker(args[1]);
  }
  Session session{.host = host, .args = args, .terminal = Terminal()};
  Parsed parsed;
  CLI::App app("Run pipelines written once, anywhere, with one result everywhere.", "penstock");
  app.set_version_flag("--version", fmt::format("penstock {}", base::version()));
  app.add_option("--color", parsed.color, "Colours: auto, always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->type_name("WHEN");
  app.require_subcommand(1);
  app.fallthrough();
  app.failure_message(CLI::FailureMessage::simple);
  declare_run(app, parsed.run);
  declare_look(app, parsed);
  declare_write(app, parsed);
  declare_records(app, parsed);
  declare_cache(app, parsed.cache);
  app.footer(
      "A first tube:  penstock run hello\nExit codes: 0 ok, 1 failed, 2 usage, 3 a check did "
      "not hold, 130 interrupted");
  try {
    app.parse(std::vector<std::string>(args.rbegin(), args.rend()));  // CLI11 takes them reversed
  } catch (const CLI::CallForHelp&) {
    std::string text = app.help();
    text.erase(text.find_last_not_of('\n') + 1);
    session.terminal.out(text);
    return kOk;
  } catch (const CLI::CallForVersion& version) {
    session.terminal.out(version.what());
    return kOk;
  } catch (const CLI::ParseError& error) {
    return report_usage(error, app, session);
  }
  session.terminal = Terminal(color_of(parsed.color));
  return close_output(dispatch(app, parsed, session), session);
} catch (const std::bad_alloc&) {
  return tell_out_of_memory();
}

}  // namespace penstock::cli
