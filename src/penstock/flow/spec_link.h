// Linking: a Spec with every other tube it names. Between parsing and compiling.
//
//   extends   the bases are read and merged in; the Spec extends nothing any more
//   nodes of type tube: NodeSpec::tube is what their parameter `tube` names
#pragma once

#include <expected>
#include <string>

#include "penstock/flow/spec.h"

namespace penstock::flow {

/// True when link_spec() has something to do.
bool needs_link(const Spec& spec);

/// Links `spec` in place. An entry names a file (it ends in .yaml or .yml; relative to the folder
/// of the naming file) or a noob_id (spec_sources.h). Problems: a tube that is not there, cannot be
/// read or has problems of its own (all reported), tubes that extend or contain each other in a
/// circle, nesting deeper than 32. On a problem `spec` is what could be linked. Reads files.
Diagnostics link_spec(Spec& spec);

}  // namespace penstock::flow
