"""Nodes for test_hostile_input.py."""

import os
import resource
import signal

import numpy as np
import pyarrow as pa


def check(path, keep):
    """The path of a file that is gone by then, unless it is to be kept."""
    if not keep:
        os.unlink(path)
    return path


def table(rows):
    return pa.table({"n": np.random.default_rng(1).integers(0, 1 << 60, rows)})


def zeros(mib):
    """In a process that may have no more than 128 MiB of shared memory in one piece."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (128 << 20, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    return np.zeros(mib << 17)


def size(array):
    return array.nbytes
