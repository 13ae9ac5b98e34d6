// Faults on demand: the N-th allocation, or the N-th system call, of a stretch of code fails.
//
// The test program defines malloc(), operator new, open(), read() and the others itself, so that
// the calls of libpenstock.so, of SQLite and libyaml in it and of libstdc++ come here first
// (memory_faults.cc, call_faults.cc). Each is counted while armed, and handed on to the real one
// unless it is the one that must fail. Counting takes every thread of the process.
#pragma once

#include <cstdint>
namespace penstock::faults {

enum class Kind : std::uint8_t { kMemory, kCall };

/// What is to fail.
struct Fault {
  Kind kind = Kind::kMemory;
  std::int64_t at = 0;       ///< counts from 1; 0: nothing fails
  std::int64_t length = 1;   ///< so many in a row, or kForever
  std::int32_t variant = 0;  ///< kCall: which of the ways in which this call can fail

  static constexpr std::int64_t kForever = std::int64_t{1} << 62;
};

/// The most ways a call can fail in.
inline constexpr std::int32_t kMaxVariants = 3;

void arm(const Fault& fault);
void disarm();
/// Calls of this kind since arm().
std::int64_t num_counted(Kind kind);

/// Where the fault was: the name of the call and the frames above it. `is_fired` is false when the
/// code made fewer calls than that, or when this call cannot fail in that variant.
struct Site {
  bool is_fired = false;
  char call[32] = {};
  char text[2048] = {};  ///< the call and the functions above it, a line each
};
/// The site goes here, so that the process may die of the fault. Null: nowhere.
void set_site(Site* site);

/// What this process holds on to.
struct Holdings {
  std::int64_t blocks = 0;    ///< of memory
  std::int64_t mappings = 0;  ///< of mmap()
  std::int64_t files = 0;     ///< open descriptors
};
Holdings holdings();

/// Calls of this thread are neither counted nor failed while one lives: for the test's own code.
class Paused {
 public:
  Paused();
  ~Paused();
  Paused(const Paused&) = delete;
  Paused& operator=(const Paused&) = delete;
};

// For the two files of interposed functions.

/// Counts a call; true: it must fail. `variants`: how many ways it can fail in.
bool must_fail(Kind kind, const char* call, std::int32_t variants = 1);
std::int32_t variant();
void count_block(std::int64_t change);
void count_mapping(std::int64_t change);

}  // namespace penstock::faults
