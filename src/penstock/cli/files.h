// Reading and writing whole files for the commands.
#pragma once

#include <string>
#include <string_view>

#include "penstock/base/result.h"

namespace penstock::cli {

/// Writes beside `path`, then renames: nobody ever sees half a file. PS0909 on failure.
base::Status write_file(const std::string& path, std::string_view text);

}  // namespace penstock::cli
