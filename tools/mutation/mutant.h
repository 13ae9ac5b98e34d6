// What a mutated source asks at each of its sites: is the mutant of this run the one of this site?
//
// PENSTOCK_MUTANT=<site> chooses one; unset, every source does what it did before. With
// PENSTOCK_MUTANT_REACHED=<file> none is chosen and each site that is asked sets its byte of the
// file, which all processes of a test share. Included first by mutated sources only. Thread-safe.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>

// A mutant may do what a warning warns of.
#pragma GCC diagnostic ignored "-Waddress"
#pragma GCC diagnostic ignored "-Wbool-compare"
#pragma GCC diagnostic ignored "-Wduplicated-branches"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wimplicit-fallthrough"
#pragma GCC diagnostic ignored "-Wint-in-bool-context"
#pragma GCC diagnostic ignored "-Wlogical-op"
#pragma GCC diagnostic ignored "-Wnarrowing"
#pragma GCC diagnostic ignored "-Wparentheses"
#pragma GCC diagnostic ignored "-Wredundant-move"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wtype-limits"
#pragma GCC diagnostic ignored "-Wunused"

namespace penstock_mutation {

inline constexpr int kUnread = -2;
inline constexpr int kNone = -1;
inline std::atomic<int> chosen{kUnread};

struct Reached {
  unsigned char* bytes = nullptr;
  std::size_t size = 0;
};

inline Reached map_reached(const char* path) {
  const int file = open(path, O_RDWR | O_CLOEXEC);
  struct stat status = {};
  if (file < 0 || fstat(file, &status) != 0) {
    std::abort();
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  void* const bytes = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (bytes == MAP_FAILED) {
    std::abort();
  }
  return {static_cast<unsigned char*>(bytes), size};
}

// `chosen` stays unread while sites are recorded, so that each of them comes here.
[[gnu::cold, gnu::noinline]] inline bool look_up(int site) {
  static const char* const number = std::getenv("PENSTOCK_MUTANT");
  static const char* const path = std::getenv("PENSTOCK_MUTANT_REACHED");
  if (number == nullptr && path != nullptr) {
    static const Reached reached = map_reached(path);
    if (static_cast<std::size_t>(site) >= reached.size) {
      std::abort();
    }
    reached.bytes[site] = 1;
    return false;
  }
  const int read = number == nullptr ? kNone : std::atoi(number);
  chosen.store(read, std::memory_order_relaxed);
  return read == site;
}

}  // namespace penstock_mutation

inline bool penstock_mutant(int site) {
  const int chosen = penstock_mutation::chosen.load(std::memory_order_relaxed);
  if (__builtin_expect(chosen == penstock_mutation::kUnread, 0)) {
    return penstock_mutation::look_up(site);
  }
  return __builtin_expect(chosen == site, 0);
}
