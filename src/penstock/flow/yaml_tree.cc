// See yaml_tree.h.
#include "penstock/flow/yaml_tree.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "penstock/flow/yaml_scalar.h"

namespace penstock::flow {
namespace {

constexpr std::size_t kBlockBytes = 64 * 1024;

}  // namespace

std::string_view YamlTree::keep(std::string_view text) {
  if (text.empty()) {
    return {};
  }
  if (blocks_.empty() || block_used_ + text.size() > block_size_) {
    block_size_ = std::max(kBlockBytes, text.size());
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(block_size_));
    block_used_ = 0;
  }
  char* to = blocks_.back().get() + block_used_;
  std::memcpy(to, text.data(), text.size());
  block_used_ += text.size();
  return {to, text.size()};
}

std::int32_t YamlTree::add(YamlNode node) {
  nodes_.push_back(node);
  return static_cast<std::int32_t>(nodes_.size() - 1);
}

void YamlTree::append(std::int32_t parent, std::int32_t& last, std::int32_t child) {
  YamlNode& from = nodes_[static_cast<std::size_t>(parent)];
  const YamlNode& to = nodes_[static_cast<std::size_t>(child)];
  if (last < 0) {
    from.first = child;
  } else {
    nodes_[static_cast<std::size_t>(last)].next = child;
  }
  last = child;
  ++from.num_children;
  from.weight += to.weight;
  from.height = std::max(from.height, static_cast<std::int16_t>(to.height + 1));
}

std::int32_t YamlTree::add_value(const core::Value& value) {
  YamlNode made;
  if (value.is(core::Kind::kMap)) {
    made.kind = YamlNode::Kind::kMap;
    const std::int32_t map = add(made);
    std::int32_t last = -1;
    for (const auto& [name, member] : value.as_map()) {
      YamlNode key;
      key.plain = false;
      key.text = keep(name);
      append(map, last, add(key));
      append(map, last, add_value(member));
    }
    return map;
  }
  if (value.is(core::Kind::kList) || value.is(core::Kind::kTuple)) {
    made.kind = YamlNode::Kind::kList;
    const std::int32_t list = add(made);
    std::int32_t last = -1;
    for (const core::Value& item : value.as_list()) {
      append(list, last, add_value(item));
    }
    return list;
  }
  if (value.is(core::Kind::kText)) {
    made.plain = false;
    made.text = keep(value.as_text());
    return add(made);
  }
  made.kind = YamlNode::Kind::kValue;
  made.first = static_cast<std::int32_t>(values_.size());
  values_.push_back(value);
  return add(made);
}

void YamlTree::clear() {
  nodes_.clear();
  values_.clear();
  if (blocks_.size() > 1) {
    std::swap(blocks_.front(), blocks_.back());  // block_size_ is that of the last one
    blocks_.resize(1);
  }
  block_used_ = 0;
}

core::Value YamlTree::to_value(std::int32_t index) const {
  const YamlNode& from = (*this)[index];
  switch (from.kind) {
    case YamlNode::Kind::kScalar:
      return from.plain ? resolve_plain_scalar(from.text)
                        : core::Value::text(std::string(from.text));
    case YamlNode::Kind::kValue:
      return values_[static_cast<std::size_t>(from.first)];
    case YamlNode::Kind::kList: {
      std::vector<core::Value> items;
      items.reserve(static_cast<std::size_t>(from.num_children));
      for (std::int32_t item = from.first; item >= 0; item = (*this)[item].next) {
        items.push_back(to_value(item));
      }
      return core::Value::list(std::move(items));
    }
    case YamlNode::Kind::kMap:
      break;
  }
  std::vector<core::MapEntry> entries;
  entries.reserve(static_cast<std::size_t>(from.num_children) / 2);
  for (std::int32_t key = from.first; key >= 0;) {
    const std::int32_t value = (*this)[key].next;
    entries.emplace_back(std::string((*this)[key].text), to_value(value));
    key = (*this)[value].next;
  }
  return core::Value::map(std::move(entries));
}

bool YamlTree::is_text(std::int32_t index) const {
  const YamlNode& node = (*this)[index];
  return node.kind == YamlNode::Kind::kScalar &&
         (!node.plain || !resolves_to_other_than_text(node.text));
}

bool YamlTree::is_null(std::int32_t index) const {
  const YamlNode& node = (*this)[index];
  if (node.kind == YamlNode::Kind::kValue) {
    return to_value(index).is_null();
  }
  return node.kind == YamlNode::Kind::kScalar && node.plain &&
         resolve_plain_scalar(node.text).is_null();
}

std::string_view YamlTree::describe(std::int32_t index) const {
  const YamlNode& node = (*this)[index];
  switch (node.kind) {
    case YamlNode::Kind::kMap:
      return "a map";
    case YamlNode::Kind::kList:
      return "a list";
    default:
      return core::to_string(to_value(index).kind());
  }
}

}  // namespace penstock::flow
