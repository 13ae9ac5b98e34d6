// Where blocks live: bytes under their CID.
//
// A block store keeps encoded roots (dag-cbor) and the raw blocks they link to. What is read is
// verified against its CID, so a damaged block is an error and never a wrong value.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "penstock/base/result.h"
#include "penstock/core/identity.h"
#include "penstock/core/tensor.h"
#include "penstock/core/value.h"

namespace penstock::core {

/// Thread-safe.
class BlockStore {
 public:
  virtual ~BlockStore() = default;

  /// Keeps a copy of `bytes`, whose CID is `cid`. Putting a block twice is no error.
  virtual base::Status put(const Cid& cid, std::span<const std::byte> bytes) = 0;
  /// kNotFound when the block is not here, kDataLoss when it no longer fits its CID.
  virtual base::Result<std::shared_ptr<const Buffer>> get(const Cid& cid) const = 0;
  virtual base::Result<bool> has(const Cid& cid) const = 0;
  /// Removing a block that is not here is no error.
  virtual base::Status remove(const Cid& cid) = 0;
  /// Number of blocks.
  virtual base::Result<std::int64_t> size() const = 0;
};

/// Blocks in memory; for tests and short-lived runs.
class MemoryBlockStore final : public BlockStore {
 public:
  base::Status put(const Cid& cid, std::span<const std::byte> bytes) override;
  base::Result<std::shared_ptr<const Buffer>> get(const Cid& cid) const override;
  base::Result<bool> has(const Cid& cid) const override;
  base::Status remove(const Cid& cid) override;
  base::Result<std::int64_t> size() const override;

 private:
  using Key = std::pair<Codec, Digest>;

  mutable std::mutex mutex_;
  std::map<Key, std::shared_ptr<const Buffer>> blocks_;  ///< guarded by mutex_
};

/// Blocks as files: <root>/<2 hex digits>/<2 hex digits>/<cid>. Several processes may share one.
///
/// A block is written to <root>/tmp, synced, renamed into place, and its folder is synced, so after
/// a crash a block is there whole or not at all. A failed sync is never retried.
class DirectoryBlockStore final : public BlockStore {
 public:
  /// Makes the folders that are missing and sweeps temporary files older than a day.
  static base::Result<std::unique_ptr<DirectoryBlockStore>> open(const std::string& root);

  base::Status put(const Cid& cid, std::span<const std::byte> bytes) override;
  base::Result<std::shared_ptr<const Buffer>> get(const Cid& cid) const override;
  base::Result<bool> has(const Cid& cid) const override;
  base::Status remove(const Cid& cid) override;
  base::Result<std::int64_t> size() const override;

  /// Where the block of `cid` is or would be.
  std::string path_of(const Cid& cid) const;

 private:
  explicit DirectoryBlockStore(std::string root) : root_(std::move(root)) {}

  const std::string root_;
};

/// Encodes `value` into `store`, linked blocks first and the root last.
base::Result<Cid> put_value(BlockStore& store, const Value& value);
/// Inverse of put_value().
base::Result<Value> get_value(const BlockStore& store, const Cid& cid);

}  // namespace penstock::core
