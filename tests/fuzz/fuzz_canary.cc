// A planted bug. tools/fuzz must find it within seconds, or its other answers mean nothing.
#include "target.h"

namespace penstock::fuzz {

Answer run_canary(std::string_view input) {
  constexpr std::string_view kBug = "bug!";
  std::size_t matched = 0;
  while (matched < kBug.size() && matched < input.size() && input[matched] == kBug[matched]) {
    ++matched;
  }
  if (matched == kBug.size()) {
    broken("the planted bug");
  }
  return Answer::kRefused;
}

}  // namespace penstock::fuzz

PENSTOCK_FUZZ_TARGET(run_canary)
