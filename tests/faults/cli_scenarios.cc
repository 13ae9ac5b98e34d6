// The command in this process: exit code 0 with all of its output, or words on standard error.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "sweep.h"
#include "tubes.h"
#include <fmt/format.h>

#include "penstock/cli/cli.h"

namespace penstock::faults {
namespace {

using Words = std::vector<std::string>;

/// A stream of this process, kept in memory while one lives.
class Captured {
 public:
  Captured(int number, std::FILE* stream) : number_(number), stream_(stream) {
    std::fflush(stream_);
    saved_ = ::fcntl(number, F_DUPFD_CLOEXEC, 100);
    const int memory = ::memfd_create("captured", MFD_CLOEXEC);
    ::dup2(memory, number_);
    ::close(memory);
  }
  ~Captured() {
    std::fflush(stream_);
    ::dup2(saved_, number_);
    ::close(saved_);
  }
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;

  std::string text() const {
    std::fflush(stream_);
    std::string out(1 << 20, '\0');
    const ssize_t size = ::pread(number_, out.data(), out.size(), 0);
    out.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return out;
  }

 private:
  int number_;
  std::FILE* stream_;
  int saved_ = -1;
};

/// What differs from run to run is left out: numbers, and the letters of hexadecimal ones.
std::string without_numbers(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view("0123456789abcdef.").find(c) == std::string_view::npos) {
      out += c;
    }
  }
  return out;
}

class CommandStage final : public Stage {
 public:
  CommandStage(Words words, bool has_numbers)
      : words_(std::move(words)),
        has_numbers_(has_numbers),
        out_(STDOUT_FILENO, stdout),
        error_(STDERR_FILENO, stderr) {}

  Answer act() override {
    const int code = cli::main(words_, host_);
    const Paused pause;
    const std::string out = out_.text();
    if (code == cli::kOk) {
      return has_numbers_ ? without_numbers(out) : out;
    }
    return base::fail(base::ErrorCode::kInternal, error_.text() + out);  // --json tells it there
  }

 private:
  const Words words_;
  const bool has_numbers_;
  const cli::CliHost host_;
  Captured out_, error_;
};

constexpr std::string_view kTube = R"(
# a comment that stays
input:
  name: {type: str, scope: tube, default: you}
nodes:
  words: {type: hello.words, params: {name: input.name}}
  each: {type: map, depends: [words.value]}   # and one here
  big: {type: hello.capitalize, depends: [each.value]}
  all: {type: gather, depends: [big.value]}
  line: {type: hello.join, depends: [words: all.value], cache: true}
  out: {type: return, depends: [line.value]}
)";

struct Command {
  std::string name;
  Words words;  ///< FILE stands for the tube's path, FOLDER for the folder
  bool has_numbers = false;
  std::vector<Words> before = {};  ///< commands that come first, without faults
};

std::string placed(std::string word, const std::string& folder) {
  for (const auto& [mark, text] :
       {std::pair<std::string, std::string>{"FILE", folder + "/tube.yaml"}, {"FOLDER", folder}}) {
    if (const auto at = word.find(mark); at != std::string::npos) {
      word.replace(at, mark.size(), text);
    }
  }
  return word;
}

Words placed(const Words& words, const std::string& folder) {
  Words out;
  for (const std::string& word : words) {
    out.push_back(placed(word, folder));
  }
  return out;
}

Scenario scenario_of(const Command& command) {
  return {.name = "cli/" + command.name,
          .set_up = [command](const std::string& folder) -> std::unique_ptr<Stage> {
            write_file(folder + "/tube.yaml", kTube);
            ::setenv("PENSTOCK_HOME", (folder + "/home").c_str(), 1);
            ::setenv("PENSTOCK_HANDED_OVER", "1", 1);
            for (const Words& words : command.before) {
              std::ignore = CommandStage(placed(words, folder), false).act();
            }
            return std::make_unique<CommandStage>(placed(command.words, folder),
                                                  command.has_numbers);
          },
          .scratch_folders = {"home/cache/tmp", "home/blocks/tmp"}};
}

}  // namespace

std::vector<Scenario> cli_scenarios() {
  const Words run{"run", "FILE", "--quiet"};
  const std::vector<Command> commands = {
      {.name = "run", .words = {"run", "FILE", "--quiet", "--no-history"}},
      {.name = "run-on-threads", .words = {"run", "FILE", "-q", "--runner", "threads"}},
      {.name = "run-json-and-page",
       .words = {"run", "FILE", "--json", "--report", "FOLDER/page.html"},
       .has_numbers = true},
      {.name = "dry-run", .words = {"run", "FILE", "--dry-run"}},
      {.name = "check", .words = {"check", "FILE", "--json"}},
      {.name = "fmt", .words = {"fmt", "FILE", "-o", "-"}},
      {.name = "fmt-in-place", .words = {"fmt", "FILE"}},
      {.name = "graph", .words = {"graph", "FILE", "-f", "svg"}},
      {.name = "schema", .words = {"schema"}},
      {.name = "ops", .words = {"ops", "list", "--json"}},
      {.name = "explain", .words = {"explain", "PS0440"}},
      {.name = "history",
       .words = {"history", "--json"},
       .has_numbers = true,
       .before = {run, run}},
      {.name = "cache-list",
       .words = {"cache", "ls", "--json"},
       .has_numbers = true,
       .before = {run}},
      {.name = "cache-verify", .words = {"cache", "verify"}, .before = {run}},
      {.name = "why",
       .words = {"why", "line", "--json"},
       .has_numbers = true,
       .before = {run, run}},
      {.name = "stub", .words = {"stub", "FILE"}},
  };
  std::vector<Scenario> out;
  for (const Command& command : commands) {
    out.push_back(scenario_of(command));
  }
  return out;
}

}  // namespace penstock::faults
