// See spec_reader.h. `depends` is in spec_depends.cc, the top level in spec_yaml.cc.
#include "penstock/flow/spec_reader.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "penstock/core/operator.h"
#include "penstock/flow/id_index.h"
#include "penstock/flow/policy.h"
#include "penstock/flow/spec_keys.h"

namespace penstock::flow {
namespace {

using Kind = YamlNode::Kind;

constexpr auto kTopNames = [] {
  std::array<std::string_view, kTopKeys.size() + 1> out{};
  std::ranges::copy(names_of(kTopKeys), out.begin());
  out.back() = kReportKey.name;
  return out;
}();
constexpr auto kNodeNames = names_of(kNodeKeys);
constexpr auto kInputNames = names_of(kInputKeys);
constexpr auto kAssetNames = names_of(kAssetKeys);
constexpr std::size_t kNearestLimit = 40;  // longer names get no guess

bool is_name_character(char c, bool first) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (!first && c >= '0' && c <= '9');
}

std::string nearest(std::string_view name, std::span<const std::string_view> known) {
  if (name.size() > kNearestLimit) {
    return {};
  }
  const std::vector<std::string> candidates(known.begin(), known.end());
  return core::nearest_name(name, candidates);
}

std::string_view scope_name(Scope scope) {
  constexpr std::array<std::string_view, 4> kNames{"tube", "process", "runner", "node"};
  return kNames[static_cast<std::size_t>(scope)];
}

/// Texts that pydantic, and so every noob file, takes for a bool.
std::optional<bool> bool_of_text(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  constexpr std::array<std::string_view, 6> kTrue{"true", "yes", "on", "y", "t", "1"};
  constexpr std::array<std::string_view, 6> kFalse{"false", "no", "off", "n", "f", "0"};
  if (std::ranges::find(kTrue, lower) != kTrue.end()) {
    return true;
  }
  if (std::ranges::find(kFalse, lower) != kFalse.end()) {
    return false;
  }
  return std::nullopt;
}

/// "1.5s", "200ms", "5m" or a number of seconds, in milliseconds; none when malformed.
std::optional<std::int64_t> milliseconds_of(const core::Value& value) {
  double amount = 0;
  double scale = 1000;
  if (value.is(core::Kind::kInt)) {
    amount = static_cast<double>(value.as_int());
  } else if (value.is(core::Kind::kFloat)) {
    amount = value.as_float();
  } else if (value.is(core::Kind::kText)) {
    const std::string& text = value.as_text();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), amount);
    const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
    const bool known = unit == "s" || unit == "ms" || unit == "m" || unit == "h";
    if (error != std::errc() || !known) {
      return std::nullopt;
    }
    scale = unit == "ms" ? 1 : unit == "s" ? 1000 : unit == "m" ? 60'000 : 3'600'000;
  } else {
    return std::nullopt;
  }
  amount *= scale;
  if (!(amount > 0) || amount > 1e15) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(std::ceil(amount));
}

}  // namespace

bool is_identifier(std::string_view text) {
  if (text.empty() || !is_name_character(text.front(), true)) {
    return false;
  }
  return std::ranges::all_of(text, [](char c) { return is_name_character(c, false); });
}

void SpecReader::unknown_key(std::string_view key, Mark mark, std::string_view where,
                             std::span<const std::string_view> known) {
  const std::string guess = nearest(key, known);
  problems_.add(mark, "PS0013", fmt::format("unknown key '{}' in {}", key, where),
                guess.empty() ? fmt::format("known keys: {}", fmt::join(known, ", "))
                              : fmt::format("did you mean '{}'?", guess));
}

void SpecReader::wrong_kind(const YamlTree& tree, std::int32_t value, const std::string& what,
                            std::string_view wanted, std::string help) {
  problems_.add(tree[value].mark, "PS0014",
                fmt::format("{} is {}, wanted {}", what, tree.describe(value), wanted),
                std::move(help));
}

bool SpecReader::check_id(std::string_view id, Mark mark, std::string_view what) {
  if (!is_identifier(id)) {
    problems_.add(mark, "PS0015", fmt::format("{} '{}' is not an identifier", what, id),
                  "use letters, digits and '_', not starting with a digit");
    return false;
  }
  if (std::ranges::find(kReservedIds, id) != kReservedIds.end()) {
    problems_.add(mark, "PS0015", fmt::format("{} '{}' is a reserved name", what, id),
                  fmt::format("reserved names: {}", fmt::join(kReservedIds, ", ")));
    return false;
  }
  return true;
}

bool SpecReader::check_own_id(const YamlTree& tree, std::int32_t value, std::string_view key,
                              const std::string& owner) {
  const std::string id = read_text(tree, value, "id of " + owner, false);
  if (!id.empty() && id != key) {
    problems_.add(tree[value].mark, "PS0015",
                  fmt::format("id of {} is '{}', wanted its key '{}'", owner, id, key),
                  "remove the key 'id'");
    return false;
  }
  return true;
}

std::string SpecReader::read_text(const YamlTree& tree, std::int32_t value, const std::string& what,
                                  bool null_allowed) {
  if (tree.is_text(value)) {
    return std::string(tree[value].text);
  }
  if (!(null_allowed && tree.is_null(value))) {
    const bool scalar = tree[value].kind == Kind::kScalar && !tree[value].text.empty();
    wrong_kind(tree, value, what, "text",
               scalar ? fmt::format("put it in quotes: \"{}\"", tree[value].text) : "");
  }
  return {};
}

std::string SpecReader::read_type(const YamlTree& tree, std::int32_t value, Owner owner) {
  if (!tree.is_text(value)) {
    return read_text(tree, value, "type of " + owner.text(), false);
  }
  std::string type(tree[value].text);
  bool valid = !type.empty();
  for (std::size_t begin = 0; valid && begin <= type.size();) {
    const std::size_t dot = std::min(type.find('.', begin), type.size());
    valid = is_identifier(std::string_view(type).substr(begin, dot - begin));
    begin = dot + 1;
  }
  if (!valid) {
    problems_.add(
        tree[value].mark, "PS0025",
        fmt::format("type of {} is '{}', wanted a name such as 'pkg.mod.function'", owner.text(),
                    type),
        "relative names and other characters than letters, digits, '_' and '.' are refused");
  }
  return type;
}

std::optional<bool> SpecReader::read_bool(const YamlTree& tree, std::int32_t value,
                                          const std::string& what) {
  const core::Value seen = tree[value].kind == Kind::kMap || tree[value].kind == Kind::kList
                               ? core::Value()
                               : tree.to_value(value);
  if (seen.is(core::Kind::kBool)) {
    return seen.as_bool();
  }
  if (seen.is(core::Kind::kInt) && (seen.as_int() == 0 || seen.as_int() == 1)) {
    return seen.as_int() == 1;
  }
  if (seen.is(core::Kind::kFloat) && (seen.as_float() == 0 || seen.as_float() == 1)) {
    return seen.as_float() == 1;
  }
  if (seen.is(core::Kind::kText)) {
    if (const auto known = bool_of_text(seen.as_text())) {
      return known;
    }
    problems_.add(tree[value].mark, "PS0014",
                  fmt::format("{} is '{}', wanted true or false", what, seen.as_text()));
    return std::nullopt;
  }
  wrong_kind(tree, value, what, "true or false");
  return std::nullopt;
}

std::optional<Scope> SpecReader::read_scope(const YamlTree& tree, std::int32_t value,
                                            const std::string& owner,
                                            std::span<const Scope> allowed) {
  const std::string seen = read_text(tree, value, "scope of " + owner, false);
  if (seen.empty() && !tree.is_text(value)) {
    return std::nullopt;
  }
  std::vector<std::string_view> names;
  for (const Scope scope : allowed) {
    names.push_back(scope_name(scope));
    if (seen == names.back()) {
      return scope;
    }
  }
  const std::string guess = nearest(seen, names);
  problems_.add(
      tree[value].mark, "PS0023",
      fmt::format("scope of {} is '{}', wanted one of: {}", owner, seen, fmt::join(names, ", ")),
      guess.empty() ? "" : fmt::format("did you mean '{}'?", guess));
  return std::nullopt;
}

void SpecReader::read_enabled(const YamlTree& tree, std::int32_t value, NodeSpec& node) {
  node.enabled_given = true;
  constexpr std::string_view kPrefix = "input.";
  if (tree.is_text(value) && !bool_of_text(tree[value].text)) {
    const std::string_view seen = tree[value].text;
    if (seen.starts_with(kPrefix) && is_identifier(seen.substr(kPrefix.size()))) {
      node.enabled_input = seen.substr(kPrefix.size());
      return;
    }
    problems_.add(tree[value].mark, "PS0021",
                  fmt::format("enabled of node '{}' is '{}', wanted true, false or input.<name>",
                              node.id, seen));
    return;
  }
  node.enabled =
      read_bool(tree, value, fmt::format("enabled of node '{}'", node.id)).value_or(true);
}

void SpecReader::read_params(const YamlTree& tree, std::int32_t value, const std::string& owner,
                             bool list_allowed, std::vector<ParameterValue>& out) {
  const YamlNode& params = tree[value];
  if (params.kind == Kind::kList && list_allowed) {
    for (std::int32_t item = params.first; item >= 0; item = tree[item].next) {
      out.push_back({.name = {}, .value = tree.to_value(item), .mark = tree[item].mark});
    }
    return;
  }
  if (params.kind != Kind::kMap) {
    if (!tree.is_null(value)) {
      wrong_kind(tree, value, "params of " + owner, "a map of names to values");
    }
    return;
  }
  out.reserve(static_cast<std::size_t>(params.num_children) / 2);
  for (std::int32_t key = params.first; key >= 0;) {
    const std::int32_t member = tree[key].next;
    out.push_back({.name = std::string(tree[key].text),
                   .value = tree.to_value(member),
                   .mark = tree[key].mark});
    key = tree[member].next;
  }
}

namespace {

/// Where in the tree of a policy's value a problem of it is.
Mark find_mark(const YamlTree& tree, std::int32_t value, const PolicyProblem& problem) {
  std::int32_t at = value;
  if (!problem.key.empty() && tree[value].kind == Kind::kMap) {
    for (std::int32_t key = tree[value].first; key >= 0; key = tree[tree[key].next].next) {
      if (tree[key].text == problem.key) {
        if (problem.is_key) {
          return tree[key].mark;
        }
        at = tree[key].next;
        break;
      }
    }
  }
  if (problem.item >= 0 && tree[at].kind == Kind::kList) {
    std::int32_t item = tree[at].first;
    for (std::int32_t i = 0; i < problem.item; ++i) {
      item = tree[item].next;
    }
    at = item;
  }
  return tree[at].mark;
}

}  // namespace

bool SpecReader::read_timeout(const YamlTree& tree, const Field& field, const std::string& what,
                              NodeSpec& node) {
  const core::Value seen = tree.to_value(field.value);
  if (!node.policy.timeout_ms.is_absent()) {
    problems_.add(tree[field.value].mark, "PS0022",
                  fmt::format("node '{}' has both timeout and timeout_ms", node.id),
                  "they say the same; keep one");
    return false;
  }
  if (field.name == "timeout_ms") {
    const bool valid = seen.is(core::Kind::kInt) && seen.as_int() > 0;
    if (valid) {
      node.policy.timeout_ms = seen;
    } else {
      problems_.add(tree[field.value].mark, "PS0022", what + " wants an int above 0");
    }
    return valid;
  }
  if (const auto timeout_ms = milliseconds_of(seen)) {
    node.policy.timeout_ms = core::Value::integer(*timeout_ms);
    return true;
  }
  problems_.add(tree[field.value].mark, "PS0022",
                what + " wants seconds, or a text such as '500ms', '30s', '5m'");
  return false;
}

void SpecReader::read_policy(const YamlTree& tree, const Field& field, NodeSpec& node) {
  const std::string what = fmt::format("{} of node '{}'", field.name, node.id);
  if (field.name == "timeout" || field.name == "timeout_ms") {
    read_timeout(tree, field, what, node);
    return;
  }
  core::Value seen = tree.to_value(field.value);
  if (field.name == "cache") {
    if (seen.is(core::Kind::kBool)) {
      node.policy.cache = std::move(seen);
    } else {
      problems_.add(
          tree[field.value].mark, "PS0022",
          fmt::format("{} is {}, wanted true or false", what, tree.describe(field.value)));
    }
    return;
  }
  const PolicyProblems problems = check_policy(field.name, seen);
  for (const PolicyProblem& problem : problems) {
    problems_.add(find_mark(tree, field.value, problem), problem.id,
                  fmt::format("node '{}': {}", node.id, problem.message), problem.help);
  }
  if (problems.empty()) {
    (field.name == "retry"       ? node.policy.retry
     : field.name == "resources" ? node.policy.resources
                                 : node.policy.where) = std::move(seen);
  }
}

void SpecReader::read_node_field(const YamlTree& tree, const Field& field, NodeSpec& node) {
  const auto owner = [&node] { return fmt::format("node '{}'", node.id); };
  const std::string_view name = field.name;
  if (name == "type") {
    node.type = read_type(tree, field.value, {.kind = "node", .id = node.id});
    node.type_mark = tree[field.value].mark;
  } else if (name == "depends") {
    read_depends(tree, field.value, node);
  } else if (name == "params") {
    read_params(tree, field.value, owner(), false, node.params);
  } else if (name == "enabled") {
    read_enabled(tree, field.value, node);
  } else if (name == "stateful") {
    if (!tree.is_null(field.value)) {
      node.stateful = read_bool(tree, field.value, "stateful of " + owner());
    }
  } else if (name == "description") {
    node.description = read_text(tree, field.value, "description of " + owner());
  } else if (name == "id") {
    check_own_id(tree, field.value, node.id, owner());
  } else if (name == "retry" || name == "timeout" || name == "timeout_ms" || name == "resources" ||
             name == "cache" || name == "where") {
    read_policy(tree, field, node);
  } else if (name != "nodeinfo") {  // noob writes it when it dumps a tube and drops it on load
    unknown_key(name, field.mark, owner(), kNodeNames);
  }
}

void SpecReader::read_node(const YamlTree& tree, std::string_view id, Mark mark,
                           std::int32_t value) {
  check_id(id, mark, "node id");
  NodeSpec& node = spec_.nodes.emplace_back();
  node.id = id;
  node.mark = mark;
  const YamlNode& body = tree[value];
  if (body.kind != Kind::kMap) {
    wrong_kind(tree, value, fmt::format("node '{}'", id), "a map with the key 'type'");
    node.type = "?";  // reported already
    return;
  }
  for (std::int32_t key = body.first; key >= 0;) {
    const std::int32_t member = tree[key].next;
    read_node_field(tree, {.name = tree[key].text, .mark = tree[key].mark, .value = member}, node);
    key = tree[member].next;
  }
}

template <class Take>
void SpecReader::each_entry(const YamlTree& tree, std::int32_t value, const std::string& what,
                            Take take) {
  if (tree[value].kind != Kind::kMap) {
    wrong_kind(tree, value, what, "a map of names",
               tree.is_null(value) ? fmt::format("write '{}: {{}}' for none", what) : "");
    return;
  }
  for (std::int32_t key = tree[value].first; key >= 0;) {
    const std::int32_t member = tree[key].next;
    take(tree[key].text, tree[key].mark, member);
    key = tree[member].next;
  }
}

void SpecReader::read_input(const YamlTree& tree, std::string_view id, Mark mark,
                            std::int32_t value) {
  check_id(id, mark, "input id");
  InputSpec& input = spec_.inputs.emplace_back();
  input.id = id;
  input.mark = mark;
  const std::string owner = fmt::format("input '{}'", id);
  if (tree[value].kind != Kind::kMap) {
    wrong_kind(tree, value, owner, "a map with the key 'type'");
    input.type_given = true;  // reported already
    return;
  }
  each_entry(tree, value, owner, [&](std::string_view name, Mark at, std::int32_t member) {
    if (name == "type") {
      input.type_given = true;
      input.type = read_text(tree, member, "type of " + owner, false);
    } else if (name == "scope") {
      constexpr std::array kScopes{Scope::kTube, Scope::kProcess};
      input.scope_given = true;
      input.scope = read_scope(tree, member, owner, kScopes).value_or(Scope::kTube);
    } else if (name == "required") {
      input.required_given = true;
      input.required = read_bool(tree, member, "required of " + owner).value_or(true);
    } else if (name == "default") {
      input.default_value = tree.to_value(member);
    } else if (name == "description") {
      input.description = read_text(tree, member, "description of " + owner);
    } else if (name == "id") {
      check_own_id(tree, member, id, owner);
    } else {
      unknown_key(name, at, owner, kInputNames);
    }
  });
}

void SpecReader::read_asset(const YamlTree& tree, std::string_view id, Mark mark,
                            std::int32_t value) {
  check_id(id, mark, "asset id");
  AssetSpec& asset = spec_.assets.emplace_back();
  asset.id = id;
  asset.mark = mark;
  const std::string owner = fmt::format("asset '{}'", id);
  if (tree[value].kind != Kind::kMap) {
    wrong_kind(tree, value, owner, "a map with the keys 'type' and 'scope'");
    asset.type_given = asset.scope_given = true;  // reported already
    return;
  }
  each_entry(tree, value, owner, [&](std::string_view name, Mark at, std::int32_t member) {
    if (name == "type") {
      asset.type_given = true;
      asset.type = read_type(tree, member, {.kind = "asset", .id = id});
    } else if (name == "scope") {
      constexpr std::array kScopes{Scope::kRunner, Scope::kProcess, Scope::kNode};
      asset.scope_given = true;
      asset.scope = read_scope(tree, member, owner, kScopes).value_or(Scope::kRunner);
    } else if (name == "params") {
      read_params(tree, member, owner, true, asset.params);
    } else if (name == "depends") {
      if (Dependency depends; !tree.is_null(member) &&
                              read_reference(tree, member, {.kind = "asset", .id = id}, depends)) {
        asset.depends = std::move(depends);
      }
    } else if (name == "description") {
      asset.description = read_text(tree, member, "description of " + owner);
    } else if (name == "id") {
      check_own_id(tree, member, id, owner);
    } else {
      unknown_key(name, at, owner, kAssetNames);
    }
  });
}

void SpecReader::read_header(const YamlTree& tree, std::string_view key, std::int32_t value) {
  if (key == "description") {
    spec_.description = read_text(tree, value, "description");
  } else if (key == "noob_version") {
    spec_.noob_version = read_text(tree, value, "noob_version");
  } else if (key == "noob_model") {
    spec_.noob_model = read_text(tree, value, "noob_model");
  } else {
    spec_.noob_id = read_text(tree, value, "noob_id");
    const bool valid = std::ranges::all_of(spec_.noob_id, [](char c) {
      return is_name_character(c, false) || c == '-' || c == '/' || c == '#';
    });
    if (!valid || (spec_.noob_id.empty() && tree.is_text(value))) {
      problems_.add(tree[value].mark, "PS0020",
                    fmt::format("noob_id '{}' is not an id", spec_.noob_id),
                    "use letters, digits, '_', '-', '/' and '#'");
    }
  }
}

void SpecReader::read_extends(const YamlTree& tree, std::int32_t value) {
  if (tree.is_null(value)) {
    return;
  }
  if (tree[value].kind != Kind::kList) {
    wrong_kind(tree, value, "extends", "a list of ids or paths",
               tree.is_text(value) ? fmt::format("write [{}]", tree[value].text) : "");
    return;
  }
  spec_.extends_mark = tree[value].mark;
  for (std::int32_t item = tree[value].first; item >= 0; item = tree[item].next) {
    spec_.extends.push_back(read_text(tree, item, "an entry of extends", false));
  }
}

bool SpecReader::claim_key(std::string_view key, Mark mark) {
  if (std::ranges::find(seen_keys_, key) != seen_keys_.end()) {
    problems_.add(mark, "PS0008", fmt::format("duplicate key '{}'", key), "keep one of the two");
    return false;
  }
  if (seen_keys_.size() < Problems::kMax) {
    seen_keys_.emplace_back(key);
  }
  return true;
}

void SpecReader::read_entry(const YamlTree& tree, std::string_view key, Mark mark,
                            std::int32_t value) {
  if (key == "nodes") {
    each_entry(tree, value, "nodes", [&](std::string_view id, Mark at, std::int32_t member) {
      read_node(tree, id, at, member);
    });
  } else if (key == "input") {
    each_entry(tree, value, "input", [&](std::string_view id, Mark at, std::int32_t member) {
      read_input(tree, id, at, member);
    });
  } else if (key == "assets") {
    each_entry(tree, value, "assets", [&](std::string_view id, Mark at, std::int32_t member) {
      read_asset(tree, id, at, member);
    });
  } else if (key == "extends") {
    read_extends(tree, value);
  } else if (key == "report") {
    spec_.report = tree.to_value(value);
  } else if (key.starts_with("noob_") && std::ranges::find(kTopNames, key) != kTopNames.end()) {
    read_header(tree, key, value);
  } else if (key == "description") {
    read_header(tree, key, value);
  } else {
    unknown_key(key, mark, "the tube", kTopNames);
  }
}

void SpecReader::refuse_duplicate_ids() {
  IdIndex ids;
  ids.reserve(spec_.nodes.size());
  for (std::size_t i = 0; i < spec_.nodes.size(); ++i) {
    const NodeSpec& node = spec_.nodes[i];
    const auto [first, is_new] = ids.insert(node.id, static_cast<std::int32_t>(i));
    if (!is_new) {
      problems_.add(node.mark, "PS0008", fmt::format("duplicate key '{}'", node.id),
                    fmt::format("the other node '{}' is at line {}", node.id,
                                spec_.nodes[static_cast<std::size_t>(first)].mark.line));
    }
  }
}

void SpecReader::merge_nodes(const YamlTree& tree, std::int32_t value) {
  if (tree[value].kind != Kind::kMap) {
    problems_.add(tree[value].mark, "PS0024", "'<<' wants a map or a list of maps",
                  "write '<<: *name', where '&name' marks a map");
    return;
  }
  std::unordered_set<std::string> ids;
  for (const NodeSpec& node : spec_.nodes) {
    ids.insert(node.id);
  }
  each_entry(tree, value, "nodes", [&](std::string_view id, Mark at, std::int32_t member) {
    if (ids.emplace(id).second) {
      read_node(tree, id, at, member);
    }
  });
}

void SpecReader::merge_top(const YamlTree& tree, std::int32_t value) {
  each_entry(tree, value, "'<<'", [&](std::string_view key, Mark at, std::int32_t member) {
    if (std::ranges::find(seen_keys_, key) == seen_keys_.end()) {
      read_entry(tree, key, at, member);
    }
  });
}

void SpecReader::finish() {
  refuse_duplicate_ids();
  if (!spec_.extends.empty()) {
    return;  // a node may give only what it changes
  }
  for (MissingPart& part : missing_parts(spec_)) {
    problems_.add(part.mark, part.id, std::move(part.message), std::move(part.help));
  }
}

std::vector<MissingPart> missing_parts(const Spec& spec) {
  std::vector<MissingPart> out;
  for (const InputSpec& input : spec.inputs) {
    if (!input.type_given) {
      out.push_back({input.mark, "PS0018", fmt::format("input '{}' has no 'type'", input.id),
                     "add 'type: any', or what it holds"});
    }
  }
  for (const AssetSpec& asset : spec.assets) {
    const std::string owner = fmt::format("asset '{}'", asset.id);
    if (!asset.type_given) {
      out.push_back({asset.mark, "PS0018", owner + " has no 'type'", "name a class or a function"});
    }
    if (!asset.scope_given) {
      out.push_back(
          {asset.mark, "PS0018", owner + " has no 'scope'", "wanted runner, process or node"});
    } else if (asset.depends && asset.scope != Scope::kRunner) {
      out.push_back(
          {asset.depends->mark, "PS0023", owner + " has 'depends', which wants scope runner", {}});
    }
  }
  for (const NodeSpec& node : spec.nodes) {
    if (node.type.empty() && node.type_mark.line == 0) {
      out.push_back({node.mark, "PS0018", fmt::format("node '{}' has no 'type'", node.id),
                     "add 'type: pkg.mod.function', an operator's name, or map, gather, return"});
    }
  }
  return out;
}

}  // namespace penstock::flow
