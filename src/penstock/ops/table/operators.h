// The operators of the table pack, and the entry the loader of packs calls.
#pragma once

#include <string>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/operator.h"
#include "penstock/ops/table/sql_text.h"

namespace penstock::ops::table {

base::Status register_read(core::Registry& registry);
base::Status register_split(core::Registry& registry);
base::Status register_sql(core::Registry& registry);
base::Status register_write(core::Registry& registry);

/// Checks an expression given as parameter `what` against the node's inputs: `port` is the declared
/// one, every other is a value that the expression must use as $name.
base::Status check_expression(const SqlWords& words, const std::vector<std::string>& inputs,
                              const std::string& port, const std::string& what);

}  // namespace penstock::ops::table

/// Adds this pack's operators to `registry`. Null when all went well, else why not; the text lives
/// until the next call on this thread.
extern "C" const char* penstock_register_pack(penstock::core::Registry* registry);
