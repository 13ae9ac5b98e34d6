"""Arrays to and from their elements as bytes: C order, little endian, without gaps."""

from __future__ import annotations

import math
import os
import sys
from typing import Any

from penstock._errors import InvalidArgumentError, ResourceExhaustedError
from penstock.reference.identity import c_name

ITEM_BYTES = {"bool": 1, "int8": 1, "int16": 2, "int32": 4, "int64": 8}
ITEM_BYTES |= {"uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8}
ITEM_BYTES |= {"float16": 2, "float32": 4, "float64": 8, "complex64": 8, "complex128": 16}
# The letters of PEP 3118: kind and size name the dtype, as "l" has the size of its platform.
_KINDS = {letter: kind for kind, letters in (("int", "bhilqn"), ("uint", "BHILQN"), ("float", "efd")) for letter in letters}
_KINDS |= {"?": "bool", "Zf": "complex", "Zd": "complex"}


def content_of(value: Any, kind: str) -> tuple[bytes, str | None, tuple[int, ...]]:
    """(elements, dtype, shape) of an array or another buffer; dtype None: plain bytes."""
    if kind == "dlpack":
        import numpy

        try:
            value = numpy.from_dlpack(value)
        except Exception as error:
            raise InvalidArgumentError(f"cannot read an array through DLPack: {error}") from None
    try:
        view = memoryview(value)
    except Exception as error:
        raise InvalidArgumentError(f"array has no tensor form: {error}") from None
    if kind == "buffer" and view.ndim == 1 and view.itemsize == 1 and view.format != "?":
        return view.tobytes(), None, ()
    order, letters = "@", view.format
    if letters[:1] in tuple("@=<>!"):
        order, letters = letters[0], letters[1:]
    dtype = _KINDS.get(letters, "")
    dtype += str(view.itemsize * 8) if dtype not in ("", "bool") else ""
    if dtype not in ITEM_BYTES or view.suboffsets:
        raise InvalidArgumentError(
            f"array elements have no tensor form (wanted bool, integers, floats or complex numbers): type={c_name(value)} format={letters}"
        )
    size = math.prod(view.shape) * view.itemsize
    if not view.c_contiguous and size > os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGESIZE"):
        raise ResourceExhaustedError(f"tensor longer than this machine's memory: size_bytes={size}")
    data = view.tobytes()
    part = view.itemsize // 2 if dtype.startswith("complex") else view.itemsize
    if order in ">!" or (order in "@=" and sys.byteorder == "big"):
        data = b"".join(data[i : i + part][::-1] for i in range(0, len(data), part))
    return data, dtype, tuple(view.shape)


def array_of(dtype: str, shape: list[int], data: bytes) -> Any:
    """A read-only numpy array; a numpy scalar when there are no dimensions."""
    import numpy

    array = numpy.ndarray(shape, numpy.dtype(dtype).newbyteorder("<"), data)
    return array if shape else array[()]
