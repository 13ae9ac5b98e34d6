#include "penstock/exec/process_plan.h"

#include <limits>
#include <utility>
#include <vector>

#include "penstock/core/host.h"
#include "penstock/core/identity.h"
#include "penstock/flow/diagnostic.h"
#include "penstock/flow/spec_yaml.h"

namespace penstock::exec {

using base::ErrorCode;
using core::Kind;
using core::Value;

base::Result<std::string> pack_plan(const flow::Plan& plan, const Value& tube_inputs,
                                    const Value& host) {
  const flow::Spec& spec = plan.spec();
  std::string text;
  if (spec.source != nullptr) {
    text = *spec.source;
  } else {
    PENSTOCK_ASSIGN_OR_RETURN(text, flow::to_yaml(spec));
  }
  PENSTOCK_ASSIGN_OR_RETURN(Value inputs, core::to_native(tube_inputs));
  std::vector<core::MapEntry> entries;
  entries.emplace_back("text", Value::text(std::move(text)));
  entries.emplace_back("file", Value::text(spec.file));
  entries.emplace_back("inputs", inputs.is_absent() ? Value::map({}) : std::move(inputs));
  entries.emplace_back("host", host.is_absent() ? Value::null() : host);
  // Everything in the header: it is sent once, and the plan outlives any shared buffer.
  PENSTOCK_ASSIGN_OR_RETURN(core::Message message,
                            core::encode_transport(Value::map(std::move(entries)),
                                                   std::numeric_limits<std::int64_t>::max()));
  return std::move(message.header);
}

base::Result<PackedPlan> unpack_plan(std::string_view bytes) {
  PENSTOCK_ASSIGN_OR_RETURN(const Value packed, core::decode_transport(bytes, {}));
  const auto text = [&](std::string_view key) -> const Value* {
    const Value* const found = packed.is(Kind::kMap) ? packed.find(key) : nullptr;
    return found != nullptr && found->is(Kind::kText) ? found : nullptr;
  };
  const Value* const source = text("text");
  const Value* const file = text("file");
  if (source == nullptr || file == nullptr || packed.find("inputs") == nullptr ||
      packed.find("host") == nullptr) {
    return base::fail(ErrorCode::kDataLoss, "these bytes are not a packed plan");
  }
  return PackedPlan{.text = source->as_text(),
                    .file = file->as_text(),
                    .tube_inputs = *packed.find("inputs"),
                    .host = *packed.find("host")};
}

base::Result<std::shared_ptr<const flow::Plan>> compile_packed(
    const PackedPlan& packed, std::span<const flow::Resolver* const> resolvers) {
  const auto spec = flow::parse_spec(packed.text, packed.file);
  if (!spec.has_value()) {
    return base::fail(flow::to_error(spec.error()));
  }
  auto plan = flow::Plan::compile(*spec, resolvers, packed.tube_inputs);
  if (!plan.has_value()) {
    return base::fail(flow::to_error(plan.error()));
  }
  return *plan;
}

}  // namespace penstock::exec
