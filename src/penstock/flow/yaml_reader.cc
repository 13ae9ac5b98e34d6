// See yaml_reader.h. Syntax messages are in yaml_syntax.cc.
#include "penstock/flow/yaml_reader.h"

#include <algorithm>
#include <new>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "penstock/base/result.h"
#include "penstock/flow/yaml_scalar.h"

namespace penstock::flow {
namespace {

constexpr std::size_t kSmallMap = 16;  // beyond this, duplicate keys are looked up by hash

Mark to_mark(const yaml_mark_t& mark) {
  return {.line = static_cast<std::int32_t>(mark.line + 1),
          .column = static_cast<std::int32_t>(mark.column + 1)};
}

std::string_view view(const yaml_char_t* text) {
  return text == nullptr ? std::string_view() : reinterpret_cast<const char*>(text);
}

/// Names seen so far; looked up by hash once there are many.
class NameSet {
 public:
  explicit NameSet(std::size_t expected) : hashed_(expected > kSmallMap) {}
  bool insert(std::string_view name) {
    if (!hashed_ && list_.size() >= kSmallMap) {
      set_.insert(list_.begin(), list_.end());
      hashed_ = true;
    }
    if (hashed_) {
      return set_.insert(name).second;
    }
    if (std::ranges::find(list_, name) != list_.end()) {
      return false;
    }
    list_.push_back(name);
    return true;
  }

 private:
  bool hashed_;
  std::vector<std::string_view> list_;
  std::unordered_set<std::string_view> set_;
};

}  // namespace

YamlReader::YamlReader(std::string_view text, Problems& problems)
    : problems_(problems), text_(text) {
  if (yaml_parser_initialize(&parser_) != 1) {
    throw std::bad_alloc();  // its only failure
  }
  if (text_.starts_with("\xEF\xBB\xBF")) {
    text_.remove_prefix(3);
  }
  yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text_.data()),
                               text_.size());
}

YamlReader::~YamlReader() {
  if (has_event_) {
    yaml_event_delete(&event_);
  }
  yaml_parser_delete(&parser_);
}

Mark YamlReader::mark() const {
  return to_mark(event_.start_mark);
}

bool YamlReader::fail(Mark mark, std::string_view id, std::string message, std::string help) {
  if (!failed_) {
    problems_.add(mark, id, std::move(message), std::move(help));
  }
  failed_ = true;
  return false;
}

bool YamlReader::advance() {
  if (failed_ || problems_.full()) {
    failed_ = true;
    return false;
  }
  if (has_event_) {
    yaml_event_delete(&event_);
    has_event_ = false;
  }
  if (yaml_parser_parse(&parser_, &event_) == 0) {
    report_syntax();
    failed_ = true;
    return false;
  }
  has_event_ = true;
  return true;
}

bool YamlReader::open() {
  while (advance()) {
    if (event_.type == YAML_STREAM_END_EVENT) {
      return false;
    }
    if (event_.type != YAML_STREAM_START_EVENT && event_.type != YAML_DOCUMENT_START_EVENT) {
      return true;
    }
  }
  return false;
}

void YamlReader::close() {
  while (!failed_ && event_.type != YAML_STREAM_END_EVENT) {
    if (event_.type == YAML_DOCUMENT_START_EVENT) {
      fail(mark(), "PS0011", "a second document starts here, wanted one document per file",
           "remove the '---' line, or put the documents into files of their own");
      return;
    }
    advance();
  }
}

bool YamlReader::refuse_tag(const yaml_char_t* tag) {
  if (tag == nullptr) {
    return true;
  }
  std::string shown(view(tag));
  constexpr std::string_view kStandard = "tag:yaml.org,2002:";
  if (shown.starts_with(kStandard)) {
    shown.replace(0, kStandard.size(), "!!");
  }
  problems_.add(mark(), "PS0010", fmt::format("tag '{}' is not supported", shown),
                "remove the tag; quote a value to make it text");
  return false;
}

void YamlReader::release() {
  if (anchors_.empty() && !pinned_) {
    tree_.clear();
  }
}

void YamlReader::enter_map() {
  refuse_tag(event_.data.mapping_start.tag);
  ++entered_;
  advance();
}

bool YamlReader::is_merge(const YamlNode& key) const {
  return key.kind == YamlNode::Kind::kScalar && key.plain && key.text == "<<";
}

std::optional<YamlReader::Key> YamlReader::next_key() {
  while (!failed_) {
    if (event_.type == YAML_MAPPING_END_EVENT) {
      --entered_;
      advance();
      return std::nullopt;
    }
    const std::int32_t key = read_node(entered_);
    if (key < 0) {
      return std::nullopt;
    }
    if (is_merge(tree_[key])) {
      return Key{.text = tree_[key].text, .mark = tree_[key].mark, .merge = true};
    }
    if (check_key(key)) {
      return Key{.text = tree_[key].text, .mark = tree_[key].mark};
    }
    read_node(entered_);  // the value of a refused key
  }
  return std::nullopt;
}

std::int32_t YamlReader::read() {
  return read_node(entered_ + 1);
}

bool YamlReader::check_key(std::int32_t index) {
  const YamlNode& key = tree_[index];
  if (key.kind == YamlNode::Kind::kScalar &&
      (!key.plain || !resolves_to_other_than_text(key.text))) {
    return true;
  }
  std::string help = key.kind == YamlNode::Kind::kScalar && !key.text.empty()
                         ? fmt::format("put the key in quotes: \"{}\"", key.text)
                         : "give the key a name";
  problems_.add(key.mark, "PS0009", fmt::format("key is {}, wanted text", tree_.describe(index)),
                std::move(help));
  return false;
}

std::int32_t YamlReader::read_node(int depth) {
  if (failed_) {
    return -1;
  }
  if (depth > kMaxDepth) {
    fail(mark(), "PS0005", fmt::format("nesting is deeper than {} levels", kMaxDepth));
    return -1;
  }
  switch (event_.type) {
    case YAML_ALIAS_EVENT:
      return read_alias(depth);
    case YAML_SCALAR_EVENT:
      return read_scalar();
    case YAML_SEQUENCE_START_EVENT:
      return read_list(depth);
    case YAML_MAPPING_START_EVENT:
      return read_map(depth);
    default:
      fail(mark(), "PS0001", "YAML ends where a value is wanted");
      return -1;
  }
}

std::int32_t YamlReader::read_alias(int depth) {
  const std::string name(view(event_.data.alias.anchor));
  const auto found = anchors_.find(name);
  if (found == anchors_.end()) {
    const bool cycle = std::ranges::find(open_anchors_, name) != open_anchors_.end();
    fail(mark(), "PS0007",
         cycle ? fmt::format("alias '*{0}' stands inside its own anchor '&{0}'", name)
               : fmt::format("alias '*{}' has no anchor before it", name),
         cycle ? "" : fmt::format("write '&{}' before the value it repeats", name));
    return -1;
  }
  YamlNode copy = tree_[found->second];
  if (depth + copy.height - 1 > kMaxDepth) {
    fail(mark(), "PS0005",
         fmt::format("nesting is deeper than {} levels once aliases are expanded", kMaxDepth));
    return -1;
  }
  ++num_aliases_;
  expanded_ += copy.weight;
  if (num_aliases_ > kMaxAliases || expanded_ > kMaxExpandedNodes) {
    fail(mark(), "PS0006",
         fmt::format("aliases expand to too much: {} aliases, {} values; limits {} and {}",
                     num_aliases_, expanded_, kMaxAliases, kMaxExpandedNodes));
    return -1;
  }
  copy.mark = mark();
  copy.next = -1;
  const std::int32_t index = tree_.add(copy);
  advance();
  return index;
}

std::int32_t YamlReader::read_scalar() {
  const auto& scalar = event_.data.scalar;
  refuse_tag(scalar.tag);
  YamlNode made;
  made.kind = YamlNode::Kind::kScalar;
  made.plain = scalar.style == YAML_PLAIN_SCALAR_STYLE;
  made.mark = mark();
  made.text = tree_.keep({reinterpret_cast<const char*>(scalar.value), scalar.length});
  const std::int32_t index = tree_.add(made);
  if (scalar.anchor != nullptr) {
    anchors_.insert_or_assign(std::string(view(scalar.anchor)), index);
  }
  advance();
  return index;
}

std::int32_t YamlReader::read_list(int depth) {
  refuse_tag(event_.data.sequence_start.tag);
  YamlNode made;
  made.kind = YamlNode::Kind::kList;
  made.mark = mark();
  const std::int32_t list = tree_.add(made);
  const std::string anchor(view(event_.data.sequence_start.anchor));
  if (!anchor.empty()) {
    open_anchors_.push_back(anchor);
  }
  std::int32_t last = -1;
  advance();
  while (!failed_ && event_.type != YAML_SEQUENCE_END_EVENT) {
    const std::int32_t child = read_node(depth + 1);
    if (child < 0) {
      return -1;
    }
    tree_.append(list, last, child);
  }
  if (!anchor.empty()) {
    open_anchors_.pop_back();
    anchors_.insert_or_assign(anchor, list);
  }
  return advance() ? list : -1;
}

std::int32_t YamlReader::read_map(int depth) {
  refuse_tag(event_.data.mapping_start.tag);
  YamlNode made;
  made.kind = YamlNode::Kind::kMap;
  made.mark = mark();
  const std::int32_t map = tree_.add(made);
  const std::string anchor(view(event_.data.mapping_start.anchor));
  if (!anchor.empty()) {
    open_anchors_.push_back(anchor);
  }
  std::int32_t last = -1;
  std::vector<std::int32_t> merges;
  advance();
  while (!failed_ && event_.type != YAML_MAPPING_END_EVENT) {
    const std::int32_t key = read_node(depth + 1);
    const std::int32_t value = key < 0 ? -1 : read_node(depth + 1);
    if (value < 0) {
      return -1;
    }
    if (is_merge(tree_[key])) {
      merges.push_back(value);
    } else if (check_key(key)) {
      tree_.append(map, last, key);
      tree_.append(map, last, value);
    } else {
      tree_.mark_damaged(map);
    }
  }
  if (failed_) {
    return -1;
  }
  finish_map(map, merges);
  if (!anchor.empty()) {
    open_anchors_.pop_back();
    anchors_.insert_or_assign(anchor, map);
  }
  return advance() ? map : -1;
}

/// Refuses duplicate keys and adds the entries of `<<` maps whose keys are not there yet.
void YamlReader::finish_map(std::int32_t map, std::span<const std::int32_t> merges) {
  NameSet names(static_cast<std::size_t>(tree_[map].num_children) / 2);
  std::int32_t last = -1;
  for (std::int32_t key = tree_[map].first; key >= 0; key = tree_[last].next) {
    last = tree_[key].next;
    if (!names.insert(tree_[key].text)) {
      problems_.add(tree_[key].mark, "PS0008", fmt::format("duplicate key '{}'", tree_[key].text),
                    "keep one of the two");
    }
  }
  const auto merge_one = [&](std::int32_t source) {
    if (tree_[source].kind != YamlNode::Kind::kMap) {
      return false;
    }
    for (std::int32_t key = tree_[source].first; key >= 0;) {
      const std::int32_t value = tree_[key].next;
      const std::int32_t next = tree_[value].next;
      if (names.insert(tree_[key].text)) {
        append_copy(map, last, key);
        append_copy(map, last, value);
      }
      key = next;
    }
    return true;
  };
  for (const std::int32_t merge : merges) {
    const YamlNode source = tree_[merge];
    bool valid = source.kind == YamlNode::Kind::kMap && merge_one(merge);
    if (source.kind == YamlNode::Kind::kList) {
      valid = true;
      for (std::int32_t item = source.first; item >= 0; item = tree_[item].next) {
        valid = merge_one(item) && valid;
      }
    }
    if (!valid) {
      problems_.add(source.mark, "PS0024", "'<<' wants a map or a list of maps",
                    "write '<<: *name', where '&name' marks a map");
    }
  }
}

/// A node has one next sibling, so a merged entry is a copy; what lies below it stays shared.
void YamlReader::append_copy(std::int32_t map, std::int32_t& last, std::int32_t original) {
  YamlNode copy = tree_[original];
  copy.next = -1;
  tree_.append(map, last, tree_.add(copy));
}

}  // namespace penstock::flow
