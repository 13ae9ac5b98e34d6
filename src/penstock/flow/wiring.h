// PlanWiring: a plan's edges as operators may ask for them.
#pragma once

#include <string>
#include <vector>

#include "penstock/core/operator.h"
#include "penstock/flow/plan.h"

namespace penstock::flow {

/// Immutable, thread-safe. `plan` outlives it.
class PlanWiring final : public core::Wiring {
 public:
  explicit PlanWiring(const Plan& plan) : plan_(plan) {}

  std::vector<std::string> maps(std::int32_t node) const override;
  Source source(std::int32_t node, std::int32_t input) const override;

 private:
  const Plan& plan_;
};

}  // namespace penstock::flow
