// ReadPins: readers that never wait, and an owner that knows when the last of them has left.
//
// A reader pins, reads what is published and unpins: two additions to a counter of its own stripe.
// Who takes something out of what is published calls wait_for_readers() before it frees it: every
// reader that may still see it has left by then. This is sleepable RCU (McKenney) with striped
// counters.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace penstock::base {

/// Thread-safe. wait_for_readers() by one thread at a time.
class ReadPins {
 public:
  /// Holds for a scope. The thread must not call wait_for_readers() meanwhile.
  class Pin {
   public:
    explicit Pin(const ReadPins& pins);
    ~Pin() { count_.fetch_sub(1, std::memory_order_release); }
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;

   private:
    std::atomic<std::int64_t>& count_;
  };

  /// Returns when every pin that was there when it was called has gone. False, at once, when that
  /// cannot be: this process is a copy made by fork() while another thread held one.
  bool wait_for_readers(int num_forks_at_start);

 private:
  static constexpr std::size_t kStripes = 16;
  struct alignas(64) Stripe {
    std::array<std::atomic<std::int64_t>, 2> counts{};
  };

  bool wait_for_phase(std::uint32_t phase, int num_forks_at_start) const;

  mutable std::array<Stripe, kStripes> stripes_;
  std::atomic<std::uint32_t> phase_{0};
};

}  // namespace penstock::base
