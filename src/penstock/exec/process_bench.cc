// What a task costs in another process: one round trip, many in flight, a large array there and
// back. Does not measure interpreters, codecs of deep values, or more than two cores.
#include <algorithm>
#include <vector>

#include <benchmark/benchmark.h>

#include "penstock/base/result.h"
#include "penstock/exec/process_test_support.h"
#include "penstock/exec/shm_arena.h"

namespace penstock::exec {
namespace {

using core::Value;

constexpr const char* kTube = R"(
nodes:
  source: {type: test.source}
  echo: {type: test.echo, depends: [x: source.value]}
)";

/// Two workers and a table of tasks.
struct Setup {
  explicit Setup(std::size_t num_rows)
      : plan(testing::compile(kTube).value()), access(plan), executor(testing::options(kTube)) {
    PENSTOCK_CHECK(executor.start(access).has_value());
    rows.resize(num_rows);
    for (std::size_t i = 0; i < num_rows; ++i) {
      rows[i].inputs = {Value::integer(static_cast<std::int64_t>(i))};
      tasks.push_back(testing::TableAccess::task(plan->find_node("echo"), rows[i]));
    }
  }
  void run() {
    std::size_t sent = 0, back = 0;
    while (back < tasks.size()) {
      const auto room = static_cast<std::size_t>(executor.capacity()) - (sent - back);
      const std::size_t count = std::min(room, tasks.size() - sent);
      PENSTOCK_CHECK(executor.submit({tasks.data() + sent, count}).has_value());
      sent += count;
      completions.clear();
      PENSTOCK_CHECK(executor.wait(completions, 1000).has_value());
      back += completions.size();
      for (const flow::Completion& completion : completions) {
        PENSTOCK_CHECK(completion.status.has_value());
      }
    }
  }

  std::shared_ptr<const flow::Plan> plan;
  testing::TableAccess access;
  ProcessExecutor executor;
  std::vector<testing::Row> rows;
  std::vector<flow::Task> tasks;
  std::vector<flow::Completion> completions;
};

void BM_process_round_trip(benchmark::State& state) {
  Setup setup(1);
  setup.run();
  PENSTOCK_CHECK(setup.rows[0].outputs[0].as_int() == 0);
  for (auto _ : state) {
    setup.run();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_process_round_trip)->UseRealTime()->Unit(benchmark::kMicrosecond);

void BM_process_pipelined(benchmark::State& state) {
  Setup setup(static_cast<std::size_t>(state.range(0)));
  setup.run();
  for (std::size_t i = 0; i < setup.rows.size(); ++i) {
    PENSTOCK_CHECK(setup.rows[i].outputs[0].as_int() == static_cast<std::int64_t>(i));
  }
  for (auto _ : state) {
    setup.run();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_process_pipelined)->Arg(10'000)->UseRealTime()->Unit(benchmark::kMicrosecond);

/// An array of `elements` float64 there and back; range(1): it lies in the arena.
void BM_process_array(benchmark::State& state) {
  Setup setup(1);
  const std::int64_t elements = state.range(0);
  std::shared_ptr<core::Buffer> buffer =
      state.range(1) != 0 ? SharedArena::instance().allocate(elements * 8).value()
                          : core::Buffer::allocate(elements * 8);
  std::fill_n(reinterpret_cast<double*>(buffer->mutable_data()), elements, 2.5);
  const auto tensor =
      core::Tensor::create_contiguous(core::DType::kFloat64, {elements}, buffer).value();
  setup.rows[0].inputs = {Value::tensor(tensor)};
  setup.run();
  PENSTOCK_CHECK(core::equal(*setup.rows[0].outputs[0].as_tensor(), *tensor));
  for (auto _ : state) {
    setup.run();
  }
  state.SetBytesProcessed(state.iterations() * elements * 8);
}
BENCHMARK(BM_process_array)
    ->Args({8 << 20, 1})
    ->Args({8 << 20, 0})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace penstock::exec
