#include "penstock/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace penstock::base {

namespace fs = std::filesystem;

File::File(const std::string& path, int flags)
    : number_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {
}

File& File::operator=(File&& other) noexcept {
  std::swap(number_, other.number_);
  return *this;
}

File::~File() {
  if (number_ >= 0) {
    ::close(number_);
  }
}

std::unexpected<Error> system_failure(const char* what, const std::string& path) {
  const int number = errno;
  const ErrorCode code = number == ENOENT                       ? ErrorCode::kNotFound
                         : number == ENOSPC || number == EDQUOT ? ErrorCode::kResourceExhausted
                         : number == EACCES || number == EROFS  ? ErrorCode::kFailedPrecondition
                                                                : ErrorCode::kInternal;
  return fail(code, std::string(what) + ": " + std::strerror(number) + ": path=" + path);
}

Status sync_folder(const std::string& path) {
  const File folder(path, O_RDONLY | O_DIRECTORY);
  if (!folder.is_open() || ::fsync(folder.number()) != 0) {
    return system_failure("cannot sync folder", path);
  }
  return {};
}

Status make_folders(const std::string& path) {
  const fs::path folder(path);
  std::error_code unknown;  // then mkdir() says what is the matter
  if (folder.empty() || fs::exists(folder, unknown)) {
    return {};
  }
  PENSTOCK_RETURN_IF_ERROR(make_folders(folder.parent_path().string()));
  if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) {
    return system_failure("cannot make folder", path);
  }
  return sync_folder(folder.has_parent_path() ? folder.parent_path().string() : ".");
}

bool write_all(int file, const char* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t written = ::write(file, bytes, size);
    if (written < 0 && errno != EINTR) {
      return false;
    }
    if (written > 0) {
      bytes += written;
      size -= static_cast<std::size_t>(written);
    }
  }
  return true;
}

}  // namespace penstock::base
