// The report page's fixed part: markup, style and script, made from page/ when building.
#pragma once

#include <string_view>

namespace penstock::report {

/// Everything before the first record.
extern const std::string_view kPageStart;

}  // namespace penstock::report
