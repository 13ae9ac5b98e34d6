// numpy's large arrays in shared memory, so that what a worker's nodes make leaves without a copy.
#pragma once

namespace penstock::bindings {

/// From now on numpy arrays of 1 MiB and more that this thread makes lie in the shared arena;
/// smaller ones stay where they were. numpy must be imported. Idempotent. Lock held; throws.
void share_numpy_memory();

}  // namespace penstock::bindings
