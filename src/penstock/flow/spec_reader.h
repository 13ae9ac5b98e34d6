// Trees -> Spec: the accept and reject rules of docs/formats/tube.md, except those that need the
// node types (wiring; plan.h).
//
// Owner thread only. Internal to the room.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "penstock/flow/spec.h"
#include "penstock/flow/yaml_problems.h"
#include "penstock/flow/yaml_tree.h"

namespace penstock::flow {

class SpecReader {
 public:
  SpecReader(Spec& spec, Problems& problems) : spec_(spec), problems_(problems) {}

  /// One key of the top level with its value.
  void read_entry(const YamlTree& tree, std::string_view key, Mark mark, std::int32_t value);
  /// One entry of `nodes`.
  void read_node(const YamlTree& tree, std::string_view id, Mark mark, std::int32_t value);
  /// The entries of a `<<` value in `nodes` whose ids are not there yet.
  void merge_nodes(const YamlTree& tree, std::int32_t value);
  /// The same for a `<<` at the top level.
  void merge_top(const YamlTree& tree, std::int32_t value);
  /// Called after the last entry: rules that look at the whole.
  void finish();

  /// True the first time a top-level key is seen; reports it otherwise.
  bool claim_key(std::string_view key, Mark mark);

 private:
  /// Whose part is read; made a text only for messages, since there may be a million nodes.
  struct Owner {
    std::string_view kind, id;
    std::string text() const;
  };
  struct Field {
    std::string_view name;
    Mark mark;
    std::int32_t value;
  };
  /// Reports a key that is not in `known`.
  void unknown_key(std::string_view key, Mark mark, std::string_view where,
                   std::span<const std::string_view> known);
  void wrong_kind(const YamlTree& tree, std::int32_t value, const std::string& what,
                  std::string_view wanted, std::string help = {});
  bool check_id(std::string_view id, Mark mark, std::string_view what);
  bool check_own_id(const YamlTree& tree, std::int32_t value, std::string_view key,
                    const std::string& owner);
  std::string read_text(const YamlTree& tree, std::int32_t value, const std::string& what,
                        bool null_allowed = true);
  std::string read_type(const YamlTree& tree, std::int32_t value, Owner owner);
  std::optional<bool> read_bool(const YamlTree& tree, std::int32_t value, const std::string& what);
  std::optional<Scope> read_scope(const YamlTree& tree, std::int32_t value,
                                  const std::string& owner, std::span<const Scope> allowed);
  void read_enabled(const YamlTree& tree, std::int32_t value, NodeSpec& node);
  void read_params(const YamlTree& tree, std::int32_t value, const std::string& owner,
                   bool list_allowed, std::vector<ParameterValue>& out);
  void read_policy(const YamlTree& tree, const Field& field, NodeSpec& node);
  bool read_timeout(const YamlTree& tree, const Field& field, const std::string& what,
                    NodeSpec& node);
  void read_node_field(const YamlTree& tree, const Field& field, NodeSpec& node);

  // spec_depends.cc
  void read_depends(const YamlTree& tree, std::int32_t value, NodeSpec& node);
  struct DependsState {
    std::int32_t num_positional = 0;
    std::unordered_set<std::string_view> slots;
  };
  void read_dependency(const YamlTree& tree, std::int32_t item, NodeSpec& node,
                       DependsState& state);
  bool read_reference(const YamlTree& tree, std::int32_t value, Owner owner, Dependency& out);

  void read_header(const YamlTree& tree, std::string_view key, std::int32_t value);
  void read_extends(const YamlTree& tree, std::int32_t value);
  void read_input(const YamlTree& tree, std::string_view id, Mark mark, std::int32_t value);
  void read_asset(const YamlTree& tree, std::string_view id, Mark mark, std::int32_t value);
  void refuse_duplicate_ids();
  /// Calls `take` for each entry of the map `value`; reports a value that is no map.
  template <class Take>
  void each_entry(const YamlTree& tree, std::int32_t value, const std::string& what, Take take);

  Spec& spec_;
  Problems& problems_;
  std::vector<std::string> seen_keys_;
};

/// What a Spec that extends nothing (any more) must have and has not.
struct MissingPart {
  Mark mark;
  std::string id, message, help;
};
std::vector<MissingPart> missing_parts(const Spec& spec);

/// True for what Python's str.isidentifier accepts; letters beyond ASCII are not told apart.
bool is_identifier(std::string_view text);

}  // namespace penstock::flow
