// What is wrong with the `report:` list of a tube, as far as it can be known before the run.
// The keys of each kind: docs/formats/run-record.md, "Plots".
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "penstock/core/value.h"
#include "penstock/flow/diagnostic.h"
#include "penstock/flow/spec.h"

namespace penstock::report {

struct PlotProblem {
  std::vector<std::string> path;  ///< of the wrong part: {"0", "points", "lon"}
  bool at_key = false;            ///< the key itself is wrong, not its value
  std::string message, help;
};

/// What a tube says about its result before it runs.
struct KnownResult {
  bool exists = true;                            ///< false: no node of type return
  std::optional<std::vector<std::string>> keys;  ///< of a map; none: not known
  /// Columns of the tables whose columns the tube lists, by path ("result.flights").
  std::map<std::string, std::vector<std::string>> columns;
};
KnownResult known_result(const flow::Spec& spec);

/// An unknown kind or key, a missing key, a value of the wrong kind; of what `known` covers, a
/// result or column that is not there. In the order of the list.
std::vector<PlotProblem> find_plot_problems(const core::Value& report,
                                            const KnownResult& known = {});

/// The same for one plot, with paths that start in it.
std::vector<PlotProblem> find_problems_of_plot(const core::Value& plot,
                                               const KnownResult& known = {});

/// The problems of the tube's report list with their places, as PS0026; at most 20. Paths and
/// columns are held against known_result() unless other parts of the tube are `broken`.
flow::Diagnostics check_report(const flow::Spec& spec, bool broken = false);

}  // namespace penstock::report
