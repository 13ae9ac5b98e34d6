#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <new>
#include <system_error>
#include <utility>
#include <vector>

#include "penstock/base/file.h"
#include "penstock/base/folder.h"
#include "penstock/base/out_of_memory.h"
#include "penstock/core/block_store.h"

namespace penstock::core {
namespace {

namespace fs = std::filesystem;

using base::File;
using base::make_folders;
using base::sync_folder;
using base::system_failure;

base::Status write_synced(const std::string& path, std::span<const std::byte> bytes) {
  const File file(path, O_WRONLY | O_CREAT | O_EXCL);
  if (!file.is_open()) {
    return system_failure("cannot create file", path);
  }
  if (!base::write_all(file.number(), reinterpret_cast<const char*>(bytes.data()), bytes.size())) {
    return system_failure("cannot write file", path);
  }
  if (::fsync(file.number()) != 0) {
    return system_failure("cannot sync file", path);
  }
  return {};
}

base::Result<std::shared_ptr<const Buffer>> read_file(const std::string& path) {
  const File file(path, O_RDONLY);
  struct stat facts{};
  if (!file.is_open() || ::fstat(file.number(), &facts) != 0) {
    return system_failure("cannot open file", path);
  }
  std::shared_ptr<Buffer> buffer = Buffer::allocate(facts.st_size);
  std::int64_t size = 0;
  while (size < facts.st_size) {
    const ssize_t got = ::read(file.number(), buffer->mutable_data() + size,
                               static_cast<std::size_t>(facts.st_size - size));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return system_failure("cannot read file", path);
    }
    if (got == 0) {
      return base::fail(base::ErrorCode::kDataLoss, "file shrank while it was read: path=" + path);
    }
    size += got;
  }
  return buffer;
}

std::span<const std::byte> bytes_of(const Buffer& buffer) {
  return {buffer.data(), static_cast<std::size_t>(buffer.size_bytes())};
}

std::string temporary_path(const std::string& root) {
  static std::atomic<std::uint64_t> counter{0};
  const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
  return root + "/tmp/" + std::to_string(::getpid()) + "-" + std::to_string(now) + "-" +
         std::to_string(counter.fetch_add(1));
}

// What a crash left behind; a day is far beyond the time any block takes to write.
void sweep(const std::string& folder) {
  std::error_code ignored;
  const auto limit = fs::file_time_type::clock::now() - std::chrono::hours(24);
  const auto entries = base::list_folder(folder);
  for (std::size_t i = 0; entries.has_value() && i < entries->size(); ++i) {
    const std::string& path = (*entries)[i].path;
    if (fs::last_write_time(path, ignored) < limit && !ignored) {
      ::unlink(path.c_str());
    }
  }
}

}  // namespace

base::Result<std::unique_ptr<DirectoryBlockStore>> DirectoryBlockStore::open(
    const std::string& root) try {
  std::error_code error;
  const std::string absolute = fs::absolute(root, error).lexically_normal().string();
  if (error || root.empty()) {
    return base::fail(base::ErrorCode::kInvalidArgument, "not a folder: path=" + root);
  }
  PENSTOCK_RETURN_IF_ERROR(make_folders(fs::path(absolute) / "tmp"));
  sweep(absolute + "/tmp");
  return std::unique_ptr<DirectoryBlockStore>(new DirectoryBlockStore(absolute));
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

std::string DirectoryBlockStore::path_of(const Cid& cid) const {
  const std::string hex = cid.digest.to_hex();
  return root_ + "/" + hex.substr(0, 2) + "/" + hex.substr(2, 2) + "/" + cid.to_string();
}

base::Status DirectoryBlockStore::put(const Cid& cid, std::span<const std::byte> bytes) try {
  if (!(hash_bytes(bytes) == cid.digest)) {
    return base::fail(base::ErrorCode::kInvalidArgument,
                      "block does not fit its cid: size_bytes=" + std::to_string(bytes.size()) +
                          " cid=" + cid.to_string());
  }
  // A whole block stays; a damaged one is replaced, so that putting it again repairs the store.
  if (get(cid).has_value()) {
    return {};
  }
  const std::string path = path_of(cid);
  const std::string folder = fs::path(path).parent_path().string();
  PENSTOCK_RETURN_IF_ERROR(make_folders(folder));
  const std::string temporary = temporary_path(root_);
  base::Status status = write_synced(temporary, bytes);
  if (status.has_value() && ::rename(temporary.c_str(), path.c_str()) != 0) {
    status = system_failure("cannot move file into place", path);
  }
  if (!status.has_value()) {
    ::unlink(temporary.c_str());
    return status;
  }
  return sync_folder(folder);
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

base::Result<std::shared_ptr<const Buffer>> DirectoryBlockStore::get(const Cid& cid) const try {
  const std::string path = path_of(cid);
  base::Result<std::shared_ptr<const Buffer>> block = read_file(path);
  if (!block.has_value() && block.error().code() == base::ErrorCode::kNotFound) {
    return base::fail(base::ErrorCode::kNotFound, "no such block: cid=" + cid.to_string());
  }
  if (block.has_value() && !(hash_bytes(bytes_of(**block)) == cid.digest)) {
    return base::fail(base::ErrorCode::kDataLoss, "stored block is damaged: path=" + path);
  }
  return block;
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

base::Result<bool> DirectoryBlockStore::has(const Cid& cid) const try {
  const std::string path = path_of(cid);
  if (::access(path.c_str(), F_OK) == 0) {
    return true;
  }
  if (errno == ENOENT) {
    return false;
  }
  return system_failure("cannot look for file", path);
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

base::Status DirectoryBlockStore::remove(const Cid& cid) try {
  const std::string path = path_of(cid);
  if (::unlink(path.c_str()) != 0) {
    if (errno == ENOENT) {
      return {};
    }
    return system_failure("cannot remove file", path);
  }
  return sync_folder(fs::path(path).parent_path().string());
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

base::Result<std::int64_t> DirectoryBlockStore::size() const try {
  // The first two digits, the next two, the blocks. tmp/ has files where the next two would be.
  std::vector<std::string> folders{root_};
  for (int depth = 0; depth < 2; ++depth) {
    std::vector<std::string> below;
    for (const std::string& folder : folders) {
      PENSTOCK_ASSIGN_OR_RETURN(auto entries, base::list_folder(folder));
      for (base::FolderEntry& entry : entries) {
        if (entry.is_folder) {
          below.push_back(std::move(entry.path));
        }
      }
    }
    folders.swap(below);
  }
  std::int64_t count = 0;
  for (const std::string& folder : folders) {
    PENSTOCK_ASSIGN_OR_RETURN(const auto blocks, base::list_folder(folder));
    count += std::ssize(blocks);
  }
  return count;
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

}  // namespace penstock::core
