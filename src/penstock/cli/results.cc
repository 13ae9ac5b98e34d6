// See results.h.
#include "penstock/cli/results.h"

#include <fmt/format.h>

#include "penstock/core/table.h"
#include "penstock/core/tensor.h"
#include "penstock/report/json.h"

namespace penstock::cli {
namespace {

using core::Kind;
using core::Value;

/// Appends until the text is long enough; then "..." once, and nothing more.
class Line {
 public:
  explicit Line(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  bool full() const { return out_.size() >= max_bytes_; }
  void add(std::string_view text) {
    if (cut_) {
      return;
    }
    const std::size_t room = max_bytes_ > out_.size() ? max_bytes_ - out_.size() : 0;
    if (text.size() > room) {
      std::size_t end = room;
      while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) {
        --end;  // not inside a character
      }
      out_ += text.substr(0, end);
      out_ += "...";
      cut_ = true;
      return;
    }
    out_ += text;
  }
  std::string take() { return std::move(out_); }

 private:
  std::size_t max_bytes_;
  std::string out_;
  bool cut_ = false;
};

void append(const Value& value, Line& line) {
  if (line.full()) {
    line.add(" ");
    return;
  }
  const auto all = [&line](const auto& members, std::string_view open, std::string_view close,
                           auto each) {
    line.add(open);
    bool first = true;
    for (const auto& member : members) {
      if (!first) {
        line.add(", ");
      }
      first = false;
      if (line.full()) {
        break;
      }
      each(member);
    }
    line.add(close);
  };
  switch (value.kind()) {
    case Kind::kList:
    case Kind::kTuple:
      all(value.as_list(), value.is(Kind::kList) ? "[" : "(", value.is(Kind::kList) ? "]" : ")",
          [&line](const Value& item) { append(item, line); });
      return;
    case Kind::kMap:
      all(value.as_map(), "{", "}", [&line](const core::MapEntry& entry) {
        line.add(report::to_json(Value::text(entry.first)));
        line.add(": ");
        append(entry.second, line);
      });
      return;
    case Kind::kTable:
      line.add(fmt::format("<table {} rows x {} columns>", value.as_table()->num_rows(),
                           value.as_table()->num_columns()));
      return;
    case Kind::kTensor:
      line.add(fmt::format("<tensor {} values>", value.as_tensor()->num_elements()));
      return;
    case Kind::kBytes:
      line.add(fmt::format("<{} bytes>", value.as_bytes().size()));
      return;
    default:
      line.add(report::to_json(value));
  }
}

}  // namespace

std::string one_line(const Value& value, std::size_t max_bytes) {
  Line line(max_bytes);
  append(report::to_shown(value), line);
  return line.take();
}

}  // namespace penstock::cli
