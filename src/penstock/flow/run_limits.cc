#include "penstock/flow/run_limits.h"

namespace penstock::flow {

base::Result<Resources> run_resources(const core::Value& given, std::int32_t num_workers) {
  Resources said;
  PolicyProblems problems;
  read_resources(given, said, problems);
  if (!problems.empty()) {
    return base::fail(base::Error(base::ErrorCode::kInvalidArgument, problems.front().message)
                          .with_id(problems.front().id)
                          .with_help(problems.front().help));
  }
  Resources there = default_resources(num_workers);
  there.cpu_milli = given.find("cpu") != nullptr ? said.cpu_milli : there.cpu_milli;
  there.io = given.find("io") != nullptr ? said.io : there.io;
  there.memory_bytes = given.find("memory") != nullptr ? said.memory_bytes : there.memory_bytes;
  return there;
}

}  // namespace penstock::flow
