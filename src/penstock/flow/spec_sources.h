// Where tubes are found by their noob_id: folders of tube files.
#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/result.h"

namespace penstock::flow {

/// True for what a tube file is called: *.yaml or *.yml. Anything else may be a noob_id.
bool is_tube_file(std::string_view name);

/// The folders of this process. Thread-safe.
class SpecSources {
 public:
  static SpecSources& instance();

  /// Adds `folder` in front of those before, once. It need not exist yet.
  void add(std::string folder);
  std::vector<std::string> folders() const;

  /// The file whose top-level `noob_id` is `id`. Looks at every *.yaml and *.yml under the folders
  /// (the added ones, then $XDG_CONFIG_HOME/penstock or ~/.config/penstock). kNotFound with the
  /// nearest id; kInvalidArgument when two files of one folder have it. Cost: one read of each
  /// file's head.
  base::Result<std::string> find(std::string_view id) const;

 private:
  SpecSources() = default;

  mutable std::mutex mutex_;
  std::vector<std::string> added_;  // guarded by mutex_
};

}  // namespace penstock::flow
