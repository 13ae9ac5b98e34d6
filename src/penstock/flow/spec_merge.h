// The merge rule of `extends` (docs/formats/tube.md, "extends"). Internal to flow.
#pragma once

#include "penstock/flow/spec.h"

namespace penstock::flow {

/// `base` under `over`: maps key by key, `params` included; whatever else `over` gives replaces;
/// `depends` is replaced whole; order of first appearance; of two returns with different ids only
/// the one of `over` stays. Marks of `base` keep their place in its sources.
Spec merge_specs(Spec base, Spec over);

}  // namespace penstock::flow
