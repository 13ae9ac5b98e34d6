// `depends`: a reference, or a list of references and of one-key maps slot -> reference.
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "penstock/flow/spec_reader.h"

namespace penstock::flow {
namespace {

using Kind = YamlNode::Kind;

}  // namespace

std::string SpecReader::Owner::text() const {
  return fmt::format("{} '{}'", kind, id);
}

bool SpecReader::read_reference(const YamlTree& tree, std::int32_t value, Owner owner,
                                Dependency& out) {
  const YamlNode& node = tree[value];
  if (!tree.is_text(value)) {
    wrong_kind(tree, value, fmt::format("depends of {}", owner.text()), "'node.signal'");
    return false;
  }
  const std::size_t dot = node.text.find('.');
  const std::string_view producer = node.text.substr(0, dot);
  const std::string_view signal =
      dot == std::string_view::npos ? std::string_view() : node.text.substr(dot + 1);
  if (!is_identifier(producer) || !is_identifier(signal)) {
    std::string help;
    if (dot == std::string_view::npos && is_identifier(producer)) {
      help = fmt::format("name the signal too: '{}.value'", producer);
    }
    problems_.add(
        node.mark, "PS0016",
        fmt::format("'{}' in depends of {} is not 'node.signal'", node.text, owner.text()),
        std::move(help));
    return false;
  }
  out.node = producer;
  out.signal = signal;
  out.mark = node.mark;
  return true;
}

void SpecReader::read_dependency(const YamlTree& tree, std::int32_t item, NodeSpec& node,
                                 DependsState& state) {
  const Owner owner{.kind = "node", .id = node.id};
  const YamlNode& entry = tree[item];
  Dependency made;
  if (entry.kind == Kind::kMap) {
    if (entry.damaged) {
      return;
    }
    if (entry.num_children != 2) {
      problems_.add(entry.mark, "PS0017",
                    fmt::format("an entry in depends of {} has {} keys, wanted one", owner.text(),
                                entry.num_children / 2),
                    "give each 'slot: node.signal' a '-' of its own");
      return;
    }
    const std::int32_t reference = tree[entry.first].next;
    const std::string_view slot = tree[entry.first].text;
    const Mark mark = tree[entry.first].mark;
    const bool valid = check_id(slot, mark, "slot");
    if (!read_reference(tree, reference, owner, made) || !valid) {
      return;
    }
    if (!state.slots.insert(slot).second) {
      problems_.add(mark, "PS0104",
                    fmt::format("duplicate slot '{}' in depends of {}", slot, owner.text()),
                    "a slot takes one signal");
      return;
    }
    made.slot = slot;
    made.slot_mark = mark;
  } else {
    if (!read_reference(tree, item, owner, made)) {
      return;
    }
    made.slot_mark = made.mark;
    made.position = state.num_positional++;
  }
  node.depends.push_back(std::move(made));
}

void SpecReader::read_depends(const YamlTree& tree, std::int32_t value, NodeSpec& node) {
  const YamlNode& depends = tree[value];
  if (tree.is_null(value)) {
    return;
  }
  if (depends.kind == Kind::kMap) {
    problems_.add(depends.mark, "PS0017",
                  fmt::format("depends of node '{}' is a map, wanted a list", node.id),
                  "write each entry as '- slot: node.signal'");
    return;
  }
  if (depends.kind != Kind::kList) {
    Dependency made;
    if (read_reference(tree, value, {.kind = "node", .id = node.id}, made)) {
      node.depends_form = DependsForm::kScalar;
      made.position = 0;
      made.slot_mark = made.mark;
      node.depends.push_back(std::move(made));
    }
    return;
  }
  bool positional = false;
  bool keyword = false;
  DependsState state;
  node.depends.reserve(static_cast<std::size_t>(depends.num_children));
  for (std::int32_t item = depends.first; item >= 0; item = tree[item].next) {
    (tree[item].kind == Kind::kMap ? keyword : positional) = true;
    read_dependency(tree, item, node, state);
  }
  if (positional || keyword) {
    node.depends_form = positional && keyword ? DependsForm::kMixed
                        : positional          ? DependsForm::kPositional
                                              : DependsForm::kKeyword;
  }
}

}  // namespace penstock::flow
