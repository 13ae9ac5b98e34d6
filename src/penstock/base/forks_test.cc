#include "penstock/base/forks.h"

#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace penstock::base {
namespace {

TEST(NumForksTest, GrowsInTheCopyOnly) {
  const int before = num_forks();
  const pid_t child = ::fork();
  if (child == 0) {
    const pid_t grandchild = ::fork();
    if (grandchild == 0) {
      ::_exit(num_forks() - before);
    }
    int status = 0;
    ::waitpid(grandchild, &status, 0);
    ::_exit(10 * (num_forks() - before) + WEXITSTATUS(status));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 12);
  EXPECT_EQ(num_forks(), before);
}

}  // namespace
}  // namespace penstock::base
