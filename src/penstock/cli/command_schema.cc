// penstock schema: the JSON Schema of tube files.
#include "penstock/cli/commands.h"
#include "penstock/flow/spec_schema.h"

namespace penstock::cli {

int schema(Session& session) {
  session.terminal.out(flow::tube_schema());
  return kOk;
}

}  // namespace penstock::cli
