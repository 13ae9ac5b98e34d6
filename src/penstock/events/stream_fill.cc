#include "penstock/events/stream_fill.h"

#include <algorithm>
#include <cstring>
#include <new>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace penstock::events {
namespace {

#if defined(__AVX2__)

constexpr std::size_t kVector = 32;  // bytes

template <class T>
bool is_aligned(const T* at) {
  return reinterpret_cast<std::uintptr_t>(at) % kVector == 0;
}

template <class T>
void copy(T* out, const T* in, std::size_t count) {
  constexpr std::size_t kStep = kVector / sizeof(T);
  std::size_t i = 0;
  for (; i < count && !is_aligned(out + i); ++i) {
    out[i] = in[i];
  }
  for (; i + kStep <= count; i += kStep) {
    _mm256_stream_si256(reinterpret_cast<__m256i*>(out + i),
                        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + i)));
  }
  for (; i < count; ++i) {
    out[i] = in[i];
  }
}

template <class T>
void fill(T* out, T value, std::size_t count) {
  constexpr std::size_t kStep = kVector / sizeof(T);
  const __m256i vector = sizeof(T) == 8 ? _mm256_set1_epi64x(static_cast<std::int64_t>(value))
                                        : _mm256_set1_epi32(static_cast<std::int32_t>(value));
  std::size_t i = 0;
  for (; i < count && !is_aligned(out + i); ++i) {
    out[i] = value;
  }
  for (; i + kStep <= count; i += kStep) {
    _mm256_stream_si256(reinterpret_cast<__m256i*>(out + i), vector);
  }
  for (; i < count; ++i) {
    out[i] = value;
  }
}

// A number's Value is a word that tells its kind and a word that is the number.
static_assert(sizeof(core::Value) == 16);

template <class T, class Make>
void values(core::Value* out, const T* in, std::size_t count, Make make) {
  static_assert(sizeof(T) == 8);
  const core::Value sample = make(T{});
  std::int64_t kind = 0;
  std::memcpy(&kind, &sample, 1);
  const __m256i kinds = _mm256_set1_epi64x(kind);
  std::size_t i = 0;
  for (; i < count && !is_aligned(out + i); ++i) {
    new (out + i) core::Value(make(in[i]));
  }
  for (; i + 4 <= count; i += 4) {
    const __m256i four = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + i));
    const __m256i even = _mm256_unpacklo_epi64(kinds, four);  // of numbers 0 and 2
    const __m256i odd = _mm256_unpackhi_epi64(kinds, four);   // of numbers 1 and 3
    auto* const at = reinterpret_cast<__m256i*>(out + i);
    _mm256_stream_si256(at, _mm256_permute2x128_si256(even, odd, 0x20));
    _mm256_stream_si256(at + 1, _mm256_permute2x128_si256(even, odd, 0x31));
  }
  for (; i < count; ++i) {
    new (out + i) core::Value(make(in[i]));
  }
}

void fence() {
  _mm_sfence();
}

#else

template <class T>
void copy(T* out, const T* in, std::size_t count) {
  std::copy_n(in, count, out);
}

template <class T>
void fill(T* out, T value, std::size_t count) {
  std::fill_n(out, count, value);
}

template <class T, class Make>
void values(core::Value* out, const T* in, std::size_t count, Make make) {
  for (std::size_t i = 0; i < count; ++i) {
    new (out + i) core::Value(make(in[i]));
  }
}

void fence() {
}

#endif

}  // namespace

void stream_copy(std::int64_t* out, const std::int64_t* in, std::size_t count) {
  copy(out, in, count);
}
void stream_copy(std::uint32_t* out, const std::uint32_t* in, std::size_t count) {
  copy(out, in, count);
}
void stream_fill(std::int64_t* out, std::int64_t value, std::size_t count) {
  fill(out, value, count);
}
void stream_fill(std::uint32_t* out, std::uint32_t value, std::size_t count) {
  fill(out, value, count);
}
void stream_values(core::Value* out, const double* in, std::size_t count) {
  values(out, in, count, core::Value::real);
}
void stream_values(core::Value* out, const std::int64_t* in, std::size_t count) {
  values(out, in, count, core::Value::integer);
}
void stream_fence() {
  fence();
}

}  // namespace penstock::events
