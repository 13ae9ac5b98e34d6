// The command as a whole, in this process: exit codes, streams, and what lands where.
#include "penstock/cli/cli.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/flow/spec_yaml.h"

namespace penstock::cli {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

struct Outcome {
  int code = 0;
  std::string out, err;
};

class CliTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() /
              fmt::format("penstock-cli-{}-{}", getpid(),
                          testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    setenv("PENSTOCK_HOME", (folder_ / "home").c_str(), 1);
    setenv("PENSTOCK_HANDED_OVER", "1", 1);  // no test may replace this process by a Python
  }
  void TearDown() override { fs::remove_all(folder_); }

  static Outcome run(const std::vector<std::string>& args) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Outcome outcome;
    outcome.code = main(args, CliHost{});
    std::fflush(stdout);
    outcome.out = testing::internal::GetCapturedStdout();
    outcome.err = testing::internal::GetCapturedStderr();
    return outcome;
  }

  std::string file(const std::string& name, std::string_view text) const {
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }

  fs::path folder_;
};

int num_lines(const std::string& text) {
  return static_cast<int>(std::ranges::count(text, '\n'));
}

TEST_F(CliTest, RunsTheBuiltInTube) {
  const Outcome outcome = run({"run", "hello", "--input", "name=you"});
  EXPECT_EQ(outcome.code, kOk) << outcome.err;
  EXPECT_EQ(outcome.out, "\"Hello, You!\"\n");
  EXPECT_THAT(outcome.err,
              AllOf(StartsWith("ok: 1 epoch, 1 result in "), HasSubstr("\ncid: bafyr4i")));
  EXPECT_LE(num_lines(outcome.out) + num_lines(outcome.err), 5);
}

TEST_F(CliTest, GivesOneAddressOnEveryRunner) {
  const auto cid = [](const std::string& runner) {
    const Outcome outcome = run({"run", "hello", "--json", "--runner", runner});
    EXPECT_EQ(outcome.code, kOk) << outcome.err;
    return outcome.out.substr(0, outcome.out.find('\n'));
  };
  EXPECT_THAT(cid("sync"), HasSubstr("\"value\":\"Hello, World!\""));
  EXPECT_EQ(cid("sync"), cid("threads"));
}

TEST_F(CliTest, PrintsJsonLinesOnlyOnStandardOutput) {
  const Outcome outcome = run({"run", "hello", "--json", "--epochs", "2", "--quiet"});
  EXPECT_EQ(outcome.code, kOk);
  EXPECT_EQ(num_lines(outcome.out), 3);
  EXPECT_THAT(outcome.out, HasSubstr("{\"summary\":{\"status\":\"ok\""));
  EXPECT_THAT(outcome.err, IsEmpty());
}

TEST_F(CliTest, RecordsRunsAndShowsThem) {
  ASSERT_EQ(run({"run", "hello"}).code, kOk);
  const Outcome list = run({"history", "--json"});
  EXPECT_EQ(num_lines(list.out), 1);
  const std::size_t id = list.out.find("\"run_id\":\"") + 10;
  const std::string run_id = list.out.substr(id, list.out.find('"', id) - id);
  EXPECT_THAT(run({"show", run_id}).out, AllOf(HasSubstr("status    ok"), HasSubstr("\nbig ")));
  const std::size_t cid = list.out.find("\"cid\":\"") + 7;
  const std::string address = list.out.substr(cid, list.out.find('"', cid) - cid);
  EXPECT_EQ(run({"show", address}).out, "\"Hello, World!\"\n");
  EXPECT_EQ(run({"show", address.substr(0, 12), "--json"}).out, "\"Hello, World!\"\n");
  EXPECT_EQ(run({"show", "nothing"}).code, kFailed);
}

TEST_F(CliTest, LeavesNoTraceWhenAskedTo) {
  ASSERT_EQ(run({"run", "hello", "--no-history", "-q"}).code, kOk);
  EXPECT_FALSE(fs::exists(folder_ / "home"));
}

TEST_F(CliTest, SaysThatItsOutputDidNotArrive) {
  std::fflush(stdout);
  const int saved = dup(STDOUT_FILENO);
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  dup2(full, STDOUT_FILENO);
  testing::internal::CaptureStderr();
  const std::vector<std::string> args{"run", "hello", "--quiet"};
  const int code = main(args, CliHost{});
  const std::string err = testing::internal::GetCapturedStderr();
  std::clearerr(stdout);
  dup2(saved, STDOUT_FILENO);
  close(saved);
  close(full);
  EXPECT_EQ(code, kFailed);
  EXPECT_THAT(err, HasSubstr("error[PS0443]: cannot write to standard output: No space left"));
}

TEST_F(CliTest, RunsWithoutAHistoryItCannotWrite) {
  setenv("PENSTOCK_HOME", "/dev/null/nowhere", 1);
  const Outcome outcome = run({"run", "hello"});
  EXPECT_EQ(outcome.code, kOk);
  EXPECT_THAT(outcome.err, HasSubstr("note: history: cannot make the folder"));
}

TEST_F(CliTest, KeepsResultsThatAreTooLargeForTheFileAsBlocks) {
  const std::string name(200'000, 'x');
  ASSERT_EQ(run({"run", "hello", "-q", "--input", "name=" + name}).code, kOk);
  const Outcome list = run({"history", "--json"});
  const std::size_t cid = list.out.find("\"cid\":\"") + 7;
  const Outcome shown =
      run({"show", list.out.substr(cid, list.out.find('"', cid) - cid), "--json"});
  EXPECT_EQ(shown.out.size(), std::string("\"Hello, !\"\n").size() + name.size());
}

TEST_F(CliTest, ChecksFilesInEveryFormat) {
  const std::string good = file("good.yaml", "nodes: {a: {type: hello.words}}\n");
  const std::string bad = file("bad.yaml", "nodes: {a: {type: summ}}\n");
  EXPECT_EQ(run({"check", good}).code, kOk);
  const Outcome text = run({"check", good, bad});
  EXPECT_EQ(text.code, kCheckFailed);
  EXPECT_THAT(text.out, AllOf(HasSubstr("good.yaml: ok, 1 nodes"), HasSubstr("error[PS0201]")));
  EXPECT_THAT(run({"check", "--json", bad}).out, HasSubstr("\"id\":\"PS0201\""));
  EXPECT_THAT(run({"check", "--sarif", bad}).out,
              AllOf(HasSubstr("\"ruleId\":\"PS0201\""), HasSubstr("\"startColumn\":19")));
  EXPECT_THAT(run({"check", "--github", bad}).out,
              HasSubstr("bad.yaml,line=1,col=19,title=PS0201::unknown type 'summ'"));
  EXPECT_EQ(run({"check", "no-such-file.yaml"}).code, kFailed);
}

TEST_F(CliTest, ReportsFormAndWiringTogether) {
  const std::string bad = file("bad.yaml",
                               "nodes:\n  a: {type: sum, dependss: x}\n"
                               "  b: {type: sum, depends: nowhere.value}\n");
  const Outcome outcome = run({"check", bad});
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("error[PS0013]"), HasSubstr("error[PS0101]")));
  EXPECT_THAT(run({"run", bad}).err, AllOf(HasSubstr("error[PS0013]"), HasSubstr("error[PS0101]")));
}

TEST_F(CliTest, ChecksPythonTypesOnlyAsFarAsTheyAreKnown) {
  const std::string tube =
      file("tube.yaml",
           "input: {n: {type: int}}\nnodes:\n  a: {type: pkg.f, params: {n: input.n}}\n"
           "  b: {type: pkg.g, depends: [x: a.some_signal]}\n");
  const Outcome outcome = run({"check", tube});
  EXPECT_EQ(outcome.code, kOk) << outcome.out;
  EXPECT_THAT(outcome.err, HasSubstr("slots of 2 Python nodes"));
}

TEST_F(CliTest, SaysThatPythonIsMissing) {
  const std::string tube = file("tube.yaml", "nodes: {a: {type: pkg.mod.f}}\n");
  const Outcome outcome = run({"run", tube});
  EXPECT_EQ(outcome.code, kFailed);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("error[PS0904]"), HasSubstr("'pkg.mod.f'")));
}

TEST_F(CliTest, LooksForPythonInNestedTubesAndAssets) {
  const std::string child = file("child.yaml", "nodes: {a: {type: pkg.mod.f}}\n");
  const std::string outer =
      file("outer.yaml", "nodes: {sub: {type: tube, params: {tube: child.yaml}}}\n");
  const Outcome nested = run({"run", outer});
  EXPECT_EQ(nested.code, kFailed);
  EXPECT_THAT(nested.err, AllOf(HasSubstr("error[PS0904]"), HasSubstr("'pkg.mod.f'"),
                                HasSubstr("child.yaml:1:19")));
  const std::string owner =
      file("owner.yaml", "assets: {book: {type: pkg.Book, scope: runner}}\nnodes: {}\n");
  EXPECT_THAT(run({"run", owner}).err, AllOf(HasSubstr("PS0904"), HasSubstr("'pkg.Book'")));
}

TEST_F(CliTest, DrawsToAFileWhole) {
  const std::string path = (folder_ / "tube.svg").string();
  EXPECT_EQ(run({"graph", "hello", "--format", "svg", "--output", path}).code, kOk);
  EXPECT_TRUE(fs::exists(path));
  EXPECT_FALSE(fs::exists(path + ".part"));
  EXPECT_EQ(run({"graph", "hello", "-o", "/dev/null/x.svg"}).code, kFailed);
}

TEST_F(CliTest, AnswersWrongUsageWithTwo) {
  for (const std::vector<std::string>& args : {std::vector<std::string>{},
                                               {"run"},
                                               {"runn"},
                                               {"run", "hello", "--epochs", "-1"},
                                               {"run", "hello", "--runner", "thread"},
                                               {"graph", "hello", "--format", "png"},
                                               {"explain", "PS9999"},
                                               {"run", "hello", "--input", "name"},
                                               {"check"}}) {
    const Outcome outcome = run(args);
    EXPECT_EQ(outcome.code, kUsage) << (args.empty() ? "" : args.back());
    EXPECT_THAT(outcome.err, StartsWith("error[PS09")) << outcome.err;
    EXPECT_THAT(outcome.out, IsEmpty());
  }
}

TEST_F(CliTest, PrintsHelpAndVersionOnStandardOutput) {
  EXPECT_THAT(run({"--help"}).out, AllOf(HasSubstr("run"), HasSubstr("check"), HasSubstr("130")));
  EXPECT_THAT(run({"run", "--help"}).out, HasSubstr("--runner"));
  EXPECT_THAT(run({"--version"}).out, StartsWith("penstock "));
}

TEST_F(CliTest, ColorsOnlyWhenAsked) {
  const std::string bad = file("bad.yaml", "nodes: {a: {type: summ}}\n");
  EXPECT_THAT(run({"check", bad}).out, Not(HasSubstr("\033[")));
  EXPECT_THAT(run({"check", bad, "--color", "always"}).out, HasSubstr("\033["));
}

TEST_F(CliTest, WritesAReport) {
  const std::string page = (folder_ / "page.html").string();
  const Outcome outcome = run({"run", "hello", "--report", page});
  EXPECT_EQ(outcome.code, kOk);
  EXPECT_THAT(outcome.err, HasSubstr("report: " + page));
  EXPECT_GT(fs::file_size(page), 10'000U);
}

TEST_F(CliTest, ListsAndDescribesOperators) {
  EXPECT_THAT(run({"ops", "list"}).out, HasSubstr("hello.join"));
  EXPECT_THAT(
      run({"ops", "describe", "hello.words"}).out,
      AllOf(HasSubstr("Parameters"), HasSubstr("(default \"world\")"), HasSubstr("Example")));
  EXPECT_THAT(run({"ops", "describe", "hello.words", "--json"}).out,
              HasSubstr("\"name\":\"hello.words\""));
}

TEST_F(CliTest, FormatsATube) {
  const std::string tube = file("tube.yaml", "nodes:\n  a: {type: hello.words} # words\n");
  EXPECT_EQ(run({"fmt", tube, "--check"}).code, kCheckFailed);
  EXPECT_EQ(run({"fmt", tube, "-o", "-"}).out, "nodes:\n  a:  # words\n    type: hello.words\n");
  EXPECT_EQ(run({"fmt", tube}).code, kOk);
  EXPECT_EQ(run({"fmt", tube, "--check"}).code, kOk);
  EXPECT_THAT(run({"fmt", "hello"}).out, HasSubstr("hello.join"));
  EXPECT_EQ(run({"fmt", file("bad.yaml", "nodes: {a: {typ: x}}\n")}).code, kFailed);
  EXPECT_EQ(run({"fmt", "functions.py"}).code, kUsage);
}

TEST_F(CliTest, WritesAFirstTubeOnce) {
  const std::string tube = (folder_ / "first.yaml").string();
  EXPECT_EQ(run({"new", tube}).code, kOk);
  EXPECT_EQ(run({"check", tube}).code, kOk);
  const Outcome again = run({"new", tube});
  EXPECT_EQ(again.code, kFailed);
  EXPECT_THAT(again.err, HasSubstr("error[PS0909]"));
  EXPECT_EQ(run({"new", "--python", tube + ".txt"}).code, kUsage);
  EXPECT_EQ(run({"new", (folder_ / "no" / "folder.yaml").string()}).code, kFailed);
}

TEST_F(CliTest, PrintsSchemaAndTypes) {
  EXPECT_THAT(run({"schema"}).out, AllOf(HasSubstr("\"timeout_ms\""), HasSubstr("$defs")));
  const std::string tube = file("my_tube.yaml",
                                "input:\n  n: {type: int, scope: process}\n  t: {type: list}\n"
                                "nodes: {a: {type: return, depends: input.n}}\n");
  EXPECT_THAT(run({"stub", tube}).out,
              AllOf(HasSubstr("def process(self, *, n: int) -> Any"),
                    HasSubstr("class MyTubeInputs(TypedDict)"), HasSubstr("    t: list[Any]\n")));
  const std::string types = (folder_ / "types.py").string();
  EXPECT_EQ(run({"stub", tube, "-o", types}).code, kOk);
  EXPECT_TRUE(fs::exists(types));
  EXPECT_EQ(run({"stub", "no-such-file.yaml"}).code, kFailed);
}

TEST_F(CliTest, PrintsCompletionForThreeShells) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    EXPECT_THAT(run({"completion", shell}).out, AllOf(HasSubstr("penstock"), HasSubstr("history")));
  }
}

}  // namespace
}  // namespace penstock::cli
