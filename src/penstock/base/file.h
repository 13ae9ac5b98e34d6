// Files that are to last: a descriptor that closes itself, and folders whose entries are synced.
#pragma once

#include <string>

#include "penstock/base/result.h"

namespace penstock::base {

/// A file descriptor that closes itself; close-on-exec.
class File {
 public:
  /// As open(2), mode 0644. See is_open(); errno says why not.
  File(const std::string& path, int flags);
  File() = default;
  File(File&& other) noexcept : number_(other.number_) { other.number_ = -1; }
  File& operator=(File&& other) noexcept;
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File();

  bool is_open() const { return number_ >= 0; }
  int number() const { return number_; }

 private:
  int number_ = -1;
};

/// errno as an error, "what: why: path=...": kNotFound, kResourceExhausted for a full disk,
/// kFailedPrecondition where writing is not allowed, else kInternal.
std::unexpected<Error> system_failure(const char* what, const std::string& path);

/// Makes what was made, renamed or removed in a folder last.
Status sync_folder(const std::string& path);

/// Makes `path` and its parents; each new folder is synced in its parent.
Status make_folders(const std::string& path);

/// All of `bytes`, however many calls it takes. False with errno set.
bool write_all(int file, const char* bytes, std::size_t size);

}  // namespace penstock::base
