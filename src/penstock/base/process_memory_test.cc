#include "penstock/base/process_memory.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include <gtest/gtest.h>

namespace penstock::base {
namespace {

constexpr std::int64_t kBytes = 64LL << 20;

TEST(PeakRssTest, RemembersMemoryThatWasGivenBack) {
  const std::int64_t before = peak_rss_bytes();
  EXPECT_GT(before, 0);
  void* const memory = ::mmap(nullptr, static_cast<std::size_t>(before + kBytes),
                              PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  std::memset(memory, 1, static_cast<std::size_t>(before + kBytes));
  ::munmap(memory, static_cast<std::size_t>(before + kBytes));
  EXPECT_GE(peak_rss_bytes(), before + kBytes);
  EXPECT_GE(peak_rss_bytes(::getpid()), before + kBytes);
}

TEST(PeakRssTest, IsZeroForAProcessThatIsGone) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(0);
  }
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(peak_rss_bytes(child), 0);  // ended, not yet reaped
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(peak_rss_bytes(child), 0);
}

}  // namespace
}  // namespace penstock::base
