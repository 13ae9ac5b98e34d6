// See reuse_history.h.
#include "penstock/flow/reuse_history.h"

#include <algorithm>

#include <fmt/format.h>

namespace penstock::flow {
namespace {

/// Digests are compared, not read.
bool is_digest(std::string_view text) {
  return (text.size() == 64 || text.size() == 32) &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

const core::Part* find_part(std::span<const core::Part> parts, std::string_view name) {
  const auto at = std::ranges::find(parts, name, &core::Part::name);
  return at == parts.end() ? nullptr : &*at;
}

std::string with_value(const core::Part& part, std::string_view what) {
  return is_digest(part.value) ? fmt::format("{} {}", part.name, what)
                               : fmt::format("{} {}: {}", part.name, what, part.value);
}

}  // namespace

const ReuseRecord* find_call(const RunRecord& run, std::string_view node,
                             std::span<const std::int64_t> path) {
  const auto at = std::ranges::find_if(run.reuse, [&](const ReuseRecord& call) {
    return call.node == node && std::ranges::equal(call.path, path);
  });
  return at == run.reuse.end() ? nullptr : &*at;
}

std::vector<std::string> differences(std::span<const core::Part> before,
                                     std::span<const core::Part> now) {
  std::vector<std::string> out;
  for (const core::Part& part : now) {
    const core::Part* const old = find_part(before, part.name);
    if (old == nullptr) {
      out.push_back(with_value(part, "added"));
    } else if (old->value != part.value) {
      const bool shown = !is_digest(old->value) && !is_digest(part.value);
      out.push_back(shown ? fmt::format("{}: {} -> {}", part.name, old->value, part.value)
                          : fmt::format("{} changed", part.name));
    }
  }
  for (const core::Part& part : before) {
    if (find_part(now, part.name) == nullptr) {
      out.push_back(with_value(part, "removed"));
    }
  }
  return out;
}

std::vector<std::string> reasons(std::span<const RunRecord> runs, std::string_view node,
                                 std::span<const std::int64_t> path,
                                 std::span<const core::Part> now) {
  for (const RunRecord& run : runs) {
    if (const ReuseRecord* const call = find_call(run, node, path)) {
      auto out = differences(call->parts, now);
      if (out.empty()) {
        out.emplace_back("its kept result is gone");
      }
      return out;
    }
  }
  return {"no run is recorded that made this call"};
}

}  // namespace penstock::flow
