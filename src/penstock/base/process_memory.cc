// See process_memory.h.
#include "penstock/base/process_memory.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <string_view>

namespace penstock::base {

std::int64_t peak_rss_bytes(std::int32_t pid) {
  const std::string path = "/proc/" + (pid > 0 ? std::to_string(pid) : "self") + "/status";
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return 0;
  }
  // The line comes within the first 500 bytes; a read of procfs gives the whole of it.
  std::array<char, 4096> buffer{};
  const ssize_t got = ::read(fd, buffer.data(), buffer.size());
  ::close(fd);
  constexpr std::string_view kName = "\nVmHWM:";
  std::string_view text(buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  const std::size_t at = text.find(kName);
  if (at == std::string_view::npos) {
    return 0;  // a process that has ended has no memory
  }
  text.remove_prefix(at + kName.size());
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  std::int64_t kilobytes = 0;
  std::from_chars(text.data(), text.data() + text.size(), kilobytes);
  return kilobytes * 1024;
}

}  // namespace penstock::base
