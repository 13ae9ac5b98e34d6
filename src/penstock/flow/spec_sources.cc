#include "penstock/flow/spec_sources.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "penstock/base/folder.h"
#include "penstock/base/out_of_memory.h"
#include "penstock/core/operator.h"

namespace penstock::flow {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFiles = 100'000;
constexpr int kMaxHeadLines = 200;

/// The text after "noob_id:" in a line, without quotes and comment; empty when it is not that.
std::string id_of_line(std::string_view line) {
  constexpr std::string_view kKey = "noob_id:";
  if (!line.starts_with(kKey)) {
    return {};
  }
  line.remove_prefix(kKey.size());
  if (const std::size_t comment = line.find(" #"); comment != std::string_view::npos) {
    line = line.substr(0, comment);
  }
  const auto is_edge = [](char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '"' || c == '\'';
  };
  while (!line.empty() && is_edge(line.front())) {
    line.remove_prefix(1);
  }
  while (!line.empty() && is_edge(line.back())) {
    line.remove_suffix(1);
  }
  return std::string(line);
}

std::string id_of_file(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  for (int i = 0; i < kMaxHeadLines && std::getline(file, line); ++i) {
    if (std::string id = id_of_line(line); !id.empty()) {
      return id;
    }
  }
  return {};
}

/// `folder` for a message: without the name of the user's home.
std::string shown(const std::string& folder) {
  const char* const home = std::getenv("HOME");
  return home != nullptr && *home != '\0' && folder.starts_with(std::string(home) + "/")
             ? "~" + folder.substr(std::string_view(home).size())
             : folder;
}

/// Files of tubes under `folder` with their ids, by path.
std::vector<std::pair<std::string, std::string>> scan(const std::string& folder) {
  std::vector<std::pair<std::string, std::string>> found;
  auto files = base::files_below(folder, true);
  if (!files.has_value()) {
    base::rethrow_out_of_memory(files.error());
    return found;
  }
  for (std::string& path : *files) {
    std::error_code ignored;
    if (!is_tube_file(path) || !fs::is_regular_file(path, ignored)) {
      continue;
    }
    if (std::string id = id_of_file(path); !id.empty()) {
      found.emplace_back(std::move(id), std::move(path));
    }
    if (found.size() >= kMaxFiles) {
      break;
    }
  }
  std::ranges::sort(found);
  return found;
}

std::string user_folder() {
  if (const char* home = std::getenv("XDG_CONFIG_HOME"); home != nullptr && *home != '\0') {
    return (fs::path(home) / "penstock").string();
  }
  const char* home = std::getenv("HOME");
  return home == nullptr ? std::string() : (fs::path(home) / ".config" / "penstock").string();
}

}  // namespace

bool is_tube_file(std::string_view name) {
  return name.ends_with(".yaml") || name.ends_with(".yml");
}

SpecSources& SpecSources::instance() {
  static SpecSources sources;
  return sources;
}

void SpecSources::add(std::string folder) {
  const std::lock_guard lock(mutex_);
  std::erase(added_, folder);
  added_.insert(added_.begin(), std::move(folder));
}

std::vector<std::string> SpecSources::folders() const {
  std::vector<std::string> out;
  {
    const std::lock_guard lock(mutex_);
    out = added_;
  }
  if (std::string user = user_folder(); !user.empty()) {
    out.push_back(std::move(user));
  }
  return out;
}

base::Result<std::string> SpecSources::find(std::string_view id) const {
  std::vector<std::string> ids;
  const std::vector<std::string> all = folders();
  for (const std::string& folder : all) {
    const auto found = scan(folder);
    const auto same = std::ranges::equal_range(
        found, id, {}, [](const auto& entry) { return std::string_view(entry.first); });
    if (same.size() > 1) {
      return base::fail(base::Error(base::ErrorCode::kInvalidArgument,
                                    fmt::format("two files have the noob_id '{}': {} and {}", id,
                                                same[0].second, same[1].second))
                            .with_id("PS0121"));
    }
    if (!same.empty()) {
      return same[0].second;
    }
    for (const auto& [other, path] : found) {
      ids.push_back(other);
    }
  }
  std::vector<std::string> looked_in;
  std::ranges::transform(all, std::back_inserter(looked_in), shown);
  const std::string nearest = core::nearest_name(id, ids);
  return base::fail(
      base::Error(
          base::ErrorCode::kNotFound,
          fmt::format("no tube has the noob_id '{}'; looked in: {}", id,
                      all.empty() ? "no folder" : fmt::format("{}", fmt::join(looked_in, ", "))))
          .with_id("PS0115")
          .with_help(nearest.empty() ? "name a file, or a folder with add_config_source()"
                                     : fmt::format("did you mean '{}'?", nearest)));
}

}  // namespace penstock::flow
