#include "penstock/base/folder.h"

#include <dirent.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "penstock/base/out_of_memory.h"

namespace penstock::base {
namespace {

struct Closer {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

Error folder_error(const std::string& folder, int number) {
  if (number == ENOMEM) {
    return out_of_memory();
  }
  return {number == ENOENT   ? ErrorCode::kNotFound
          : number == EACCES ? ErrorCode::kFailedPrecondition
                             : ErrorCode::kUnavailable,
          "cannot list folder '" + folder + "': " + std::strerror(number)};
}

bool is_folder(const dirent& entry, const std::string& path) {
  if (entry.d_type != DT_UNKNOWN) {
    return entry.d_type == DT_DIR;
  }
  struct stat facts{};
  return ::lstat(path.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode);
}

}  // namespace

Result<std::vector<FolderEntry>> list_folder(const std::string& folder) try {
  const std::unique_ptr<DIR, Closer> open(::opendir(folder.c_str()));
  if (open == nullptr) {
    return fail(folder_error(folder, errno));
  }
  std::vector<FolderEntry> out;
  for (;;) {
    errno = 0;
    const dirent* const entry = ::readdir(open.get());
    if (entry == nullptr) {
      break;
    }
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") {
      std::string path = folder + "/" + entry->d_name;
      const bool is_below = is_folder(*entry, path);
      out.push_back({.name = std::string(name), .path = std::move(path), .is_folder = is_below});
    }
  }
  if (errno != 0) {
    return fail(folder_error(folder, errno));
  }
  return out;
} catch (const std::bad_alloc&) {
  return fail_out_of_memory();
}

Result<std::vector<std::string>> files_below(const std::string& folder, bool only_readable) try {
  std::vector<std::string> out;
  std::vector<std::string> folders{folder};
  while (!folders.empty()) {
    const std::string next = std::move(folders.back());
    folders.pop_back();
    auto entries = list_folder(next);
    if (!entries.has_value()) {
      const ErrorCode code = entries.error().code();
      const bool is_left_out =
          code == ErrorCode::kNotFound || (only_readable && code == ErrorCode::kFailedPrecondition);
      if (!is_left_out) {
        return fail(entries.error());
      }
      continue;
    }
    for (FolderEntry& entry : *entries) {
      (entry.is_folder ? folders : out).push_back(std::move(entry.path));
    }
  }
  return out;
} catch (const std::bad_alloc&) {
  return fail_out_of_memory();
}

}  // namespace penstock::base
