// The operators of the table pack, and the entry the loader of packs calls.
#pragma once

#include "penstock/base/result.h"
#include "penstock/core/operator.h"

namespace penstock::ops::table {

base::Status register_read(core::Registry& registry);
base::Status register_sql(core::Registry& registry);
base::Status register_write(core::Registry& registry);

}  // namespace penstock::ops::table

/// Adds this pack's operators to `registry`. Null when all went well, else why not; the text lives
/// until the next call on this thread.
extern "C" const char* penstock_register_pack(penstock::core::Registry* registry);
