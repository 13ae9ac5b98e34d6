// ResultCache: kept results under the digest of all they depend on, one file each.
//
//   <home>/cache/<2 hex digits>/<64 hex digits>   a KeptResult
//   <home>/cache/tmp/                             files being written
//   <home>/cache/{written,pruned}                 when to look for what is too much
//
// No lock and no index: a file is moved into place whole, so any number of processes share one
// cache, and a process that is killed leaves nothing to repair. What was used last stays longest.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/identity.h"
#include "penstock/flow/kept_result.h"

namespace penstock::flow {

struct CacheLimits {
  std::int64_t max_bytes = std::int64_t{2} << 30;
  std::int64_t max_age_days = 30;  ///< since a result was last used
};

/// Thread-safe.
class ResultCache {
 public:
  struct Item {
    core::Digest key;
    std::vector<core::Digest> other_keys;  ///< it is found under these too
    std::int64_t size_bytes = 0, used_us = 0;
    std::string damage;  ///< why it is no result; empty when it is one
    KeptFacts facts;     ///< of a result
  };
  struct Pruned {
    std::int64_t removed = 0, removed_bytes = 0, left = 0, left_bytes = 0;
  };

  /// Makes the folders that are missing. PS0420 when it cannot.
  static base::Result<std::shared_ptr<ResultCache>> open(const std::string& home,
                                                         CacheLimits limits = {});

  /// Null when there is none, or a damaged one.
  std::shared_ptr<const KeptResult> find(const core::Digest& key) const;
  /// Keeps `outputs` (native, absent ones among them) and gives their digests. kInvalidArgument
  /// when one cannot be encoded; PS0420 when it cannot be written or is too large to keep.
  base::Result<std::vector<core::Digest>> keep(const core::Digest& key, const KeptFacts& facts,
                                               std::span<const core::Value> outputs);
  /// Lets what is kept under `key` be found under `other` too.
  void also_under(const core::Digest& other, const core::Digest& key);

  /// Everything, most recently used first. `verify`: reads the values too. Files that go meanwhile
  /// are left out.
  base::Result<std::vector<Item>> list(bool verify = false) const;
  base::Status remove(const Item& item) const;
  /// Removes what is beyond the limits, and what is damaged.
  base::Result<Pruned> prune(const CacheLimits& limits) const;
  /// prune() by its own limits when much has been written since the last time, by any process, or
  /// when that was an hour ago.
  void prune_if_due();

  const CacheLimits& limits() const { return limits_; }
  const std::string& folder() const { return root_; }

 private:
  ResultCache(std::string root, CacheLimits limits) : root_(std::move(root)), limits_(limits) {}
  std::string path_of(const core::Digest& key) const;

  const std::string root_;
  const CacheLimits limits_;
  std::atomic<std::int64_t> written_bytes_{0};
};

/// The user's cache (user_data_folder()). PENSTOCK_CACHE_BYTES is its size in bytes.
base::Result<std::shared_ptr<ResultCache>> open_cache_folder();

/// The same for a run: null where PENSTOCK_CACHE is "off" or "0".
base::Result<std::shared_ptr<ResultCache>> open_user_cache();

}  // namespace penstock::flow
