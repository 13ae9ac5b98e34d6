// A document as a tree with the place of every part: between YAML (or a dict) and a Spec.
//
// Owner thread only. Internal to the room.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "penstock/core/value.h"
#include "penstock/flow/spec.h"

namespace penstock::flow {

/// One node of a tree. Children of a map alternate key, value; keys are text scalars.
struct YamlNode {
  enum class Kind : std::uint8_t { kScalar, kMap, kList, kValue };
  Kind kind = Kind::kScalar;
  bool plain = true;        ///< scalar without quotes or block style: the core schema applies
  bool damaged = false;     ///< map: an entry with a refused key (reported) was left out
  std::int16_t height = 1;  ///< levels below and including this one, aliases expanded
  Mark mark;
  std::string_view text;               ///< scalar
  std::int32_t first = -1, next = -1;  ///< first child (kValue: index of the value), next sibling
  std::int32_t num_children = 0;
  std::int64_t weight = 1;  ///< nodes of the subtree, aliases expanded
};

/// Nodes and their text. Indices stay valid until clear().
class YamlTree {
 public:
  const YamlNode& operator[](std::int32_t index) const {
    return nodes_[static_cast<std::size_t>(index)];
  }
  std::int32_t add(YamlNode node);
  /// Appends `child` to `parent`, whose last child is `last` (-1: none), which becomes `child`.
  void append(std::int32_t parent, std::int32_t& last, std::int32_t child);
  void mark_damaged(std::int32_t map) { nodes_[static_cast<std::size_t>(map)].damaged = true; }
  /// Copies `text` into the tree.
  std::string_view keep(std::string_view text);
  /// A leaf or tree equal to `value`, without places. Maps and lists become nodes.
  std::int32_t add_value(const core::Value& value);
  void clear();

  /// The node as a Value.
  core::Value to_value(std::int32_t index) const;
  /// True when the node's value is text.
  bool is_text(std::int32_t index) const;
  bool is_null(std::int32_t index) const;
  /// "a map", "a list", "int": what a message says was seen.
  std::string_view describe(std::int32_t index) const;

 private:
  std::vector<YamlNode> nodes_;
  std::vector<core::Value> values_;
  std::vector<std::unique_ptr<char[]>> blocks_;  ///< text of scalars
  std::size_t block_used_ = 0, block_size_ = 0;
};

}  // namespace penstock::flow
