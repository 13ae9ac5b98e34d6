// events::read_frame and read_record: what they accept can be written again and gives the same.
// An input is the kind of a frame, its count, its first id, and its body; the digest is put right.
#include <cstring>
#include <string>
#include <vector>

#include "target.h"

#include "penstock/core/identity.h"
#include "penstock/core/value.h"
#include "penstock/events/event_file.h"

namespace penstock::fuzz {
namespace {

// Names are Values (16 bytes an item of one byte) and their texts; columns are copied once.
constexpr MemoryLimit kLimit{.fixed = 65'536, .per_byte = 256};

/// A frame with this head and body.
std::string framed(std::string_view input) {
  std::string head(events::kFrameMagic);
  const auto kind = static_cast<std::uint32_t>(static_cast<std::uint8_t>(input[0]));
  const auto count = static_cast<std::uint32_t>(static_cast<std::uint8_t>(input[1]));
  std::int64_t first_id = 0;
  std::memcpy(&first_id, input.data() + 2, sizeof first_id);
  const std::string_view body = input.substr(10);
  const std::uint64_t body_bytes = body.size();
  head.append(reinterpret_cast<const char*>(&kind), sizeof kind);
  head.append(reinterpret_cast<const char*>(&count), sizeof count);
  head.append(reinterpret_cast<const char*>(&first_id), sizeof first_id);
  head.append(reinterpret_cast<const char*>(&body_bytes), sizeof body_bytes);
  const core::Digest inner = core::hash_bytes(body);
  std::string both = head;
  both.append(reinterpret_cast<const char*>(inner.bytes.data()), inner.bytes.size());
  const core::Digest digest = core::hash_bytes(both);
  head.append(reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size());
  return head.append(body);
}

Answer refused(const base::Error& error) {
  if (error.message().empty()) {
    broken("a refusal without a reason");
  }
  return Answer::kRefused;
}

}  // namespace

Answer run_event_log(std::string_view input) {
  // As it is, it is hardly ever a whole frame; nor may it then be read.
  if (events::whole_frame(input) > input.size()) {
    broken("a frame longer than its file");
  }
  if (input.size() < 10) {
    return Answer::kRefused;
  }
  const std::string frame = framed(input);
  if (events::whole_frame(frame) != frame.size()) {
    broken("a frame with its own digest is not whole");
  }
  const MemoryWatch watch(frame.size(), kLimit);
  const auto view = events::read_frame(frame);
  if (!view.has_value()) {
    return refused(view.error());
  }
  std::uint64_t begin = 0;
  for (const std::uint64_t end : view->step.ends) {
    const auto value = events::read_record(view->values.substr(begin, end - begin));
    begin = end;
    if (!value.has_value()) {
      return refused(value.error());
    }
    const auto again = events::make_record(*value);
    if (!again.has_value() || !(*events::read_record(*again) == *value)) {
      broken("a value that is another one when it is written again");
    }
  }
  events::Step step = view->step;
  step.values = view->values;
  std::vector<const events::SeriesName*> names;
  for (const events::SeriesName& name : view->names) {
    names.push_back(&name);
  }
  std::string again;
  if (!events::append_frame(again, step, names).has_value()) {
    broken("a frame that cannot be written again");
  }
  const auto reread = events::read_frame(again);
  if (!reread.has_value() || reread->values != view->values ||
      reread->step.series != view->step.series || reread->step.epochs != view->step.epochs ||
      reread->names.size() != view->names.size()) {
    broken("a frame that is another one when it is written again");
  }
  return Answer::kAccepted;
}

}  // namespace penstock::fuzz

PENSTOCK_FUZZ_TARGET(run_event_log)
