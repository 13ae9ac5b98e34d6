// How long to look before sleeping.
#pragma once

#include <sched.h>

#include <cstdint>

#include "penstock/base/clock.h"

namespace penstock::exec {

/// A sleep and a wake-up cost two context switches and, on another core, about 20 us.
inline constexpr std::int64_t kSpinNs = 25'000;

/// Looks at `ready` for up to `limit_ns`, giving way to any runnable thread in between: on a
/// machine with fewer free cores than threads the one that is waited for may need this core.
template <class Ready>
bool spin_until(const Ready& ready, std::int64_t limit_ns = kSpinNs) {
  const std::int64_t deadline = base::monotonic_ns() + limit_ns;
  do {
    for (int look = 0; look < 32; ++look) {
      if (ready()) {
        return true;
      }
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
    ::sched_yield();
  } while (base::monotonic_ns() < deadline);
  return false;
}

}  // namespace penstock::exec
