// FilesSeen: what files held when a run looked at them, and whether they still do.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/identity.h"

namespace penstock::flow {

/// Digest of what the file at `path` holds, of the list of what a pattern matches and holds; of a
/// folder none.
base::Result<core::Digest> digest_of_files(const std::string& path);

/// Thread-compatible.
class FilesSeen {
 public:
  /// digest_of_files(path), remembered.
  base::Result<core::Digest> digest(const std::string& path);
  /// False when one of them has been written, replaced or removed since. By its time of change,
  /// size and number, so at no cost worth naming.
  bool are_unchanged() const;

 private:
  std::vector<std::pair<std::string, std::string>> files_;  ///< path, its state before the digest
};

}  // namespace penstock::flow
