// Whether this process is a copy of the one that made something: threads, locks held by other
// threads and children are not copied by fork().
#pragma once

namespace penstock::base {

/// How often this process and those it is a copy of have been copied by fork() on the way from the
/// first call of this function to now; it grows in the copy only. Thread-safe, a few ns.
int num_forks();

}  // namespace penstock::base
