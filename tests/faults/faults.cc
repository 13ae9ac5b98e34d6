#include "faults.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace penstock::faults {
namespace {

// Read in every call, on any thread. Relaxed: nothing else is ordered by them.
constinit std::atomic<bool> armed{false};
constinit std::atomic<std::int64_t> counted[2] = {0, 0};
constinit std::atomic<std::int64_t> blocks{0};
constinit std::atomic<std::int64_t> mappings{0};
constinit Fault current;
constinit Site* site = nullptr;
constinit std::atomic<bool> noted{false};
[[gnu::tls_model("initial-exec")]] constinit thread_local int paused = 0;

/// Frames of glibc that have no way to say that there is no memory, and end the process instead.
/// docs/design/0024-when-memory-or-a-call-fails.md names them.
bool is_beyond_us() {
  void* frames[6];
  const Paused pause;
  const int count = ::backtrace(frames, std::size(frames));
  for (int i = 0; i < count; ++i) {
    Dl_info info{};
    if (::dladdr(frames[i], &info) != 0 && info.dli_sname != nullptr &&
        std::strstr(info.dli_sname, "cxa_thread_atexit") != nullptr) {
      return true;
    }
  }
  return false;
}

std::string demangled(const char* name) {
  int status = -1;
  char* const text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
  std::string out = status == 0 ? text : name;
  std::free(text);
  return out;
}

std::string text_of(const char* call, void* const* frames, int num_frames) {
  constexpr int kMostLines = 10;
  std::string out = call;
  std::string last;
  int lines = 0;
  for (int i = 0; i < num_frames && lines < kMostLines; ++i) {
    Dl_info info{};
    // Of glibc and libstdc++ too, but not of the test program, which exports few of its names.
    if (::dladdr(frames[i], &info) == 0 || info.dli_sname == nullptr) {
      continue;
    }
    std::string name = demangled(info.dli_sname);
    name.resize(std::min(name.find('('), name.size()));
    if (name == last || name.starts_with("operator new") || name == call) {
      continue;
    }
    const auto offset =
        static_cast<const char*>(frames[i]) - static_cast<const char*>(info.dli_fbase);
    out += fmt::format("\n      {} +{:#x}", name, offset);
    last = std::move(name);
    ++lines;
  }
  return out;
}

void note_site(const char* call) {
  if (site == nullptr || noted.exchange(true)) {
    return;
  }
  const Paused pause;
  const int number = errno;
  void* frames[48];
  const std::string text = text_of(call, frames, ::backtrace(frames, std::size(frames)));
  std::strncpy(site->call, call, sizeof site->call - 1);
  std::strncpy(site->text, text.c_str(), sizeof site->text - 1);
  site->is_fired = true;
  errno = number;
}

}  // namespace

void arm(const Fault& fault) {
  current = fault;
  counted[0] = 0;
  counted[1] = 0;
  noted = false;
  armed = true;
}

void disarm() {
  armed = false;
}

std::int64_t num_counted(Kind kind) {
  return counted[static_cast<int>(kind)].load();
}

void set_site(Site* where) {
  site = where;
}

std::int32_t variant() {
  return current.variant;
}

bool must_fail(Kind kind, const char* call, std::int32_t variants) {
  if (!armed.load(std::memory_order_relaxed) || paused > 0) [[likely]] {
    return false;
  }
  const std::int64_t number =
      counted[static_cast<int>(kind)].fetch_add(1, std::memory_order_relaxed) + 1;
  if (kind != current.kind || number < current.at || number - current.at >= current.length ||
      current.at == 0 || current.variant >= variants) {
    return false;
  }
  if (kind == Kind::kMemory && is_beyond_us()) {
    return false;
  }
  note_site(call);
  return true;
}

void count_block(std::int64_t change) {
  blocks.fetch_add(change, std::memory_order_relaxed);
}

void count_mapping(std::int64_t change) {
  mappings.fetch_add(change, std::memory_order_relaxed);
}

Paused::Paused() {
  ++paused;
}

Paused::~Paused() {
  --paused;
}

Holdings holdings() {
  Holdings out{.blocks = blocks.load(), .mappings = mappings.load()};
  constexpr long kLastDescriptor = 255;
  for (long number = 0; number <= kLastDescriptor; ++number) {
    out.files += ::syscall(SYS_fcntl, number, 1 /* F_GETFD */) >= 0 ? 1 : 0;
  }
  return out;
}

}  // namespace penstock::faults
