#include "penstock/flow/metrics.h"

#include <algorithm>
#include <bit>

namespace penstock::flow {
namespace {

// Bucket of a duration: octave from the leading bit, then the next three bits.
int bucket_of(std::int64_t duration_ns) {
  const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(duration_ns, 1));
  const int octave = std::bit_width(ns) - 1;
  const auto eighth =
      static_cast<int>(octave >= 3 ? (ns >> (octave - 3)) & 7 : (ns << (3 - octave)) & 7);
  return std::min(octave * 8 + eighth, DurationHistogram::kBuckets - 1);
}

std::int64_t upper_edge_ns(int bucket) {
  const int octave = bucket / 8;
  const auto eighths = static_cast<std::int64_t>(bucket % 8 + 9);
  return octave >= 3 ? eighths << (octave - 3) : std::max<std::int64_t>(eighths >> (3 - octave), 1);
}

}  // namespace

void DurationHistogram::add(std::int64_t duration_ns) {
  if (buckets_ == nullptr) [[unlikely]] {
    buckets_ = std::make_unique<std::array<std::uint32_t, kBuckets>>();
  }
  ++(*buckets_)[static_cast<std::size_t>(bucket_of(duration_ns))];
  ++count_;
  total_ns_ += duration_ns;
  max_ns_ = std::max(max_ns_, duration_ns);
}

std::span<const std::uint32_t> DurationHistogram::buckets() const {
  return buckets_ == nullptr ? std::span<const std::uint32_t>()
                             : std::span<const std::uint32_t>(*buckets_);
}

std::int64_t DurationHistogram::quantile_ns(double q) const {
  if (count_ == 0) {
    return 0;
  }
  const auto wanted =
      static_cast<std::int64_t>(std::clamp(q, 0.0, 1.0) * static_cast<double>(count_ - 1)) + 1;
  std::int64_t seen = 0;
  for (int i = 0; i < kBuckets; ++i) {
    seen += (*buckets_)[static_cast<std::size_t>(i)];
    if (seen >= wanted) {
      return std::min(upper_edge_ns(i), max_ns_);
    }
  }
  return max_ns_;
}

}  // namespace penstock::flow
