"""Native scheduler with the inline and the thread executor against oneTBB's flow graph: ns per node.

200,000 nodes with empty bodies: a chain, one source with all others after it (wide), and layers of 1,000 with three
in-edges each. One root epoch per run on a warm, compiled graph on both sides. The C++ sides are scheduler_ours.cc
and scheduler_tbb.cc (what each measures is in its head); this file builds nothing: `make bench` does.
On two threads the bar is a ratio; our machines have two cores, so nothing is said beyond them.
"""

import harness

BARS = {  # (shape, threads): at most ns, at least ratio
    ("layered", 1): (25, None),
    ("layered", 2): (None, 3),
    ("chain", 1): (8, None),
    ("wide", 1): (6, None),
    ("chain", 2): (None, None),
    ("wide", 2): (None, None),
}


def rows(pairs):
    made = []
    for (shape, threads), (most, ratio) in BARS.items():
        sides = [harness.Side([harness.cpp(name), shape, threads], name) for name in ("scheduler_ours", "scheduler_tbb")]
        with sides[0], sides[1]:
            measured = harness.paired(*sides, pairs)
        what = f"scheduler, {shape}, {threads} thread{'s' * (threads > 1)}, per node"
        made.append(harness.bar_row(what, measured, scale=1e9, unit="ns", peer_name="oneTBB", at_most=most, at_least_ratio=ratio))
    return made
