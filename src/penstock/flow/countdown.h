// Countdown: how a node learns that the last thing it waits for is there. The one place where an
// edge is counted, for the scheduler of runs and for the one that stands alone
// (docs/design/0026-the-scheduler-on-its-own.md).
//
// A node has one number: what it still waits for, and three marks. A signal's consumers are a row
// of numbers: node << 1 | required.
#pragma once

#include <cstdint>
#include <span>

namespace penstock::flow {

struct Countdown {
  static constexpr std::uint32_t kMissing = 0x8000'0000U;   ///< a required input is absent
  static constexpr std::uint32_t kResolved = 0x4000'0000U;  ///< finished or skipped
  static constexpr std::uint32_t kPassed = 0x2000'0000U;    ///< has passed its turn on, or is out
  static constexpr std::uint32_t kCount = 0x1fff'ffffU;

  static constexpr bool is_over(std::uint32_t left) { return (left & kCount) == 0; }

  /// One of the things `node` waits for is resolved; `mark` is kMissing or 0. What is left: 0 when
  /// it is ready, kMissing when it will never be.
  static std::uint32_t arrive(std::uint32_t* remaining, std::uint32_t node, std::uint32_t mark) {
    return remaining[node] = (remaining[node] - 1) | mark;
  }

  /// A signal is resolved: calls visit(node, left) for each of its consumers. A required edge
  /// without an event marks its node as missing input.
  template <class Visit>
  static void resolve(std::uint32_t* remaining, std::span<const std::uint32_t> consumers,
                      bool present, Visit&& visit) {
    const std::uint32_t missing = present ? 0U : kMissing;
    for (const std::uint32_t consumer : consumers) {
      const std::uint32_t node = consumer >> 1;
      visit(node, arrive(remaining, node, consumer << 31 & missing));
    }
  }
};

}  // namespace penstock::flow
