"""Arrays in shared memory: they cross to worker processes without a copy."""

from __future__ import annotations

import math
from typing import Any


def empty(shape: int | tuple[int, ...], dtype: Any = "float64"):
    """An uninitialised, writable numpy array in shared memory.

    Parameters
    ----------
    shape : int or tuple of int
    dtype : numpy dtype
        Any fixed-size dtype without Python objects.

    Notes
    -----
    Under :class:`penstock.MultiProcessRunner` such an array is mapped by the other process; any other
    array is copied once. Cost: O(1) for memory that was used before.
    """
    import numpy as np

    from penstock import _core

    dtype = np.dtype(dtype)
    if dtype.hasobject:
        from penstock._errors import InvalidArgumentError

        raise InvalidArgumentError(f"an array of Python objects cannot be shared: dtype {dtype}")
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    size = math.prod(shape) * dtype.itemsize
    return _core.shared_bytes(max(size, 1))[:size].view(dtype).reshape(shape)
