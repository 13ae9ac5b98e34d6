#include "penstock/base/machine.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>

namespace penstock::base {

std::int32_t num_usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) {
    return 1;
  }
  return std::max(1, CPU_COUNT(&set));
}

std::int64_t memory_bytes() {
  const std::int64_t machine =
      static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  // A container sees its own group at the root; "max" when there is no limit.
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(
      std::fopen("/sys/fs/cgroup/memory.max", "re"), &std::fclose);
  long long limit = 0;
  if (file != nullptr && std::fscanf(file.get(), "%lld", &limit) == 1 && limit > 0) {
    return std::min<std::int64_t>(machine, limit);
  }
  return machine;
}

}  // namespace penstock::base
