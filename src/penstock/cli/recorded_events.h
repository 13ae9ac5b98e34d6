// The events that a run recorded (penstock run --events), as penstock history shows them.
#pragma once

#include "penstock/cli/commands.h"
#include "penstock/flow/history.h"

namespace penstock::cli {

/// Prints events of the run that `command.events` names, oldest first. An exit code.
int show_events(const flow::History& history, const HistoryCommand& command, Session& session);

}  // namespace penstock::cli
