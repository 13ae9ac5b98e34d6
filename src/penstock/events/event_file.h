// The file form of an event store: frames that are whole or not there, docs/formats/event-log.md.
//
// Only bytes here: building a frame and taking it apart. What is read may be anything; nothing is
// trusted before it is checked.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/value.h"
#include "penstock/events/event_names.h"

namespace penstock::events {

enum class FrameKind : std::uint32_t { kRows = 1, kClear = 2 };
/// How the values of a frame lie in it.
enum class ValueForm : std::uint32_t { kEncoded = 0, kFloat = 1, kInt = 2, kBool = 3 };

inline constexpr std::string_view kFrameMagic = "PSEVENT1";
inline constexpr std::size_t kFrameHeadBytes = 64;

/// A step of a store's life: rows that were added, or a clear.
struct Step {
  FrameKind kind = FrameKind::kRows;
  std::int64_t first_id = 0;  ///< of the rows; of a clear, the first id it leaves alone

  // kRows: one entry per row. `values` holds records (kEncoded, ended by `ends`) or numbers.
  ValueForm form = ValueForm::kEncoded;
  std::vector<Series> series;
  std::vector<std::int64_t> epochs, timestamps;
  std::vector<std::uint64_t> ends;
  std::string values;

  // kClear.
  bool all = false;
  std::int64_t epoch = 0;
  SeriesName::Path path;
};

/// A step as it lies in a file. Views are into the file's bytes.
struct StepView {
  Step step;  ///< without `values`
  std::string_view values;
  std::vector<SeriesName> names;  ///< that are new, in the order of their numbers
};

/// Appends the frame of `step`. `new_names`: those that the file does not have yet.
base::Status append_frame(std::string& out, const Step& step,
                          std::span<const SeriesName* const> new_names);

/// Bytes of the frame that `bytes` begins with; 0 when it is cut short or not what was written.
std::size_t whole_frame(std::string_view bytes);
/// What whole_frame() found good. kDataLoss when it makes no sense all the same.
base::Result<StepView> read_frame(std::string_view frame);

/// A value and the blocks its encoding links to, as one record.
base::Result<std::string> make_record(const core::Value& value);
base::Result<core::Value> read_record(std::string_view record);

}  // namespace penstock::events
