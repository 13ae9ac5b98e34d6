// See result_cache.h.
#include "penstock/flow/result_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "penstock/base/clock.h"
#include "penstock/flow/history.h"

namespace penstock::flow {
namespace {

namespace fs = std::filesystem;
using base::ErrorCode;

constexpr std::string_view kId = "PS0420";
constexpr std::int64_t kUsPerHour = 3'600'000'000;
constexpr std::int64_t kUsPerDay = 24 * kUsPerHour;

base::Error cache_error(ErrorCode code, std::string message) {
  return base::Error(code, std::move(message))
      .with_id(kId)
      .with_help("PENSTOCK_HOME says where results are kept; PENSTOCK_CACHE=off keeps none");
}

std::int64_t modified_us(const struct stat& facts) {
  return facts.st_mtim.tv_sec * 1'000'000 + facts.st_mtim.tv_nsec / 1'000;
}

/// `path` has been used now. Which results go first follows from it; a file system without such
/// times only makes that order worse.
void touch(const std::string& path) {
  (void)::utimensat(AT_FDCWD, path.c_str(), nullptr, 0);
}

bool verifies(const KeptResult& result) {
  for (std::size_t i = 0; i < result.num_outputs(); ++i) {
    if (!result.load(i).has_value()) {
      return false;
    }
  }
  return true;
}

}  // namespace

base::Result<std::shared_ptr<ResultCache>> ResultCache::open(const std::string& home,
                                                             CacheLimits limits) {
  const std::string root = home + "/cache";
  std::error_code failed;
  fs::create_directories(root + "/tmp", failed);
  if (failed) {
    return base::fail(
        cache_error(ErrorCode::kUnavailable,
                    fmt::format("cannot keep results in '{}': {}", root, failed.message())));
  }
  return std::shared_ptr<ResultCache>(new ResultCache(root, limits));
}

std::string ResultCache::path_of(const core::Digest& key) const {
  const std::string hex = key.to_hex();
  return fmt::format("{}/{}/{}", root_, hex.substr(0, 2), hex);
}

std::shared_ptr<const KeptResult> ResultCache::find(const core::Digest& key) const {
  const std::string path = path_of(key);
  auto found = KeptResult::open(path);
  if (!found.has_value()) {
    return nullptr;
  }
  touch(path);
  return std::move(*found);
}

base::Result<std::vector<core::Digest>> ResultCache::keep(const core::Digest& key,
                                                          const KeptFacts& facts,
                                                          std::span<const core::Value> outputs) {
  PENSTOCK_ASSIGN_OR_RETURN(const KeptResultBytes bytes, KeptResultBytes::encode(facts, outputs));
  std::vector<core::Digest> digests(bytes.digests().begin(), bytes.digests().end());
  if (bytes.size_bytes() > limits_.max_bytes / 2) {
    return base::fail(cache_error(
        ErrorCode::kResourceExhausted,
        fmt::format("result of node '{}' is not kept: {} bytes, more than half of the cache's {}",
                    facts.node, bytes.size_bytes(), limits_.max_bytes)));
  }
  const std::string path = path_of(key);
  static std::atomic<std::uint64_t> counter{0};
  const std::string temporary = fmt::format("{}/tmp/{}-{}-{}", root_, ::getpid(), base::unix_us(),
                                            counter.fetch_add(1, std::memory_order_relaxed));
  base::Status status = bytes.write(temporary);
  if (status.has_value() && ::rename(temporary.c_str(), path.c_str()) != 0 && errno == ENOENT) {
    std::error_code failed;
    fs::create_directory(fs::path(path).parent_path(), failed);
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
      status = base::fail(ErrorCode::kUnavailable, fmt::format("cannot move a file to '{}': {}",
                                                               path, std::strerror(errno)));
    }
  }
  if (!status.has_value()) {
    ::unlink(temporary.c_str());
    return base::fail(cache_error(
        status.error().code(),
        fmt::format("result of node '{}' is not kept: {}", facts.node, status.error().message())));
  }
  written_bytes_.fetch_add(bytes.size_bytes(), std::memory_order_relaxed);
  return digests;
}

void ResultCache::also_under(const core::Digest& other, const core::Digest& key) {
  const std::string from = path_of(key), to = path_of(other);
  if (::link(from.c_str(), to.c_str()) != 0 && errno == ENOENT) {
    std::error_code failed;
    fs::create_directory(fs::path(to).parent_path(), failed);
    (void)::link(from.c_str(), to.c_str());  // without it the result is found later, not wrongly
  }
}

base::Result<std::vector<ResultCache::Item>> ResultCache::list(bool verify) const {
  std::vector<Item> items;
  std::error_code failed;
  for (fs::recursive_directory_iterator at(root_, failed), end; !failed && at != end;
       at.increment(failed)) {
    const std::string name = at->path().filename().string();
    const auto key = core::Digest::from_hex(name);
    struct stat facts{};
    if (!key.has_value() || ::stat(at->path().c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) {
      continue;
    }
    Item& item = items.emplace_back();
    item.key = *key;
    item.path = at->path().string();
    // A result that is found in two ways is there once.
    item.size_bytes =
        facts.st_size / static_cast<std::int64_t>(std::max<nlink_t>(facts.st_nlink, 1));
    item.used_us = modified_us(facts);
    if (auto result = KeptResult::open(item.path);
        result.has_value() && (!verify || verifies(**result))) {
      item.result = std::move(*result);
    }
  }
  if (failed) {
    return base::fail(cache_error(ErrorCode::kUnavailable,
                                  fmt::format("cannot list '{}': {}", root_, failed.message())));
  }
  std::ranges::sort(items, [](const Item& a, const Item& b) {
    return a.used_us != b.used_us ? a.used_us > b.used_us : a.key < b.key;
  });
  return items;
}

base::Status ResultCache::remove(const Item& item) const {
  if (::unlink(item.path.c_str()) != 0 && errno != ENOENT) {
    return base::fail(
        cache_error(ErrorCode::kUnavailable,
                    fmt::format("cannot remove '{}': {}", item.path, std::strerror(errno))));
  }
  return {};
}

base::Result<ResultCache::Pruned> ResultCache::prune(const CacheLimits& limits) const {
  PENSTOCK_ASSIGN_OR_RETURN(const std::vector<Item> items, list());
  const std::int64_t oldest = base::unix_us() - limits.max_age_days * kUsPerDay;
  Pruned out;
  for (const Item& item : items) {
    const bool stays = item.result != nullptr && item.used_us >= oldest &&
                       out.left_bytes + item.size_bytes <= limits.max_bytes;
    if (!stays) {
      PENSTOCK_RETURN_IF_ERROR(remove(item));
    }
    (stays ? out.left : out.removed) += 1;
    (stays ? out.left_bytes : out.removed_bytes) += item.size_bytes;
  }
  std::error_code failed;  // what a killed process left behind
  for (const fs::directory_entry& entry : fs::directory_iterator(root_ + "/tmp", failed)) {
    struct stat facts{};
    if (::stat(entry.path().c_str(), &facts) == 0 &&
        modified_us(facts) < base::unix_us() - kUsPerDay) {
      fs::remove(entry.path(), failed);
    }
  }
  return out;
}

void ResultCache::prune_if_due() {
  const std::int64_t written = written_bytes_.exchange(0, std::memory_order_relaxed);
  if (written == 0) {
    return;
  }
  const std::string stamp = root_ + "/pruned";
  struct stat facts{};
  const bool is_recent =
      ::stat(stamp.c_str(), &facts) == 0 && base::unix_us() - modified_us(facts) < kUsPerHour;
  if (is_recent && written < limits_.max_bytes / 16) {
    return;
  }
  const int file = ::open(stamp.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (file >= 0) {
    ::close(file);
    touch(stamp);
  }
  (void)prune(limits_);  // the next run tries again
}

base::Result<std::shared_ptr<ResultCache>> open_user_cache() {
  const char* const wish = std::getenv("PENSTOCK_CACHE");
  if (wish != nullptr && (std::string_view(wish) == "off" || std::string_view(wish) == "0")) {
    return std::shared_ptr<ResultCache>();
  }
  CacheLimits limits;
  if (const char* const size = std::getenv("PENSTOCK_CACHE_BYTES"); size != nullptr) {
    const std::string_view text(size);
    const auto [end, failed] =
        std::from_chars(text.data(), text.data() + text.size(), limits.max_bytes);
    if (failed != std::errc() || end != text.data() + text.size() || limits.max_bytes < 0) {
      return base::fail(base::Error(ErrorCode::kInvalidArgument,
                                    fmt::format("PENSTOCK_CACHE_BYTES is '{}', wanted a number of "
                                                "bytes",
                                                text))
                            .with_id(kId));
    }
  }
  return ResultCache::open(user_data_folder(), limits);
}

}  // namespace penstock::flow
