// See files.h.
#include "penstock/cli/files.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fmt/format.h>

namespace penstock::cli {

base::Status write_file(const std::string& path, std::string_view text) {
  const std::string part = path + ".part";
  const auto failed = [&](const char* what) {
    const std::string reason = std::strerror(errno);
    std::remove(part.c_str());
    return base::fail(base::Error(base::ErrorCode::kUnavailable,
                                  fmt::format("cannot {} '{}': {}", what, path, reason))
                          .with_id("PS0909"));
  };
  std::FILE* const file = std::fopen(part.c_str(), "wb");
  if (file == nullptr) {
    return failed("write");
  }
  const bool whole = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (std::fclose(file) != 0 || !whole) {
    return failed("write");
  }
  if (std::rename(part.c_str(), path.c_str()) != 0) {
    return failed("rename to");
  }
  return {};
}

}  // namespace penstock::cli
