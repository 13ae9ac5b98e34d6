#include "target.h"

#include <cstdio>
#include <cstdlib>

#if defined(__SANITIZE_ADDRESS__)
#define PENSTOCK_COUNTS_MEMORY 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PENSTOCK_COUNTS_MEMORY 1
#endif
#endif

#ifdef PENSTOCK_COUNTS_MEMORY
// As in <sanitizer/allocator_interface.h>, which g++ has the functions of but not the file.
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void*,
                                                                           std::size_t),
                                                         void (*on_free)(const volatile void*));
extern "C" std::size_t __sanitizer_get_allocated_size(const volatile void* block);
#endif

namespace penstock::fuzz {
namespace {

// Of the thread that runs the input. Blocks from before it may be freed in it, hence the sign.
thread_local bool counting = false;
thread_local std::int64_t in_use = 0;
thread_local std::int64_t peak = 0;

#ifdef PENSTOCK_COUNTS_MEMORY
void on_malloc(const volatile void* /*block*/, std::size_t size) {
  if (counting) {
    in_use += static_cast<std::int64_t>(size);
    peak = peak > in_use ? peak : in_use;
  }
}

void on_free(const volatile void* block) {
  if (counting && block != nullptr) {
    in_use -= static_cast<std::int64_t>(__sanitizer_get_allocated_size(block));
  }
}
#endif

// The input that came nearest to its limit, told at the end of a fuzzing run.
struct Highest {
  double share = 0;
  std::int64_t peak = 0;
  std::size_t input_bytes = 0;
  ~Highest() {
    if (std::getenv("PENSTOCK_FUZZ_REPORT") != nullptr) {
      std::fprintf(stderr, "memory: highest share of its limit %.3f: peak=%lld input=%zu\n", share,
                   static_cast<long long>(peak), input_bytes);
    }
  }
};
Highest highest;

}  // namespace

void broken(std::string_view what) {
  std::fprintf(stderr, "fuzz: promise broken: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

bool MemoryWatch::counts() {
#ifdef PENSTOCK_COUNTS_MEMORY
  static const bool is_hooked = __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) != 0;
  return is_hooked;
#else
  return false;
#endif
}

MemoryWatch::MemoryWatch(std::size_t input_bytes, MemoryLimit limit)
    : input_bytes_(input_bytes), limit_(limit) {
  in_use = 0;
  peak = 0;
  counting = counts();
}

MemoryWatch::~MemoryWatch() {
  counting = false;
  const std::size_t allowed = limit_.fixed + limit_.per_byte * input_bytes_;
  const double share = static_cast<double>(peak) / static_cast<double>(allowed);
  if (share > highest.share) {
    highest.share = share;
    highest.peak = peak;
    highest.input_bytes = input_bytes_;
  }
  if (share > 1) {
    std::fprintf(stderr, "memory: peak=%lld allowed=%zu input=%zu\n", static_cast<long long>(peak),
                 allowed, input_bytes_);
    broken("more memory than the input's size allows");
  }
}

}  // namespace penstock::fuzz
