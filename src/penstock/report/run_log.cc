#include "penstock/report/run_log.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "penstock/report/json_text.h"

namespace penstock::report {
namespace {

std::string to_item(std::int32_t node, std::int64_t t_us, std::string_view line) {
  JsonText item(true);
  item.begin_array().integer(t_us);
  node >= 0 ? item.integer(node) : item.null();
  std::string text(line.substr(0, RunLog::kMaxLineBytes));
  if (text.size() < line.size()) {
    text += " ...";
  }
  item.null().text(level_of(line)).text(text).end_array();
  return item.take();
}

void append_item(const std::string& item, std::string* list) {
  if (!list->empty()) {
    *list += ',';
  }
  *list += item;
}

}  // namespace

std::string_view level_of(std::string_view line) {
  // Loggers print "WARNING: x", "WARNING:root:x", "[error] x", "Traceback (most recent call
  // last):".
  constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kWords{
      {{"error", "error"},
       {"critical", "error"},
       {"fatal", "error"},
       {"traceback", "error"},
       {"warn", "warning"},
       {"debug", "debug"},
       {"trace", "debug"}}};
  const std::size_t begin = line.find_first_not_of(" [");
  std::string start(begin == std::string_view::npos ? "" : line.substr(begin, 12));
  std::transform(start.begin(), start.end(), start.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  for (const auto& [word, level] : kWords) {
    if (start.starts_with(word)) {
      return level;
    }
  }
  return "info";
}

void RunLog::add(std::int32_t node, std::int64_t t_us, std::string_view line) {
  if (!nodes_.contains(node) && nodes_.size() >= kMaxNodes) {
    return;
  }
  NodeLines& lines = nodes_[node];
  if (lines.num_first < kFirst && num_first_ < kTotalFirst) {
    ++lines.num_first;
    ++num_first_;
    append_item(to_item(node, t_us, line), &pending_);
    return;
  }
  lines.kept.push_back(to_item(node, t_us, line));
  if (lines.kept.size() > kLast) {
    lines.kept.pop_front();
  }
}

std::string RunLog::take_record(bool checkpoint) {
  if (checkpoint) {
    for (auto& [node, lines] : nodes_) {
      for (const std::string& item : lines.kept) {
        append_item(item, &pending_);
      }
      lines.kept.clear();
    }
  }
  return pending_.empty() ? "" : R"({"type":"log","lines":[)" + std::exchange(pending_, {}) + "]}";
}

}  // namespace penstock::report
