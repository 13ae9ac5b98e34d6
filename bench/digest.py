"""Digest of a 64 MiB float64 tensor from Python, with two threads; gigabytes per second.

Peers: blake3 from PyPI with two threads over the same bytes (not the same digest: ours is the Merkle digest of the
tensor's blocks), hashlib.blake2b on one thread (it has no more). Answer: the same digest twice, another for other bytes.
"""

import time

import harness

BYTES = 64 << 20


def array():
    import numpy

    return numpy.arange(BYTES // 8, dtype=numpy.float64)


def timed(digest):
    values = array()
    expected = digest(values)
    other = values.copy()
    other[12_345] += 1
    sound = digest(values) == expected and digest(other) != expected

    def sample():
        start = time.perf_counter()
        found = digest(values)
        return time.perf_counter() - start, sound and found == expected

    return sample


def ours(stack):
    import penstock as ps

    return timed(ps.digest)


def blake3(stack):
    import blake3

    return timed(lambda values: blake3.blake3(values.data.cast("B"), max_threads=2).digest())


def blake2b(stack):
    import hashlib

    return timed(lambda values: hashlib.blake2b(values.data.cast("B"), digest_size=32).digest())


def rows(pairs):
    made = []
    for peer in ("blake3", "blake2b"):
        with harness.python_side("digest", "ours") as side, harness.python_side("digest", peer, harness.PEERS) as other:
            measured = harness.paired(side, other, pairs)
        speed = BYTES / 1e9 / measured["ours"]["median"]
        made.append(
            harness.Row(
                "digest of a 64 MiB tensor, 2 threads", "GB/s", speed, ">= 6 GB/s", speed >= 6, peer,
                BYTES / 1e9 / measured["peer"]["median"], measured["ratio"], measured["ratio_interval"], measured,
            )
        )  # fmt: skip
    return made
