// How a result is shown to people: one line. (For programs: report/json_lines.h.)
#pragma once

#include <cstdint>
#include <string>

#include "penstock/core/value.h"
#include "penstock/flow/observer.h"

namespace penstock::cli {

/// `value` in one line of at most about `max_bytes`; tables and tensors by shape.
std::string one_line(const core::Value& value, std::size_t max_bytes);

/// Keeps the last result, to be printed when the run is over.
class LastResult final : public flow::Observer {
 public:
  void on_result(std::int64_t root_epoch, const core::Value& value) override {
    epoch = root_epoch;
    last = value;
    ++count;
  }
  core::Value last;
  std::int64_t epoch = -1, count = 0;
};

}  // namespace penstock::cli
