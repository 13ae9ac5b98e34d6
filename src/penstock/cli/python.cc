// See python.h.
#include "penstock/cli/python.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>
#include <vector>

#include <fmt/format.h>

#include "penstock/base/folder.h"
#include "penstock/cli/hello.h"
#include "penstock/flow/packs.h"

namespace penstock::cli {
namespace {

namespace fs = std::filesystem;

// Set for the Python we start: if that Python in turn finds no extension, it must not start us.
constexpr const char* kHandedOver = "PENSTOCK_HANDED_OVER";

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// True when <prefix of python>/lib/python*/{site,dist}-packages has a penstock package. Looking is
/// a hundred times cheaper than starting the interpreter to ask it.
bool has_penstock(const fs::path& python) {
  std::error_code failed;
  if (!fs::exists(python, failed) || access(python.c_str(), X_OK) != 0) {
    return false;
  }
  const fs::path prefix = python.parent_path().parent_path();
  for (const char* lib : {"lib", "lib64", "local/lib"}) {
    const auto entries = base::list_folder((prefix / lib).string());
    for (std::size_t i = 0; entries.has_value() && i < entries->size(); ++i) {
      const base::FolderEntry& entry = (*entries)[i];
      if (!entry.name.starts_with("python3")) {
        continue;
      }
      for (const char* packages : {"site-packages", "dist-packages"}) {
        std::error_code ignored;
        if (fs::exists(fs::path(entry.path) / packages / "penstock" / "__init__.py", ignored)) {
          return true;
        }
      }
    }
  }
  return false;
}

fs::path own_folder() {
  std::error_code failed;
  const fs::path self = fs::read_symlink("/proc/self/exe", failed);
  return failed ? fs::path() : self.parent_path();
}

int become_python(flow::Diagnostic problem, const std::string& what, Session& session) {
  problem.id = "PS0904";
  const std::string python = find_python();
  if (python.empty() || !environment(kHandedOver).empty()) {
    problem.message = what + ", and no Python that has penstock was found";
    problem.help = "activate the environment penstock is installed in, or set PENSTOCK_PYTHON";
    session.terminal.error(problem);
    return kFailed;
  }
  setenv(kHandedOver, "1", 1);
  std::vector<std::string> words{python, "-m", "penstock"};
  words.insert(words.end(), session.args.begin(), session.args.end());
  std::vector<char*> argv;
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  execv(python.c_str(), argv.data());
  problem.message = fmt::format("cannot start {}: {}", python, std::strerror(errno));
  session.terminal.error(problem);
  return kFailed;
}

/// The first part of a tube, those nested in it included, that only Python can make.
std::optional<flow::Diagnostic> first_python_part(const flow::Spec& spec) {
  const auto node = std::ranges::find_if(spec.nodes, is_python_node);
  if (node != spec.nodes.end()) {
    return flow::diagnose(spec, node->type_mark, "PS0904",
                          fmt::format("node '{}' is the Python type '{}'", node->id, node->type));
  }
  if (!spec.assets.empty()) {
    const flow::AssetSpec& asset = spec.assets.front();
    return flow::diagnose(spec, asset.mark, "PS0904",
                          fmt::format("asset '{}' is the Python type '{}'", asset.id, asset.type));
  }
  for (const flow::NodeSpec& outer : spec.nodes) {
    if (outer.tube != nullptr) {
      if (auto part = first_python_part(*outer.tube)) {
        return part;
      }
    }
  }
  return std::nullopt;
}

}  // namespace

bool is_pipeline_file(std::string_view path) {
  return path.ends_with(".py");
}

bool is_python_node(const flow::NodeSpec& node) {
  const std::string& type = node.type;
  if (type == "map" || type == "gather" || type == "return" || type == "tube" || type.empty() ||
      type == "?") {
    return false;
  }
  return !flow::is_pack_type(type) && hello_registry().find(type) == nullptr;
}

bool has_python_parts(const flow::Spec& spec) {
  return first_python_part(spec).has_value();
}

std::string find_python() {
  if (const std::string chosen = environment("PENSTOCK_PYTHON"); !chosen.empty()) {
    return chosen;
  }
  std::vector<fs::path> candidates;
  if (const fs::path folder = own_folder(); !folder.empty()) {
    candidates.push_back(folder / "python3");
    candidates.push_back(folder / "python");
  }
  if (const std::string active = environment("VIRTUAL_ENV"); !active.empty()) {
    candidates.push_back(fs::path(active) / "bin" / "python");
  }
  const std::string path = environment("PATH");
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find(':', begin), path.size());
    candidates.push_back(fs::path(path.substr(begin, end - begin)) / "python3");
    begin = end + 1;
  }
  const auto found = std::ranges::find_if(candidates, has_penstock);
  return found == candidates.end() ? std::string() : found->string();
}

int hand_over(const flow::Spec& spec, Session& session) {
  flow::Diagnostic problem = first_python_part(spec).value_or(flow::Diagnostic{});
  const std::string what = problem.message;
  return become_python(std::move(problem), what, session);
}

int hand_over(const std::string& path, Session& session) {
  flow::Diagnostic problem;
  problem.location = {.file = path};
  return become_python(std::move(problem), fmt::format("'{}' is a Python file", path), session);
}

int hand_over(Session& session) {
  return become_python({}, "this command looks at Python", session);
}

}  // namespace penstock::cli
