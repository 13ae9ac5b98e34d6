// Where the command writes: results to standard output, everything else to standard error.
//
// Owner thread only.
#pragma once

#include <string>
#include <string_view>

#include "penstock/base/result.h"
#include "penstock/flow/diagnostic.h"
#include "penstock/report/progress.h"

namespace penstock::cli {

class Terminal {
 public:
  explicit Terminal(report::ColorMode color = report::ColorMode::kAuto);

  /// One line (or several) of the result; a newline is added.
  void out(std::string_view text);
  /// The same, for people: progress, notes, errors.
  void note(std::string_view text);
  void error(const flow::Diagnostic& problem);
  /// Rendered like a diagnostic, with node, epoch and the first lines of the foreign trace.
  void error(const base::Error& error);

  bool color_out() const { return color_out_; }
  bool color_note() const { return color_note_; }
  report::ColorMode color() const { return color_; }

 private:
  report::ColorMode color_;
  bool color_out_, color_note_;
};

/// `error` as text, at most twelve lines, no trailing newline.
std::string render(const base::Error& error, bool color);

}  // namespace penstock::cli
