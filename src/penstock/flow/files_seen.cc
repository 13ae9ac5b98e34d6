// See files_seen.h.
#include "penstock/flow/files_seen.h"

#include <fcntl.h>
#include <glob.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "penstock/flow/plan_bytes.h"

namespace penstock::flow {
namespace {

bool is_pattern(const std::string& path) {
  return path.find_first_of("*?[") != std::string::npos;
}

base::Result<core::Digest> digest_of_file(const std::string& path) {
  const auto failed = [&path] {
    return base::fail(base::ErrorCode::kNotFound,
                      fmt::format("cannot read '{}': {}", path, std::strerror(errno)));
  };
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    return failed();
  }
  struct stat facts{};
  if (::fstat(file, &facts) != 0 || !S_ISREG(facts.st_mode)) {
    errno = S_ISDIR(facts.st_mode) ? EISDIR : errno;
    ::close(file);
    return failed();
  }
  const auto size = static_cast<std::size_t>(facts.st_size);
  if (size == 0) {
    ::close(file);
    return core::hash_bytes(std::string_view());
  }
  void* const at = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  ::close(file);
  if (at == MAP_FAILED) {
    return failed();
  }
  const core::Digest sum = core::hash_bytes({static_cast<const std::byte*>(at), size});
  ::munmap(at, size);
  return sum;
}

/// The files that `path` stands for.
std::vector<std::string> names_of(const std::string& path) {
  if (!is_pattern(path)) {
    return {path};
  }
  glob_t found{};
  std::vector<std::string> names;
  if (::glob(path.c_str(), 0, nullptr, &found) == 0) {
    names.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  }
  ::globfree(&found);
  return names;
}

/// Differs once a file has been written to or replaced: the time of change cannot be set by hand.
std::string state_of(const std::string& path) {
  std::string out;
  for (const std::string& name : names_of(path)) {
    struct stat facts{};
    const bool is_there = ::stat(name.c_str(), &facts) == 0;
    append_text(out, name);
    for (const std::int64_t fact :
         {is_there ? std::int64_t{1} : 0, static_cast<std::int64_t>(facts.st_ino),
          static_cast<std::int64_t>(facts.st_size), facts.st_ctim.tv_sec, facts.st_ctim.tv_nsec}) {
      append_int(out, fact);
    }
  }
  return out;
}

}  // namespace

base::Result<core::Digest> digest_of_files(const std::string& path) {
  if (!is_pattern(path)) {
    return digest_of_file(path);
  }
  std::string bytes;
  for (const std::string& name : names_of(path)) {
    PENSTOCK_ASSIGN_OR_RETURN(const core::Digest sum, digest_of_file(name));
    append_text(bytes, name);
    append_digest(bytes, sum);
  }
  return core::hash_bytes(bytes);
}

base::Result<core::Digest> FilesSeen::digest(const std::string& path) {
  files_.emplace_back(path, state_of(path));
  return digest_of_files(path);
}

bool FilesSeen::are_unchanged() const {
  return std::ranges::all_of(files_,
                             [](const auto& file) { return state_of(file.first) == file.second; });
}

}  // namespace penstock::flow
