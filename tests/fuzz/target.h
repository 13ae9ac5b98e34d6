// A fuzz target: one function of bytes from outside, run by libFuzzer (tools/fuzz) and by the
// replay test over tests/fuzz/corpus. It aborts when the product breaks a promise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace penstock::fuzz {

/// What the reader under test said of the input.
enum class Answer : std::uint8_t { kRefused, kAccepted };

/// Prints `what` and aborts, which libFuzzer and a death test both notice.
[[noreturn]] void broken(std::string_view what);

/// A part of the input's heap use: `fixed` bytes and `per_byte` bytes for each byte of input.
struct MemoryLimit {
  std::size_t fixed = 0;
  std::size_t per_byte = 0;
};

/// Counts this thread's heap memory while it lives; aborts when its peak went beyond `limit`.
/// Counts under AddressSanitizer only, through its malloc hooks.
class MemoryWatch {
 public:
  MemoryWatch(std::size_t input_bytes, MemoryLimit limit);
  ~MemoryWatch();
  MemoryWatch(const MemoryWatch&) = delete;
  MemoryWatch& operator=(const MemoryWatch&) = delete;
  /// False where nothing is counted.
  static bool counts();

 private:
  std::size_t input_bytes_;
  MemoryLimit limit_;
};

Answer run_yaml(std::string_view input);
Answer run_decode(std::string_view input);
Answer run_event_log(std::string_view input);
Answer run_kept(std::string_view input);
Answer run_message(std::string_view input);
Answer run_transport(std::string_view input);
/// Breaks for every input that begins with "bug!": shows that the machinery notices.
Answer run_canary(std::string_view input);

}  // namespace penstock::fuzz

#ifdef PENSTOCK_FUZZER
// libFuzzer brings main() and calls this.
#define PENSTOCK_FUZZ_TARGET(run)                                                     \
  extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) { \
    penstock::fuzz::run({reinterpret_cast<const char*>(data), size});                 \
    return 0;                                                                         \
  }
#else
#define PENSTOCK_FUZZ_TARGET(run)
#endif
