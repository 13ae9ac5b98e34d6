// Reads one YAML document over libyaml's events, as trees or entry by entry.
//
// The reader walks the document once. Large maps can be entered and read entry by entry, so a file
// of a million nodes never exists as one tree. Aliases share the tree of their anchor; their
// expanded size and depth are bounded when they are read (an alias bomb is one error).
//
// Owner thread only. Internal to the room.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <yaml.h>

#include "penstock/flow/spec.h"
#include "penstock/flow/yaml_problems.h"
#include "penstock/flow/yaml_tree.h"

namespace penstock::flow {

class YamlReader {
 public:
  static constexpr int kMaxDepth = 256;
  static constexpr std::int64_t kMaxAliases = 10'000;
  static constexpr std::int64_t kMaxExpandedNodes = 1'000'000;

  struct Key {
    std::string_view text;  ///< valid until release()
    Mark mark;
    bool merge = false;  ///< plain `<<`
  };

  /// `text` must be valid UTF-8 without NUL and outlive the reader.
  YamlReader(std::string_view text, Problems& problems);
  ~YamlReader();
  YamlReader(const YamlReader&) = delete;
  YamlReader& operator=(const YamlReader&) = delete;

  /// Moves to the root node; false for an empty document or a broken one (reported).
  bool open();
  /// After the root node: reports a second document or trailing text.
  void close();
  /// True after a problem that ends reading: syntax, depth, aliases.
  bool failed() const { return failed_; }

  bool at_map() const { return event_.type == YAML_MAPPING_START_EVENT; }
  /// True when the next node is a map that can be entered: neither anchored nor an alias.
  bool at_open_map() const { return at_map() && event_.data.mapping_start.anchor == nullptr; }
  Mark mark() const;
  void enter_map();
  /// The next key of the entered map, or none at its end (the map is then left).
  std::optional<Key> next_key();

  /// Reads the next node as a tree; -1 when reading failed.
  std::int32_t read();
  const YamlTree& tree() const { return tree_; }
  /// Forgets all trees, unless an anchor may still be used or pin() was called.
  void release();
  void pin() { pinned_ = true; }

 private:
  bool advance();
  void report_syntax();
  void report_character(Mark place);
  bool refuse_tag(const yaml_char_t* tag);
  std::int32_t read_node(int depth);
  std::int32_t read_alias(int depth);
  std::int32_t read_scalar();
  std::int32_t read_list(int depth);
  std::int32_t read_map(int depth);
  bool check_key(std::int32_t index);
  bool is_merge(const YamlNode& key) const;
  void finish_map(std::int32_t map, std::span<const std::int32_t> merges);
  void append_copy(std::int32_t map, std::int32_t& last, std::int32_t original);
  bool fail(Mark mark, std::string_view id, std::string message, std::string help = {});

  yaml_parser_t parser_{};
  yaml_event_t event_{};
  bool has_event_ = false, failed_ = false, pinned_ = false;
  int entered_ = 0;  ///< maps entered and not left
  Problems& problems_;
  std::string_view text_;
  YamlTree tree_;
  std::unordered_map<std::string, std::int32_t> anchors_;
  std::vector<std::string> open_anchors_;  ///< of nodes being read: an alias to one is a cycle
  std::int64_t num_aliases_ = 0, expanded_ = 0;
};

}  // namespace penstock::flow
