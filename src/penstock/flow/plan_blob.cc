// See plan_blob.h.
#include "penstock/flow/plan_blob.h"

#include <limits>
#include <utility>

#include "penstock/core/host.h"
#include "penstock/core/identity.h"
#include "penstock/flow/spec_yaml.h"

namespace penstock::flow {

using core::Kind;
using core::Value;

base::Result<std::string> write_plan_blob(const Plan& plan, const Value& tube_inputs,
                                          const Value& host) {
  PENSTOCK_ASSIGN_OR_RETURN(Value inputs, core::to_native(tube_inputs));
  PENSTOCK_ASSIGN_OR_RETURN(std::string tube, to_yaml(plan.spec()));
  const Value blob =
      Value::map({{"tube", Value::text(std::move(tube))},
                  {"file", Value::text(plan.spec().file)},
                  {"inputs", inputs.is_absent() ? Value::map({}) : std::move(inputs)},
                  {"host", host}});
  // The transport encoding with every buffer inside: the canonical one would only link to blocks of
  // long inputs, which the worker does not have.
  PENSTOCK_ASSIGN_OR_RETURN(core::Message message,
                            core::encode_transport(blob, std::numeric_limits<std::int64_t>::max()));
  return std::move(message.header);
}

base::Result<PlanBlob> read_plan_blob(std::string_view bytes) {
  PENSTOCK_ASSIGN_OR_RETURN(const Value blob, core::decode_transport(bytes, {}));
  const auto part = [&blob](std::string_view name, Kind kind) -> const Value* {
    const Value* const found = blob.is(Kind::kMap) ? blob.find(name) : nullptr;
    return found != nullptr && found->is(kind) ? found : nullptr;
  };
  const Value* const tube = part("tube", Kind::kText);
  const Value* const file = part("file", Kind::kText);
  const Value* const inputs = part("inputs", Kind::kMap);
  const Value* const host = blob.is(Kind::kMap) ? blob.find("host") : nullptr;
  if (tube == nullptr || file == nullptr || inputs == nullptr || host == nullptr) {
    return base::fail(base::ErrorCode::kDataLoss,
                      "a worker was sent no plan it can read; wanted tube, file, inputs and host");
  }
  auto spec = parse_spec(tube->as_text(), file->as_text());
  if (!spec.has_value()) {
    return base::fail(to_error(spec.error()));
  }
  return PlanBlob{.spec = std::make_shared<const Spec>(std::move(*spec)),
                  .tube_inputs = *inputs,
                  .host = *host};
}

}  // namespace penstock::flow
