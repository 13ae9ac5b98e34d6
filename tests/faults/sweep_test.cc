// The sweep over all scenarios. Short: some faults of each, spread evenly. With
// PENSTOCK_LONG_TESTS=1 every allocation and every call of each, in every way it can fail;
// PENSTOCK_FAULTS_OF=TEXT takes only scenarios with TEXT in their names.
#include "sweep.h"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "penstock/base/out_of_memory.h"

namespace penstock::faults {
namespace {

// Of each kind. A process is twenty times as dear under AddressSanitizer.
#if defined(__SANITIZE_ADDRESS__)
constexpr std::int64_t kShort = 3;
#else
constexpr std::int64_t kShort = 10;
#endif

SweepOptions options() {
  return {.most = std::getenv("PENSTOCK_LONG_TESTS") != nullptr ? 0 : kShort};
}

std::vector<Scenario> all_scenarios() {
  std::vector<Scenario> all;
  for (auto* const part :
       {core_scenarios, event_scenarios, flow_scenarios, exec_scenarios, cli_scenarios}) {
    for (Scenario& scenario : part()) {
      all.push_back(std::move(scenario));
    }
  }
  if (const char* const wanted = std::getenv("PENSTOCK_FAULTS_OF"); wanted != nullptr) {
    std::erase_if(all, [wanted](const Scenario& scenario) {
      return scenario.name.find(wanted) == std::string::npos;
    });
  }
  return all;
}

TEST(FaultSweepTest, NoFaultCrashesLiesOrLeaks) {
  std::int64_t injected = 0;
  std::int64_t errors = 0;
  std::vector<Report> reports;
  for (const Scenario& scenario : all_scenarios()) {
    const Report report = sweep(scenario, options());
    std::printf("%s\n", to_text(report).c_str());
    std::fflush(stdout);
    EXPECT_EQ(report.trouble, "") << report.name;
    EXPECT_EQ(report.num_findings, 0) << report.name;
    EXPECT_GT(report.injected, 0) << report.name << ": nothing was looked at";
    EXPECT_GT(report.errors, 0) << report.name << ": no fault reached the answer";
    injected += report.injected;
    errors += report.errors;
    reports.push_back(report);
  }
  std::printf("faults: %zu scenarios, %lld faults, %lld errors\n", reports.size(),
              static_cast<long long>(injected), static_cast<long long>(errors));
}

// The sweep's own proof: what it must notice.

/// Allocates once under the fault, and does `then` with whether it failed.
template <class Then>
Scenario canary(const std::string& name, Then then) {
  return {.name = name,
          .set_up =
              [then](const std::string&) {
                return stage_of([then]() -> Answer {
                  const std::unique_ptr<int> first(new (std::nothrow) int(1));
                  return then(first != nullptr);
                });
              },
          .needs_memory_to_fail = true};
}

Answer well(std::string text) {
  const Paused pause;
  return text;
}

/// What was found, one word for all findings.
std::string found(const Scenario& scenario) {
  const Report report = sweep(scenario, {.most = 0, .seconds_each = 2});
  EXPECT_EQ(report.trouble, "");
  std::string kinds;
  for (const Finding& finding : report.findings) {
    if (kinds != finding.what) {
      kinds += (kinds.empty() ? "" : ", ") + finding.what;
    }
  }
  return kinds;
}

TEST(FaultCanaryTest, AGoodScenarioHasNoFindings) {
  EXPECT_EQ(found(canary("good",
                         [](bool is_made) -> Answer {
                           return is_made ? well("made") : base::fail_out_of_memory();
                         })),
            "");
}

TEST(FaultCanaryTest, ALeakIsFound) {
  EXPECT_EQ(found(canary("leaks",
                         [](bool is_made) -> Answer {
                           if (!is_made) {
                             static std::unique_ptr<int> kept;
                             kept = std::make_unique<int>(1);
                             return base::fail_out_of_memory();
                           }
                           return well("made");
                         })),
            "leak");
}

TEST(FaultCanaryTest, ACrashIsFound) {
  EXPECT_EQ(found(canary("crashes",
                         [](bool is_made) -> Answer {
                           if (!is_made) {
                             std::abort();
                           }
                           return well("made");
                         })),
            "crash");
}

TEST(FaultCanaryTest, AWrongSuccessIsFound) {
  EXPECT_EQ(
      found(canary("swallows", [](bool is_made) { return well(is_made ? "made" : "not made"); })),
      "wrong success");
}

TEST(FaultCanaryTest, AHangIsFound) {
  EXPECT_EQ(found(canary("hangs",
                         [](bool is_made) -> Answer {
                           for (volatile bool waits = !is_made; waits;) {
                           }
                           return well("made");
                         })),
            "hang");
}

TEST(FaultCanaryTest, AnExceptionThatComesOutIsFound) {
  EXPECT_EQ(found(canary("throws",
                         [](bool is_made) -> Answer {
                           if (!is_made) {
                             throw std::bad_alloc();
                           }
                           return well("made");
                         })),
            "an exception came out");
}

TEST(FaultCanaryTest, AnOpenFileIsFound) {
  EXPECT_EQ(found({.name = "leaves a file open",
                   .set_up =
                       [](const std::string&) {
                         return stage_of([]() -> Answer {
                           std::FILE* const file = std::fopen("/dev/null", "r");
                           const std::unique_ptr<int> second(new (std::nothrow) int(1));
                           if (file == nullptr || second == nullptr) {
                             // NOLINTNEXTLINE(clang-analyzer-unix.Stream): what is to be found
                             return base::fail_out_of_memory();
                           }
                           std::fclose(file);
                           return well("read");
                         });
                       }}),
            "leak");
}

TEST(FaultCanaryTest, AScenarioThatFailsWithoutAFaultIsNoProof) {
  const Report report =
      sweep(canary("fails", [](bool) -> Answer { return base::fail_out_of_memory(); }), {});
  EXPECT_NE(report.trouble, "");
}

}  // namespace
}  // namespace penstock::faults

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--worker") {
    return penstock::faults::worker_main(std::atoi(argv[2]));
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
