"""encode() in plain Python: what docs/formats/value-encoding.md says, and nothing to make it fast."""

from __future__ import annotations

import math
import os
import struct
import sys
from collections.abc import MutableMapping
from typing import Any

from penstock._errors import InvalidArgumentError, ResourceExhaustedError, make_error
from penstock.reference import identity
from penstock.reference.blake3 import blake3

MAX_DEPTH = 256
INLINE_BYTES = 65_536
BLOCK_BYTES = 1 << 20
RESERVED_KEY = "$penstock"
UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE = range(8)


def encode(value: Any, /, blocks: MutableMapping[str, bytes] | None = None) -> bytes:
    """Canonical DAG-CBOR bytes of a value.

    Buffers longer than 65536 bytes are linked, not contained: their raw blocks are stored as
    blocks[cid] = bytes where `blocks` is a mutable mapping. Cost: O(size), about 1 us a value.
    """
    encoder = _Encoder()
    encoder.write(value, 0)
    if blocks is not None:
        for name, block in encoder.blocks:
            try:
                blocks[name] = block
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                raise InvalidArgumentError(f"cannot store a block: {error}") from None
    return b"".join(encoder.parts)


def memory_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGESIZE")


def head(major: int, argument: int) -> bytes:
    """The first bytes of an item: its kind and its value, length or count, as short as can be."""
    if argument < 24:
        return bytes([major << 5 | argument])
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << 8 * size:
            return bytes([major << 5 | info]) + argument.to_bytes(size, "big")
    raise OverflowError(argument)


class _Encoder:
    """`own`: codecs of one serializer. With `buffers` it writes the root of a message."""

    def __init__(self, own: identity.Own = ({}, {}), buffers: list[bytes] | None = None) -> None:
        self.own = own
        self.parts: list[bytes] = []
        self.blocks: list[tuple[str, bytes]] = []
        self.buffers = buffers

    def head(self, major: int, argument: int) -> None:
        self.parts.append(head(major, argument))

    def form(self, name: str, num_items: int) -> None:
        """Open {"$penstock": [name, ...]}."""
        self.head(MAP, 1)
        self.text(RESERVED_KEY)
        self.head(ARRAY, num_items)
        self.text(name)

    def write(self, value: Any, depth: int) -> None:
        if value is None or value is True or value is False:
            self.head(SIMPLE, {False: 20, True: 21, None: 22}[value])
            return
        kind = kind_of(value, self.own)
        if kind == "registered":
            self.registered(value, depth)
        elif kind == "int":
            self.integer(int.__index__(value))
        elif kind == "float":
            self.real(value)
        elif kind == "text":
            self.text(value)
        elif kind == "bytes":
            self.data(bytes.join(b"", [value]))
        elif kind == "list":
            self.items(list, value, depth)
        elif kind == "tuple":
            self.form("tuple", 2)
            self.items(tuple, value, depth)
        elif kind == "map":
            self.map(value, depth)
        elif kind in ("set", "frozenset"):
            items = [(item,) for item in value]
            self.enter(depth)
            self.sorted(f"python.{kind}", items, depth)
        elif kind == "table":
            self.table(value, depth)
        elif kind in ("array", "buffer", "dlpack"):
            self.array(value, kind)
        else:
            from penstock import _codecs

            name, help = identity.c_name(value), _codecs.help_for(type(value))
            raise make_error("invalid_argument", f"no codec for a value of this type: type={name}", "", "PS0403", help, "")

    def integer(self, value: int) -> None:
        if 0 <= value < 1 << 64:
            self.head(UNSIGNED, value)
        elif -(1 << 64) <= value < 0:
            self.head(NEGATIVE, -1 - value)
        else:
            self.form("int", 3)
            self.integer(1 if value > 0 else -1)
            size = (abs(value).bit_length() + 7) // 8
            self.head(BYTES, size)
            self.parts.append(abs(value).to_bytes(size, "big"))

    def real(self, value: float) -> None:
        bits = struct.pack(">d", value)
        if math.isfinite(value):
            self.parts.append(b"\xfb" + bits)
        else:
            self.form("float", 2)
            self.data(bits)

    def text(self, value: str) -> None:
        data = utf8(value)
        self.head(TEXT, len(data))
        self.parts.append(data)

    def data(self, data: bytes) -> None:
        """The content of a bytes value, an array or a buffer of a table: here, or linked."""
        if len(data) <= INLINE_BYTES:
            self.head(BYTES, len(data))
            self.parts.append(data)
            return
        if self.buffers is not None:
            self.form("buffer", 3)
            self.integer(len(self.buffers))
            self.integer(len(data))
            self.buffers.append(data)
            return
        starts = range(0, len(data), BLOCK_BYTES)
        self.form("bytes", 3)
        self.integer(len(data))
        self.head(ARRAY, len(starts))
        for start in starts:
            block = data[start : start + BLOCK_BYTES]
            hashed = blake3(block)
            self.blocks.append((identity.cid_text(0x55, hashed), block))
            self.head(TAG, 42)
            self.head(BYTES, 37)
            self.parts.append(b"\x00\x01\x55\x1e\x20" + hashed)

    def enter(self, depth: int) -> None:
        if depth >= MAX_DEPTH:
            raise ResourceExhaustedError(f"value is nested too deeply: limit={MAX_DEPTH}")

    def items(self, base: type, items: Any, depth: int) -> None:
        """The items of a list or tuple, by the base's own methods: a subclass is written as its base."""
        self.enter(depth)
        count = base.__len__(items)
        self.head(ARRAY, count)
        for i in range(count):
            if i >= base.__len__(items):
                raise InvalidArgumentError("list changed while it was encoded")
            self.write(base.__getitem__(items, i), depth + 1)

    def map(self, entries: dict, depth: int) -> None:
        self.enter(depth)
        items = []
        for key, value in dict.items(entries):
            if not isinstance(key, str):
                self.sorted("python.dict", list(dict.items(entries)), depth)
                return
            items.append((utf8(key), value))
        items = sorted(items, key=lambda item: (len(item[0]), item[0]))
        for (key, _), (other, _) in zip(items, items[1:], strict=False):
            if key == other:
                raise InvalidArgumentError(f"two keys of a map have the same text: key={key.decode()}")
        escaped = any(key == RESERVED_KEY.encode() for key, _ in items)
        if escaped:
            self.form("map", 2)
        self.head(ARRAY if escaped else MAP, len(items))
        for key, value in items:
            if escaped:
                self.head(ARRAY, 2)
            self.head(TEXT, len(key))
            self.parts.append(key)
            self.write(value, depth + 1)

    def sorted(self, name: str, entries: list[tuple], depth: int) -> None:
        """A set, or a dict with keys other than text: ordered by the encoded items or keys."""
        self.enter(depth + 1)
        is_map = bool(entries) and len(entries[0]) == 2
        if is_map:
            self.enter(depth + 2)
        keys = []
        long_data = False
        for entry in entries:
            encoder = _Encoder(self.own, None if self.buffers is None else [])
            encoder.write(entry[0], depth + (3 if is_map else 2))
            keys.append((b"".join(encoder.parts), entry))
            long_data = long_data or bool(encoder.blocks or encoder.buffers)
        if long_data:
            raise InvalidArgumentError("an item of a set or a key of a map holds more than 65536 bytes of data in one piece")
        keys.sort(key=lambda pair: pair[0])
        self.form("ext", 3)
        self.text(name)
        self.head(ARRAY, len(keys))
        previous = None
        for key, entry in keys:
            if key == previous:
                raise InvalidArgumentError(f"two items or keys have the same encoding: form={name}")
            previous = key
            if is_map:
                self.head(ARRAY, 2)
            self.parts.append(key)
            if is_map:
                self.write(entry[1], depth + 3)

    def registered(self, value: Any, depth: int) -> None:
        self.enter(depth)
        name, payload = identity.payload_of(value, self.own)
        self.form("ext", 3)
        self.text(name)
        self.write(payload, depth + 1)

    def array(self, value: Any, kind: str) -> None:
        from penstock.reference import arrays

        data, dtype, shape = arrays.content_of(value, kind)
        if dtype is None:
            self.data(data)
            return
        self.form("tensor", 4)
        self.text(dtype)
        self.head(ARRAY, len(shape))
        for extent in shape:
            self.integer(extent)
        self.data(data)

    def table(self, value: Any, depth: int) -> None:
        from penstock.reference import tables

        schema, num_rows, buffers = tables.form_of(value)
        self.form("table", 4)
        self.write(schema, depth)
        self.integer(num_rows)
        self.head(ARRAY, len(buffers))
        for buffer in buffers:
            self.data(buffer)


def utf8(text: str) -> bytes:
    try:
        return str.encode(text)
    except UnicodeEncodeError:
        raise InvalidArgumentError("text holds a lone surrogate, which UTF-8 cannot") from None


_BASES = (
    (int, "int"),
    (str, "text"),
    (bytes, "bytes"),
    (list, "list"),
    (tuple, "tuple"),
    (dict, "map"),
    (float, "float"),
)


def kind_of(value: Any, own: identity.Own = ({}, {})) -> str:
    """Which form an object of this type has; "" for none."""
    cls = type(value)
    for base, kind in _BASES:
        if cls is base:
            return kind
    if cls in own[0] or cls in identity.registered_codecs()[0]:
        return "registered"
    # An array exists only where somebody has imported numpy: nothing is imported to ask.
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        # Before the bases: numpy.float64 is a float and keeps its dtype all the same.
        if issubclass(cls, numpy.generic) and not issubclass(cls, numpy.character):
            return "array"
        if issubclass(cls, numpy.ndarray):
            masked = sys.modules.get("numpy.ma")  # a mask would be lost without a word
            return "" if masked is not None and issubclass(cls, masked.MaskedArray) else "array"
    for base, kind in _BASES:
        if issubclass(cls, base):
            return kind
    for base, kind in ((set, "set"), (frozenset, "frozenset")):
        if issubclass(cls, base):
            return kind
    if hasattr(cls, "__arrow_c_stream__"):
        return "table"
    if _has_buffer(value):
        return "buffer"
    if hasattr(cls, "__dlpack__"):
        return "dlpack"
    return "registered" if identity.codec_of_type(cls) is not None else ""


def _has_buffer(value: Any) -> bool:
    try:
        memoryview(value)
    except TypeError as error:
        return not str(error).startswith("memoryview: a bytes-like object is required")
    except Exception:
        pass  # it has one, and refuses to show it
    return True
