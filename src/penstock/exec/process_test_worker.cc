// The worker program of the tests: the plan's bytes are a tube of test.* operators. The first line
// may ask for a bad start: "#exit", "#error", "#other plan".
#include <cstdlib>
#include <string>
#include <string_view>

#include "penstock/exec/process_test_support.h"
#include "penstock/exec/worker.h"

namespace {

using penstock::base::ErrorCode;
using penstock::base::Result;

Result<std::shared_ptr<const penstock::flow::Plan>> compile(std::string_view yaml) {
  if (yaml.starts_with("#exit")) {
    std::_Exit(5);
  }
  if (yaml.starts_with("#error")) {
    return penstock::base::fail(ErrorCode::kNotFound, "no module named 'gone'");
  }
  if (yaml.starts_with("#other plan")) {
    return penstock::exec::testing::compile("nodes:\n  z:\n    type: test.source\n");
  }
  return penstock::exec::testing::compile(yaml);
}

}  // namespace

int main(int argc, char** argv) {
  return argc == 2 ? penstock::exec::run_worker(std::atoi(argv[1]), {.compile = compile}) : 2;
}
