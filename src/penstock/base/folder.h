// What is in a folder.
//
// In place of std::filesystem's iterators: those of libstdc++ 12 end the process when they have no
// memory (their steps are noexcept and allocate).
#pragma once

#include <string>
#include <vector>

#include "penstock/base/result.h"

namespace penstock::base {

struct FolderEntry {
  std::string name;
  std::string path;        ///< with the folder's in front
  bool is_folder = false;  ///< itself; a link to one is none
};

/// Everything in `folder`, in no order. kNotFound when there is none, kFailedPrecondition when it
/// may not be read, else kUnavailable.
Result<std::vector<FolderEntry>> list_folder(const std::string& folder);

/// Files (whatever is no folder) in `folder` and below. Folders that go meanwhile are left out, and
/// with `only_readable` those that may not be read.
Result<std::vector<std::string>> files_below(const std::string& folder, bool only_readable = false);

}  // namespace penstock::base
