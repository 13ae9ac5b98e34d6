#include "penstock/flow/spec_link.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <system_error>
#include <unordered_set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "penstock/flow/spec_merge.h"
#include "penstock/flow/spec_reader.h"
#include "penstock/flow/spec_sources.h"
#include "penstock/flow/spec_yaml.h"

namespace penstock::flow {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxDepth = 32;
// Files that each name the next one twice would be read 2^32 times.
constexpr std::int32_t kMaxLoads = 10'000;

/// What identifies a file in a circle: its canonical path.
std::string key_of(const std::string& path) {
  std::error_code failed;
  const fs::path canonical = fs::weakly_canonical(path, failed);
  return failed ? path : canonical.string();
}

class Linker {
 public:
  explicit Linker(Diagnostics& out) : out_(out) {}

  void link(Spec& spec) {
    chain_.push_back(key_of(spec.file));
    extend(spec);
    for (std::size_t i = 0; i < spec.nodes.size(); ++i) {
      if (spec.nodes[i].type == "tube" && spec.nodes[i].tube == nullptr) {
        nest(spec, spec.nodes[i]);
      }
    }
    chain_.pop_back();
  }

 private:
  void extend(Spec& spec) {
    if (spec.extends.empty()) {
      return;
    }
    const std::vector<std::string> names = std::exchange(spec.extends, {});
    std::optional<Spec> base;
    bool whole = true;
    for (const std::string& name : names) {
      std::optional<Spec> next =
          load(spec, spec.extends_mark, name, fmt::format("extends '{}'", name));
      if (!next) {
        whole = false;
        continue;
      }
      base = base ? merge_specs(*std::move(base), *std::move(next)) : std::move(next);
    }
    if (base) {
      spec = merge_specs(*std::move(base), std::move(spec));
    }
    if (whole) {
      for (MissingPart& part : missing_parts(spec)) {
        out_.push_back(
            diagnose(spec, part.mark, part.id, std::move(part.message), std::move(part.help)));
      }
    }
  }

  void nest(const Spec& spec, NodeSpec& node) {
    const auto param = std::ranges::find(node.params, "tube", &ParameterValue::name);
    const std::string what = fmt::format("node '{}' of type tube", node.id);
    if (param == node.params.end()) {
      out_.push_back(diagnose(spec, node.type_mark, "PS0203", what + " has no parameter 'tube'",
                              "add to params: tube: a file, a noob_id or a tube"));
      return;
    }
    std::optional<Spec> child;
    if (param->value.is(core::Kind::kText)) {
      child = load(spec, param->mark, param->value.as_text(), what);
    } else if (param->value.is(core::Kind::kMap)) {
      auto made = spec_from_value(param->value, spec.file);
      if (made.has_value()) {
        child = std::move(*made);
        link_child(spec, param->mark, *child, what);
      } else {
        for (const Diagnostic& problem : made.error()) {
          out_.push_back(diagnose(spec, param->mark, problem.id,
                                  fmt::format("{}: {}", what, problem.message), problem.help));
        }
      }
    } else {
      out_.push_back(diagnose(spec, param->mark, "PS0204",
                              fmt::format("parameter 'tube' of node '{}' is {}, wanted a file, a "
                                          "noob_id or a tube",
                                          node.id, core::to_string(param->value.kind()))));
    }
    if (child) {
      node.tube = std::make_shared<const Spec>(*std::move(child));
    }
  }

  /// The linked tube that `name`, written at `mark` of `from`, stands for.
  std::optional<Spec> load(const Spec& from, Mark mark, const std::string& name,
                           const std::string& what) {
    const SpecSource& source = mark.source == 0
                                   ? SpecSource{from.file, from.source}
                                   : from.bases[static_cast<std::size_t>(mark.source) - 1];
    std::string path = name;
    if (is_tube_file(name)) {
      if (fs::path(name).is_relative()) {
        path = (fs::path(source.file).parent_path() / name).lexically_normal().string();
      }
    } else {
      auto found = SpecSources::instance().find(name);
      if (!found.has_value()) {
        out_.push_back(diagnose(from, mark, found.error().id(),
                                fmt::format("{}: {}", what, found.error().message()),
                                found.error().help()));
        return std::nullopt;
      }
      path = *std::move(found);
    }
    if (std::ranges::find(chain_, key_of(path)) != chain_.end()) {
      out_.push_back(diagnose(from, mark, "PS0117",
                              fmt::format("{}: the tubes form a circle: {}", what, circle(path))));
      return std::nullopt;
    }
    if (++num_loads_ > kMaxLoads) {
      if (num_loads_ == kMaxLoads + 1) {
        out_.push_back(diagnose(from, mark, "PS0117",
                                fmt::format("{}: the tube takes more than {} files in all, each "
                                            "counted as often as it is named",
                                            what, kMaxLoads)));
      }
      return std::nullopt;
    }
    // A pipe may never end, and nobody sees that it is waited for.
    std::error_code unknown;
    const fs::file_status status = fs::status(path, unknown);
    if (fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status)) {
      out_.push_back(
          diagnose(from, mark, "PS0115",
                   fmt::format("{}: '{}' is a pipe or a device, wanted a file", what, path)));
      return std::nullopt;
    }
    ParsedSpec parsed = load_spec_partly(path);
    if (!parsed.diagnostics.empty()) {
      if (parsed.diagnostics.front().id == "PS0004") {
        out_.push_back(diagnose(from, mark, "PS0115",
                                fmt::format("{}: {}", what, parsed.diagnostics.front().message),
                                parsed.diagnostics.front().help));
      } else {
        std::ranges::move(parsed.diagnostics, std::back_inserter(out_));
      }
      return std::nullopt;
    }
    return link_child(from, mark, parsed.spec, what) ? std::optional(std::move(parsed.spec))
                                                     : std::nullopt;
  }

  bool link_child(const Spec& from, Mark mark, Spec& child, const std::string& what) {
    if (chain_.size() >= kMaxDepth) {
      out_.push_back(diagnose(from, mark, "PS0117",
                              fmt::format("{}: nested deeper than {} tubes", what, kMaxDepth)));
      return false;
    }
    const std::size_t before = out_.size();
    link(child);
    return out_.size() == before;
  }

  std::string circle(const std::string& path) const {
    const auto first = std::ranges::find(chain_, key_of(path));
    std::string out;
    for (auto at = first; at != chain_.end(); ++at) {
      out += fs::path(*at).filename().string() + " -> ";
    }
    return out + fs::path(path).filename().string();
  }

  Diagnostics& out_;
  std::int32_t num_loads_ = 0;
  std::vector<std::string> chain_;  ///< the files that are being linked, outermost first
};

}  // namespace

bool needs_link(const Spec& spec) {
  return !spec.extends.empty() || std::ranges::any_of(spec.nodes, [](const NodeSpec& node) {
    return node.type == "tube" && node.tube == nullptr;
  });
}

Diagnostics link_spec(Spec& spec) {
  Diagnostics out;
  Linker(out).link(spec);
  // What is wrong with a file is told once, however often the file is named.
  std::unordered_set<std::string> seen;
  std::erase_if(
      out, [&](const Diagnostic& problem) { return !seen.insert(render(problem, false)).second; });
  return out;
}

}  // namespace penstock::flow
