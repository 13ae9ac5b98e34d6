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
#include <map>
#include <new>
#include <optional>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "penstock/base/clock.h"
#include "penstock/base/folder.h"
#include "penstock/base/out_of_memory.h"
#include "penstock/flow/history.h"

namespace penstock::flow {
namespace {

namespace fs = std::filesystem;
using base::ErrorCode;

constexpr std::string_view kId = "PS0420";
constexpr std::int64_t kUsPerHour = 3'600'000'000;
constexpr std::int64_t kUsPerDay = 24 * kUsPerHour;
constexpr std::int64_t kCounterUnits = 65'536;  // in which the largest size is counted
constexpr std::int64_t kPrunesPerSize = 16;     // pruned when a sixteenth of it has been written

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

/// Whether the file holds values with these digests, whole.
bool gives(const KeptResult& result, std::span<const core::Digest> digests) {
  bool same = result.num_outputs() == digests.size();
  for (std::size_t i = 0; i < digests.size() && same; ++i) {
    same = result.digest(i) == digests[i] && result.load(i).has_value();
  }
  return same;
}

base::Status move_into_place(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) {
    return {};
  }
  if (errno == ENOENT) {
    std::error_code failed;  // rename says it
    fs::create_directory(fs::path(to).parent_path(), failed);
    if (::rename(from.c_str(), to.c_str()) == 0) {
      return {};
    }
  }
  return base::fail(ErrorCode::kUnavailable,
                    fmt::format("cannot move a file to '{}': {}", to, std::strerror(errno)));
}

/// Opens and, if asked, reads a file; nullopt when it went meanwhile.
base::Result<std::optional<ResultCache::Item>> look_at(const std::string& path, bool verify) {
  ResultCache::Item item;
  const auto result = KeptResult::open(path);
  base::Status status;
  if (result.has_value()) {
    item.facts = (*result)->facts();
    for (std::size_t i = 0; verify && i < (*result)->num_outputs() && status.has_value(); ++i) {
      if (const auto value = (*result)->load(i); !value.has_value()) {
        status = base::fail(value.error());
      }
    }
  } else {
    status = base::fail(result.error());
  }
  if (!status.has_value()) {
    if (status.error().code() == ErrorCode::kNotFound) {
      return std::nullopt;
    }
    if (status.error().code() != ErrorCode::kDataLoss) {
      return base::fail(status.error());
    }
    item.damage = status.error().message();
  }
  return std::optional(std::move(item));
}

}  // namespace

base::Result<std::shared_ptr<ResultCache>> ResultCache::open(const std::string& home,
                                                             CacheLimits limits) try {
  const std::string root = home + "/cache";
  std::error_code failed;
  fs::create_directories(root + "/tmp", failed);
  if (failed) {
    return base::fail(
        cache_error(ErrorCode::kUnavailable,
                    fmt::format("cannot keep results in '{}': {}", root, failed.message())));
  }
  return std::shared_ptr<ResultCache>(new ResultCache(root, limits));
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

std::string ResultCache::path_of(const core::Digest& key) const {
  const std::string hex = key.to_hex();
  return fmt::format("{}/{}/{}", root_, hex.substr(0, 2), hex);
}

std::shared_ptr<const KeptResult> ResultCache::find(const core::Digest& key) const try {
  const std::string path = path_of(key);
  auto found = KeptResult::open(path);
  if (!found.has_value()) {
    return nullptr;
  }
  touch(path);
  return std::move(*found);
} catch (const std::bad_alloc&) {
  return nullptr;  // not found costs a call, and nothing else
}

base::Result<std::vector<core::Digest>> ResultCache::keep(
    const core::Digest& key, const KeptFacts& facts, std::span<const core::Value> outputs) try {
  PENSTOCK_ASSIGN_OR_RETURN(const KeptResultBytes bytes, KeptResultBytes::encode(facts, outputs));
  std::vector<core::Digest> digests(bytes.digests().begin(), bytes.digests().end());
  if (bytes.size_bytes() > limits_.max_bytes / 2) {
    return base::fail(cache_error(
        ErrorCode::kResourceExhausted,
        fmt::format("result of node '{}' is not kept: {} bytes, more than half of the cache's {}",
                    facts.node, bytes.size_bytes(), limits_.max_bytes)));
  }
  if (const auto old = find(key); old != nullptr && gives(*old, digests)) {
    return digests;  // the file has other names; a second one would take the room of two
  }
  const std::string path = path_of(key);
  static std::atomic<std::uint64_t> counter{0};
  const std::string temporary = fmt::format("{}/tmp/{}-{}-{}", root_, ::getpid(), base::unix_us(),
                                            counter.fetch_add(1, std::memory_order_relaxed));
  base::Status status = bytes.write(temporary);
  if (status.has_value()) {
    status = base::within_memory([&] { return move_into_place(temporary, path); });
  }
  if (!status.has_value()) {
    ::unlink(temporary.c_str());
    return base::fail(cache_error(
        status.error().code(),
        fmt::format("result of node '{}' is not kept: {}", facts.node, status.error().message())));
  }
  written_bytes_.fetch_add(bytes.size_bytes(), std::memory_order_relaxed);
  return digests;
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

void ResultCache::also_under(const core::Digest& other, const core::Digest& key) try {
  const std::string from = path_of(key), to = path_of(other);
  if (::link(from.c_str(), to.c_str()) != 0 && errno == ENOENT) {
    std::error_code failed;
    fs::create_directory(fs::path(to).parent_path(), failed);
    (void)::link(from.c_str(), to.c_str());  // without it the result is found later, not wrongly
  }
} catch (const std::bad_alloc&) {
  // Without it the result is found later, not wrongly.
}

base::Result<std::vector<ResultCache::Item>> ResultCache::list(bool verify) const try {
  std::vector<Item> items;
  std::map<std::pair<dev_t, ino_t>, std::size_t> by_file;  // a result found in two ways is one
  const auto paths = base::files_below(root_);
  if (!paths.has_value()) {
    return base::fail(cache_error(paths.error().code(), paths.error().message()));
  }
  for (const std::string& path : *paths) {
    const auto key = core::Digest::from_hex(std::string_view(path).substr(path.rfind('/') + 1));
    struct stat facts{};
    if (!key.has_value()) {
      continue;
    }
    if (::stat(path.c_str(), &facts) != 0) {
      if (errno == ENOENT) {
        continue;  // it went meanwhile
      }
      return base::fail(
          cache_error(ErrorCode::kUnavailable,
                      fmt::format("cannot look at '{}': {}", path, std::strerror(errno))));
    }
    if (!S_ISREG(facts.st_mode)) {
      continue;
    }
    const auto [place, is_new] =
        by_file.emplace(std::pair(facts.st_dev, facts.st_ino), items.size());
    if (!is_new) {
      items[place->second].other_keys.push_back(*key);
      continue;
    }
    PENSTOCK_ASSIGN_OR_RETURN(auto item, look_at(path, verify));
    if (!item) {
      by_file.erase(place);
      continue;
    }
    item->key = *key;
    item->size_bytes = facts.st_size;
    item->used_us = modified_us(facts);
    items.push_back(std::move(*item));
  }
  std::ranges::sort(items, [](const Item& a, const Item& b) {
    return a.used_us != b.used_us ? a.used_us > b.used_us : a.key < b.key;
  });
  return items;
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

base::Status ResultCache::remove(const Item& item) const try {
  std::vector<core::Digest> keys = item.other_keys;
  keys.push_back(item.key);
  for (const core::Digest& key : keys) {
    const std::string path = path_of(key);
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
      return base::fail(
          cache_error(ErrorCode::kUnavailable,
                      fmt::format("cannot remove '{}': {}", path, std::strerror(errno))));
    }
  }
  return {};
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

base::Result<ResultCache::Pruned> ResultCache::prune(const CacheLimits& limits) const try {
  PENSTOCK_ASSIGN_OR_RETURN(const std::vector<Item> items, list());
  const std::int64_t oldest = base::unix_us() - limits.max_age_days * kUsPerDay;
  Pruned out;
  for (const Item& item : items) {
    const bool stays = item.damage.empty() && item.used_us >= oldest &&
                       out.left_bytes + item.size_bytes <= limits.max_bytes;
    if (!stays) {
      PENSTOCK_RETURN_IF_ERROR(remove(item));
    }
    (stays ? out.left : out.removed) += 1;
    (stays ? out.left_bytes : out.removed_bytes) += item.size_bytes;
  }
  PENSTOCK_ASSIGN_OR_RETURN(const auto unfinished, base::files_below(root_ + "/tmp"));
  for (const std::string& path : unfinished) {
    struct stat facts{};
    if (::stat(path.c_str(), &facts) == 0 && modified_us(facts) < base::unix_us() - kUsPerDay) {
      ::unlink(path.c_str());  // what a killed process left behind
    }
  }
  return out;
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

void ResultCache::prune_if_due() try {
  const std::int64_t written = written_bytes_.exchange(0, std::memory_order_relaxed);
  if (written == 0) {
    return;
  }
  // What all processes have written since the last time is the length of a file they append to.
  const std::string counter = root_ + "/written", stamp = root_ + "/pruned";
  const std::int64_t unit = std::max<std::int64_t>(limits_.max_bytes / kCounterUnits, 1);
  const std::string units(
      static_cast<std::size_t>(std::min(written / unit + 1, kCounterUnits / kPrunesPerSize)), '.');
  struct stat counted{}, facts{};
  const int file = ::open(counter.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (file >= 0) {
    (void)!::write(file, units.data(), units.size());
    (void)::fstat(file, &counted);
    ::close(file);
  }
  const bool is_recent =
      ::stat(stamp.c_str(), &facts) == 0 && base::unix_us() - modified_us(facts) < kUsPerHour;
  if (is_recent && counted.st_size < kCounterUnits / kPrunesPerSize) {
    return;
  }
  for (const std::string& path : {counter, stamp}) {
    const int emptied = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (emptied >= 0) {
      ::close(emptied);
      touch(path);
    }
  }
  [[maybe_unused]] const auto pruned = prune(limits_);  // a failure is for the next run to mend
} catch (const std::bad_alloc&) {
  // A later run does it.
}

base::Result<std::shared_ptr<ResultCache>> open_cache_folder() try {
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
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

base::Result<std::shared_ptr<ResultCache>> open_user_cache() try {
  const char* const wish = std::getenv("PENSTOCK_CACHE");
  if (wish != nullptr && (std::string_view(wish) == "off" || std::string_view(wish) == "0")) {
    return std::shared_ptr<ResultCache>();
  }
  return open_cache_folder();
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

}  // namespace penstock::flow
