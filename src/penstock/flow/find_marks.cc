// Places of parts of a tube that a Spec keeps as plain values, found in its text when asked for.
#include <cstdint>
#include <cstdlib>

#include "penstock/flow/spec_yaml.h"
#include "penstock/flow/yaml_problems.h"
#include "penstock/flow/yaml_reader.h"

namespace penstock::flow {
namespace {

/// The mark of `part` below a top-level entry; of the deepest part of the path that is there.
Mark mark_in(const YamlTree& tree, std::int32_t node, const PartPath& part, Mark key_mark) {
  Mark value_mark = tree[node].mark;
  for (std::size_t i = 1; i < part.path.size(); ++i) {
    const std::string& step = part.path[i];
    const bool is_map = tree[node].kind == YamlNode::Kind::kMap;
    const bool is_list = tree[node].kind == YamlNode::Kind::kList;
    std::int32_t child = is_map || is_list ? tree[node].first : -1;
    if (is_map) {
      while (child >= 0 && tree[child].text != step) {
        child = tree[tree[child].next].next;
      }
    } else {
      for (auto skip = std::strtoll(step.c_str(), nullptr, 10); child >= 0 && skip > 0; --skip) {
        child = tree[child].next;
      }
    }
    if (child < 0) {
      return value_mark;
    }
    key_mark = tree[child].mark;
    node = is_map ? tree[child].next : child;
    value_mark = tree[node].mark;
  }
  return part.at_key ? key_mark : value_mark;
}

}  // namespace

std::vector<Mark> find_marks(const Spec& spec, std::span<const PartPath> parts) {
  std::vector<Mark> out(parts.size());
  if (spec.source == nullptr) {
    return out;
  }
  Problems ignored(*spec.source, spec.file);
  YamlReader reader(*spec.source, ignored);
  if (!reader.open() || !reader.at_map()) {
    return out;
  }
  reader.enter_map();
  while (const auto key = reader.next_key()) {
    if (key->text == "nodes" && reader.at_open_map()) {  // may be a million: one at a time
      reader.enter_map();
      while (reader.next_key()) {
        reader.read();
        reader.release();
      }
      continue;
    }
    const std::string name(key->text);
    const std::int32_t value = reader.read();
    if (value < 0) {
      break;
    }
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (!parts[i].path.empty() && parts[i].path[0] == name) {
        out[i] = mark_in(reader.tree(), value, parts[i], key->mark);
      }
    }
  }
  return out;
}

}  // namespace penstock::flow
