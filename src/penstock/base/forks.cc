#include "penstock/base/forks.h"

#include <pthread.h>

#include <atomic>

namespace penstock::base {
namespace {

std::atomic<int> count{0};

bool watch() {
  return ::pthread_atfork(nullptr, nullptr, [] { ++count; }) == 0;
}

}  // namespace

int num_forks() {
  static const bool is_watched = watch();
  (void)is_watched;
  return count.load();
}

}  // namespace penstock::base
