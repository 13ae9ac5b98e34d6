// Every file of tests/fuzz/corpus through the function that libFuzzer calls.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "target.h"
#include <gtest/gtest.h>

#include "penstock/core/identity.h"
#include "penstock/core/value.h"
#include "penstock/flow/spec_yaml.h"

namespace penstock::fuzz {
namespace {

namespace fs = std::filesystem;

struct Target {
  const char* name;
  Answer (*run)(std::string_view);
  const char* refused;  ///< an input that it must refuse
};

void PrintTo(const Target& target, std::ostream* out) {
  *out << target.name;
}

constexpr Target kTargets[] = {
    {"yaml", run_yaml, "nodes: {a: {type: sum, depends: [}"},
    {"decode", run_decode, "\x18\x17"},  // 23 in two bytes
    {"event_log", run_event_log, "\1\1no columns at all"},
    {"kept", run_kept, "PSKEPT\1"},
    {"message", run_message, "\xd9\xd9\xf7PSKM\x02"},
    {"transport", run_transport, "\1\2ab\xf6\xf6"},
};

std::vector<fs::path> files_of(const std::string& name) {
  const fs::path folder = fs::path(PENSTOCK_SOURCE_DIR) / "tests" / "fuzz" / "corpus" / name;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class ReplayTest : public testing::TestWithParam<Target> {};

TEST_P(ReplayTest, KeepsItsPromiseForTheWholeCorpus) {
  const std::vector<fs::path> files = files_of(GetParam().name);
  ASSERT_GE(files.size(), 10U) << "a corpus that is not there proves nothing";
  EXPECT_LE(files.size(), 60U) << "keep it small";
  int accepted = 0;
  for (const fs::path& path : files) {
    EXPECT_LE(fs::file_size(path), 4096U) << path;
    SCOPED_TRACE(path.filename().string());
    accepted += GetParam().run(read(path)) == Answer::kAccepted ? 1 : 0;
  }
  std::printf("replay: %s: %zu files, %d accepted%s\n", GetParam().name, files.size(), accepted,
              MemoryWatch::counts() ? "" : ", memory not counted in this build");
  EXPECT_GT(accepted, 0) << "a corpus of refusals does not reach the far side";
  EXPECT_LT(accepted, std::ssize(files)) << "a corpus without refusals neither";
}

TEST_P(ReplayTest, RefusesAnInputKnownToBeBad) {
  EXPECT_EQ(GetParam().run(GetParam().refused), Answer::kRefused);
}

INSTANTIATE_TEST_SUITE_P(Targets, ReplayTest, testing::ValuesIn(kTargets),
                         [](const auto& target) { return std::string(target.param.name); });

TEST(ReplayCanaryTest, NoticesABrokenPromise) {
  EXPECT_EQ(run_canary("bug"), Answer::kRefused);
  EXPECT_DEATH(run_canary("bug! and more"), "promise broken: the planted bug");
}

// Memory is counted where AddressSanitizer counts it.
#if defined(__SANITIZE_ADDRESS__)

TEST(ReplayCanaryTest, NoticesTooMuchMemory) {
  const auto allocate = [](std::size_t size) {
    const MemoryWatch watch(10, {.fixed = 100, .per_byte = 10});
    std::string(size, 'x').swap(*std::make_unique<std::string>());
  };
  allocate(100);
  EXPECT_DEATH(allocate(300), "more memory than the input's size allows");
}

// What the limits of the targets leave open: few long items, where nothing but the bytes counts.
// A long scalar of YAML takes more: 10.8 times its size was seen.
TEST(ReplayMemoryTest, LongItemsStayNearTheInputsSize) {
  const std::string text(1 << 20, 'x');
  const base::Result<std::string> bytes = core::encode(core::Value::text(text));
  ASSERT_TRUE(bytes.has_value());
  {
    const MemoryWatch watch(bytes->size(), {.fixed = 4096, .per_byte = 4});
    EXPECT_TRUE(core::decode(*bytes).has_value());
  }
  const std::string tube = "description: " + text + "\nnodes: {}\n";
  const MemoryWatch watch(tube.size(), {.fixed = 65'536, .per_byte = 12});
  EXPECT_TRUE(flow::parse_spec(tube).has_value());
}

#endif

}  // namespace
}  // namespace penstock::fuzz
