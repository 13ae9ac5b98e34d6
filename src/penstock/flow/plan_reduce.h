// reduce_plan: a plan for one epoch without the work whose results are known. Internal to flow.
//
// A node's lineage is the digest of its recipe, of all recipes above it and of the inputs of the
// run: what can be known of its results before anything has run. Nodes whose lineage has a kept
// result give that; nodes that nobody needs then are disabled. docs/design/0022.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "penstock/core/value.h"
#include "penstock/flow/plan.h"
#include "penstock/flow/result_cache.h"

namespace penstock::flow {

class PlanReducer {
 public:
  /// `inputs`: values by input, tube-scoped ones too; absent where there is none.
  PlanReducer(std::shared_ptr<const Plan> plan, std::span<const core::Value> inputs,
              const ResultCache& cache);

  /// `plan` itself when no node keeps results.
  std::shared_ptr<const Plan> reduce();
  /// Only `node`, and what gives it the inputs it had in the run that kept `calls`. PS0422 when a
  /// node that it depends on kept nothing there, and is none whose results follow from its inputs.
  base::Result<std::shared_ptr<const Plan>> only(std::int32_t node, const KeptCalls& calls);

 private:
  void trace_inputs();
  void trace(std::int32_t node);
  std::optional<core::Digest> lineage_of(std::int32_t node);
  std::optional<core::Digest> lineage_of(const InEdge& edge) const;
  /// The file's digest; the path comes from the parameter or from an input of the run.
  bool append_files(std::int32_t node, std::string& bytes);
  void look_up(std::int32_t node);
  std::optional<core::Digest> key_of(std::int32_t node) const;
  void find_needed();
  void need(std::int32_t node);
  /// False when a result that is needed cannot be read: it is not known any more.
  bool load_given();
  base::Status take_kept(std::int32_t node, std::int32_t wanted, const KeptCalls& calls);
  std::shared_ptr<const Plan> derived() const;

  const std::shared_ptr<const Plan> plan_;
  const std::span<const core::Value> inputs_;
  const ResultCache& cache_;
  std::vector<std::optional<core::Digest>> lineage_;         ///< by node
  std::vector<std::optional<core::Digest>> input_digests_;   ///< by input
  std::vector<std::optional<core::Digest>> signal_digests_;  ///< by signal: of its value
  std::vector<std::shared_ptr<const KeptResult>> known_;     ///< by node
  FilesSeen files_;
  std::vector<bool> needed_;  ///< by node
  std::vector<std::int32_t> stack_;
  std::vector<std::vector<core::Value>> given_;  ///< by node
};

}  // namespace penstock::flow
