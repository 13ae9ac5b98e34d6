// penstock explain: the catalogue of error ids.
#include <fmt/format.h>

#include "penstock/cli/commands.h"
#include "penstock/core/operator.h"
#include "penstock/flow/explain.h"

namespace penstock::cli {

int explain(const ExplainCommand& command, Session& session) {
  if (command.id.empty()) {
    for (const flow::ErrorTopic& topic : flow::error_topics()) {
      session.terminal.out(fmt::format("{}  {}", topic.id, topic.title));
    }
    return kOk;
  }
  if (const flow::ErrorTopic* const topic = flow::find_error_topic(command.id)) {
    session.terminal.out(flow::to_text(*topic));
    return kOk;
  }
  std::vector<std::string> known;
  for (const flow::ErrorTopic& topic : flow::error_topics()) {
    known.emplace_back(topic.id);
  }
  const std::string guess = core::nearest_name(command.id, known);
  session.terminal.error(flow::Diagnostic{
      .id = "PS0903",
      .message = fmt::format("unknown error id '{}'", command.id),
      .location = {},
      .excerpt = {},
      .help = guess.empty()
                  ? "'penstock explain' lists all ids"
                  : fmt::format("did you mean '{}'? 'penstock explain' lists all", guess)});
  return kUsage;
}

}  // namespace penstock::cli
