#include "penstock/base/read_pins.h"

#include <thread>

#include "penstock/base/forks.h"

namespace penstock::base {
namespace {

// Threads are numbered as they come, so that the first sixteen share no stripe.
std::size_t thread_number() {
  static std::atomic<std::size_t> next{0};
  thread_local const std::size_t mine = next.fetch_add(1, std::memory_order_relaxed);
  return mine;
}

}  // namespace

// Sequentially consistent: the reader's loads of what is published come after the addition is
// visible to a waiting owner, or see what the owner published before it waited.
ReadPins::Pin::Pin(const ReadPins& pins)
    : count_(pins.stripes_[thread_number() % kStripes]
                 .counts[pins.phase_.load(std::memory_order_relaxed) & 1]) {
  count_.fetch_add(1, std::memory_order_seq_cst);
}

bool ReadPins::wait_for_phase(std::uint32_t phase, int num_forks_at_start) const {
  for (const Stripe& stripe : stripes_) {
    while (stripe.counts[phase].load(std::memory_order_seq_cst) != 0) {
      if (num_forks() != num_forks_at_start) {
        return false;
      }
      std::this_thread::yield();
    }
  }
  return true;
}

// Both phases: a reader may have read the phase long ago and counted itself only now. New readers
// count in the other one, so that the wait comes to an end.
bool ReadPins::wait_for_readers(int num_forks_at_start) {
  for (int i = 0; i < 2; ++i) {
    const std::uint32_t old = phase_.fetch_xor(1, std::memory_order_seq_cst) & 1;
    if (!wait_for_phase(old, num_forks_at_start)) {
      return false;
    }
  }
  return true;
}

}  // namespace penstock::base
