"""What a map is given, in the tests of maps over other things than lists."""

import numpy as np
import pyarrow as pa


def vector():
    return np.arange(6, dtype=np.int32)[::2]


def matrix():
    return np.arange(6.0).reshape(2, 3).T


def numbers():
    return range(3)


def scalar():
    return np.float64(1.5)


def table():
    return pa.table({"a": [1, 2]})


def twice(value):
    return value * 2
