// Operator packs: libpenstock_<pack>.so beside libpenstock.so, loaded at the first use of a
// "<pack>.*" operator, so that a pipeline without tables never loads Arrow and DuckDB.
//
// A pack exports the C symbol penstock_register_pack (PackEntry below) and nothing else is needed.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/core/operator.h"
#include "penstock/flow/plan.h"

namespace penstock::flow {

/// Registers all operators of a pack. C linkage; must not throw. Null when all went well, else why
/// not; the text lives until the next call on this thread.
using PackEntry = const char* (*)(core::Registry* registry);

/// Names of the packs of this version: the part of a type before the first dot.
std::span<const std::string_view> pack_names();

/// The operators of the pack, loaded on the first call. kNotFound (with an install line as help)
/// when its library is not installed. Thread-safe; the registry lives as long as the process.
base::Result<const core::Registry*> load_pack(std::string_view pack);

/// True when `type` belongs to a pack ("table.read"), installed or not.
bool is_pack_type(std::string_view type);

/// Resolves the types of all packs. Immutable, thread-safe.
class PackResolver final : public Resolver {
 public:
  base::Result<std::unique_ptr<core::NodeType>> resolve(const NodeSpec& node,
                                                        const core::Value& params) const override;
  /// Names of the packs that are loaded already: a guess must not cost loading one.
  std::vector<std::string> known_names() const override;
};

/// The folder libpenstock.so lies in; empty when it cannot be found out.
std::string library_folder();

}  // namespace penstock::flow
