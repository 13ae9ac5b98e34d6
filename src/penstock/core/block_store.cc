#include "penstock/core/block_store.h"

#include <cstring>
#include <new>

#include "penstock/base/out_of_memory.h"

namespace penstock::core {
namespace {

base::Status check_content(const Cid& cid, std::span<const std::byte> bytes) {
  if (!(hash_bytes(bytes) == cid.digest)) {
    return base::fail(base::ErrorCode::kInvalidArgument,
                      "block does not fit its cid: size_bytes=" + std::to_string(bytes.size()) +
                          " cid=" + cid.to_string());
  }
  return {};
}

}  // namespace

base::Status MemoryBlockStore::put(const Cid& cid, std::span<const std::byte> bytes) try {
  PENSTOCK_RETURN_IF_ERROR(check_content(cid, bytes));
  std::shared_ptr<Buffer> copy = Buffer::allocate(static_cast<std::int64_t>(bytes.size()));
  if (!bytes.empty()) {
    std::memcpy(copy->mutable_data(), bytes.data(), bytes.size());
  }
  const std::lock_guard lock(mutex_);
  blocks_.try_emplace(Key(cid.codec, cid.digest), std::move(copy));
  return {};
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

base::Result<std::shared_ptr<const Buffer>> MemoryBlockStore::get(const Cid& cid) const try {
  const std::lock_guard lock(mutex_);
  const auto found = blocks_.find(Key(cid.codec, cid.digest));
  if (found == blocks_.end()) {
    return base::fail(base::ErrorCode::kNotFound, "no such block: cid=" + cid.to_string());
  }
  return found->second;
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

base::Result<bool> MemoryBlockStore::has(const Cid& cid) const try {
  const std::lock_guard lock(mutex_);
  return blocks_.contains(Key(cid.codec, cid.digest));
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

base::Status MemoryBlockStore::remove(const Cid& cid) {
  const std::lock_guard lock(mutex_);
  blocks_.erase(Key(cid.codec, cid.digest));
  return {};
}

base::Result<std::int64_t> MemoryBlockStore::size() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::int64_t>(blocks_.size());
}

base::Result<Cid> put_value(BlockStore& store, const Value& value) try {
  const BlockSink sink = [&store](const Digest& digest, std::span<const std::byte> block) {
    return store.put(Cid{Codec::kRaw, digest}, block);
  };
  PENSTOCK_ASSIGN_OR_RETURN(const std::string root, encode(value, sink));
  const Cid cid{Codec::kDagCbor, hash_bytes(root)};
  PENSTOCK_RETURN_IF_ERROR(store.put(cid, std::as_bytes(std::span(root.data(), root.size()))));
  return cid;
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

base::Result<Value> get_value(const BlockStore& store, const Cid& cid) try {
  PENSTOCK_ASSIGN_OR_RETURN(const std::shared_ptr<const Buffer> root, store.get(cid));
  if (cid.codec == Codec::kRaw) {
    return Value::bytes(std::string(reinterpret_cast<const char*>(root->data()),
                                    static_cast<std::size_t>(root->size_bytes())));
  }
  const BlockSource source = [&store](const Digest& digest) {
    return store.get(Cid{Codec::kRaw, digest});
  };
  return decode(
      {reinterpret_cast<const char*>(root->data()), static_cast<std::size_t>(root->size_bytes())},
      source);
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

}  // namespace penstock::core
