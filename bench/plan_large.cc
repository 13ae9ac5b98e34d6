// Compile a generated plan of 1,000,000 native nodes, three in-edges each.
//
// Measured: Plan::compile() of a Spec that is already in memory, one thread. Not measured: making
// the Spec, reading YAML (bench/load.py does that too). Answer: the number of edges of the plan.
#include <cstdlib>
#include <memory>
#include <string>

#include "empty_plan.h"
#include "protocol.h"
#include "shapes.h"

#include "penstock/flow/plan.h"

int main() {
  namespace flow = penstock::flow;
  constexpr std::int32_t kNodes = 1'000'000;
  const auto shape = penstock::bench::make_shape("layered", kNodes);
  const flow::Spec spec = penstock::bench::make_spec(shape, "bench.empty", false);
  const penstock::bench::BenchResolver resolver;
  const flow::Resolver* const resolvers[] = {&resolver};
  return penstock::bench::serve(std::to_string(shape.from.size()), [&] {
    std::shared_ptr<const flow::Plan> plan;
    const double seconds = penstock::bench::timed([&] {
      auto compiled = flow::Plan::compile(spec, resolvers);
      if (!compiled) {
        std::exit(1);
      }
      plan = *compiled;
    });
    if (plan->in_edges().size() != shape.from.size()) {
      std::exit(1);
    }
    return seconds;
  });
}
