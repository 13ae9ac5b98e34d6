"""decode() in plain Python: strict, one item at a time, nothing to make it fast."""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from penstock._errors import (
    DataLossError,
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    ResourceExhaustedError,
)
from penstock.reference import identity
from penstock.reference.arrays import ITEM_BYTES, array_of
from penstock.reference.blake3 import blake3
from penstock.reference.encoding import (
    ARRAY,
    BLOCK_BYTES,
    BYTES,
    INLINE_BYTES,
    MAP,
    MAX_DEPTH,
    NEGATIVE,
    RESERVED_KEY,
    SIMPLE,
    TAG,
    TEXT,
    UNSIGNED,
    memory_bytes,
)

_MAX_INT64 = (1 << 63) - 1


def decode(data: bytes, /, blocks: Mapping[str, bytes] | None = None) -> Any:
    """The value of canonical DAG-CBOR bytes; DataLossError for anything else.

    `blocks` maps the CID of a linked raw block to its bytes; each block is verified. Cost: O(size),
    about 1 us a value.
    """
    return _Decoder(_contiguous(data), blocks).read_all()


def _contiguous(data: Any) -> bytes:
    """The bytes of any contiguous buffer; TypeError or BufferError for other objects."""
    if type(data) is bytes:
        return data
    copy = array("B")
    copy.frombytes(data)
    return copy.tobytes()


class _Opaque:
    """What stands for an array or an object where only the schema of a table may stand."""


class _Decoder:
    """`own`: codecs of one serializer. With `buffers` it reads the root of a message."""

    def __init__(
        self,
        data: bytes,
        blocks: Mapping[str, bytes] | None,
        own: identity.Own = ({}, {}),
        buffers: list[memoryview] | None = None,
    ) -> None:
        self.data = data
        self.blocks = blocks
        self.own = own
        self.buffers = buffers
        self.at = 0
        self.in_schema = False

    def read_all(self) -> Any:
        value = self.read(0)
        if self.at < len(self.data):
            self.fail("bytes after the end of the value")
        return value

    def fail(self, what: str, error: type = DataLossError) -> NoReturn:
        raise error(f"invalid encoding: {what}: offset={self.at}")

    def remaining(self) -> int:
        return len(self.data) - self.at

    def head(self, wanted: int | None = None, what: str = "") -> tuple[int, int, int]:
        """(major type, five low bits, argument) of the next item; lengths fit the input."""
        if self.remaining() == 0:
            self.fail("input ends inside an item")
        major, info = self.data[self.at] >> 5, self.data[self.at] & 31
        argument = info
        self.at += 1
        if info > 27:
            self.fail(
                "indefinite length, wanted a definite one" if info == 31 else "reserved additional information in an item's first byte"
            )
        if info >= 24:
            size = 1 << info - 24
            if self.remaining() < size:
                self.fail("input ends inside an item")
            argument = int.from_bytes(self.data[self.at : self.at + size], "big")
            if major == SIMPLE and info < 27:
                self.fail("simple value other than false, true and null" if info == 24 else "float shorter than 64 bits")
            if major != SIMPLE and argument < (24 if size == 1 else 1 << 4 * size):
                self.fail("integer or length is not in its shortest form")
            self.at += size
        room = self.remaining() // 2 if major == MAP else self.remaining()
        if major in (BYTES, TEXT, ARRAY, MAP) and argument > room:
            self.fail(f"length beyond the input: length={argument} remaining={self.remaining()}")
        if wanted is not None and major != wanted:
            self.fail(what)
        return major, info, argument

    def take(self, size: int) -> bytes:
        self.at += size
        return self.data[self.at - size : self.at]

    def text_of(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError:
            self.fail("text is not valid UTF-8")

    def text(self) -> str:
        return self.text_of(self.take(self.head(TEXT, "wanted a text string")[2]))

    def bytes(self) -> bytes:
        return self.take(self.head(BYTES, "wanted a byte string")[2])

    def count(self) -> int:
        return self.head(ARRAY, "wanted a list")[2]

    def unsigned(self) -> int:
        return self.head(UNSIGNED, "wanted an unsigned integer")[2]

    def enter(self, depth: int) -> None:
        if depth >= MAX_DEPTH:
            self.fail(f"nested too deeply: limit={MAX_DEPTH}")

    def read(self, depth: int) -> Any:
        major, info, argument = self.head()
        if major == UNSIGNED:
            return argument
        if major == NEGATIVE:
            return -1 - argument
        if major == BYTES:
            self.check_inline(argument)
            return self.take(argument)
        if major == TEXT:
            return self.text_of(self.take(argument))
        if major == ARRAY:
            return self.items(argument, depth)
        if major == MAP:
            return self.map(argument, depth)
        if major == TAG:
            self.fail(f"tag outside a reserved form: tag={argument}")
        if info in (20, 21, 22):
            return (False, True, None)[info - 20]
        if info != 27:
            self.fail("simple value other than false, true and null")
        value = struct.unpack(">d", argument.to_bytes(8, "big"))[0]
        if not math.isfinite(value):
            self.fail("NaN or infinity as a plain float, wanted the reserved form")
        return value

    def check_inline(self, length: int) -> None:
        if length > INLINE_BYTES:
            self.fail("byte string longer than 65536 bytes, wanted links")

    def items(self, count: int, depth: int) -> list:
        self.enter(depth)
        return [self.read(depth + 1) for _ in range(count)]

    def key(self, previous: bytes | None) -> bytes:
        key = self.take(self.head(TEXT, "wanted a text string")[2])
        if previous is not None and (len(previous), previous) >= (len(key), key):
            self.fail("duplicate key in a map" if previous == key else "map keys are not in order")
        return key

    def map(self, count: int, depth: int) -> Any:
        self.enter(depth)
        entries: dict[str, Any] = {}
        previous = None
        for _ in range(count):
            previous = self.key(previous)
            key = self.text_of(previous)
            if key == RESERVED_KEY:
                if count > 1:
                    self.fail("map with the reserved key is not escaped")
                return self.form(depth)
            entries[key] = self.read(depth + 1)
        return entries

    # ---- reserved forms

    def form(self, depth: int) -> Any:
        num_items = self.count()
        if num_items == 0:
            self.fail("reserved form without a name")
        name = self.text()
        forms: dict[str, tuple[int, Callable[[int], Any]]] = {
            "float": (2, self.float),
            "int": (3, self.big_integer),
            "tuple": (2, lambda depth: tuple(self.items(self.count(), depth))),
            "map": (2, self.escaped_map),
            "tensor": (4, self.tensor),
            "table": (4, self.table),
            "ext": (3, self.extension),
        }
        if name not in forms:
            return self.data_form(name, num_items)
        wanted, read = forms[name]
        if num_items != wanted:
            self.fail(f"reserved form with the wrong number of items: form={name} wanted={wanted} seen={num_items}")
        return read(depth)

    def float(self, depth: int) -> float:
        data = self.bytes()
        if len(data) != 8:
            self.fail("float form: wanted 8 bytes")
        value = struct.unpack(">d", data)[0]
        if math.isfinite(value):
            self.fail("float form of a finite number, wanted a plain float")
        return value

    def big_integer(self, depth: int) -> int:
        major, _, argument = self.head()
        negative = (major, argument) == (NEGATIVE, 0)
        if not negative and (major, argument) != (UNSIGNED, 1):
            self.fail("int form: the sign must be 1 or -1")
        magnitude = self.bytes()
        value = int.from_bytes(magnitude, "big")
        value = -value if negative else value
        if magnitude[:1] in (b"", b"\0") or -(1 << 64) <= value < 1 << 64:
            self.fail("int form of an integer that has a shorter form")
        return value

    def escaped_map(self, depth: int) -> dict:
        count = self.count()
        self.enter(depth)
        entries: dict[str, Any] = {}
        previous = None
        for _ in range(count):
            self.pair()
            previous = self.key(previous)
            key = self.text_of(previous)
            entries[key] = self.read(depth + 1)
        if RESERVED_KEY not in entries:
            self.fail("escaped map without the reserved key, wanted a plain map")
        return entries

    def tensor(self, depth: int) -> Any:
        dtype = self.text()
        if dtype not in ITEM_BYTES:
            self.fail("tensor form: unknown dtype")
        shape = []
        for _ in range(self.count()):
            shape.append(self.unsigned())
            if shape[-1] > _MAX_INT64:
                self.fail("tensor form: extent beyond 63 bits")
        data = self.stored()
        count = 0 if 0 in shape else 1
        for extent in shape:
            count *= extent
            if count > _MAX_INT64:
                self.fail(f"tensor form: tensor shape overflows 64 bits: extent={extent}")
        if count * ITEM_BYTES[dtype] != len(data):
            self.fail(f"tensor form: buffer size differs from the tensor's: buffer_bytes={len(data)} num_elements={count} dtype={dtype}")
        return _Opaque() if self.in_schema else array_of(dtype, shape, data)

    def table(self, depth: int) -> Any:
        outer, self.in_schema = self.in_schema, True
        schema = self.read(depth)
        self.in_schema = outer
        num_rows = self.unsigned()
        if num_rows > _MAX_INT64:
            self.fail("table form: number of rows beyond 63 bits")
        buffers = [self.stored() for _ in range(self.count())]
        from penstock.reference import tables

        made = tables.restore(schema, num_rows, buffers)
        return _Opaque() if self.in_schema else tables.to_pyarrow(*made)

    def extension(self, depth: int) -> Any:
        name = self.text()
        self.enter(depth)
        if self.in_schema:
            self.read(depth + 1)
            return _Opaque()
        if name in ("python.set", "python.frozenset"):
            made = self.collection(name, depth + 1)
            return made if name == "python.set" else frozenset(made)
        if name == "python.dict":
            return self.collection(name, depth + 1)
        return identity.object_of(name, self.read(depth + 1), self.own)

    def collection(self, name: str, depth: int) -> Any:
        """The list of items, or of [key, value] lists, ordered by their bytes."""
        is_map = name == "python.dict"

        def refuse(what: str) -> NoReturn:
            raise DataLossError(f"invalid encoding: {name}: {what}")

        major, _, count = self.head()
        if major != ARRAY:
            refuse("wanted a list")
        self.enter(depth)
        made: Any = {} if is_map else set()
        previous = None
        for _ in range(count):
            if is_map:
                self.pair()
                self.enter(depth + 1)
            start = self.at
            key = self.read(depth + (2 if is_map else 1))
            current = self.data[start : self.at]
            if previous is not None and previous >= current:
                refuse("items or keys are not in order, or not unique")
            previous = current
            value = self.read(depth + 2) if is_map else None
            try:
                is_there = key in made
            except TypeError:
                refuse("an item or key is not hashable")
            if is_there:
                refuse("two items or keys are equal")
            if is_map:
                made[key] = value
            else:
                made.add(key)
        if is_map and all(type(key) is str for key in made):
            refuse("all keys are text, wanted a plain map")
        return made

    def pair(self) -> None:
        seen = self.count()
        if seen != 2:
            self.fail(f"list of the wrong length: wanted=2 seen={seen}")

    # ---- data: here, or in linked blocks

    def stored(self) -> bytes:
        major, _, argument = self.head()
        if major == BYTES:
            if self.buffers is None:
                self.check_inline(argument)
            return self.take(argument)
        if major == MAP and argument == 1 and self.text() == RESERVED_KEY:
            num_items = self.count()
            if num_items > 0:
                return self.data_form(self.text(), num_items)
        self.fail("wanted a byte string or what stands for a long one")

    def data_form(self, name: str, num_items: int) -> bytes:
        if self.buffers is None and name == "bytes" and num_items == 3:
            return self.linked()
        if self.buffers is not None and name == "buffer" and num_items == 3:
            return self.outside(self.buffers)
        shown = name.encode()[:40].decode(errors="ignore")
        self.fail(f"unknown reserved form: form={shown} num_items={num_items}")

    def outside(self, buffers: list[memoryview]) -> bytes:
        index, length = self.unsigned(), self.unsigned()
        if index >= len(buffers) or len(buffers[index]) != length:
            self.fail(f"buffer form refers to a buffer that is not there: index={index} length={length} num_buffers={len(buffers)}")
        return bytes(buffers[index])

    def linked(self) -> bytes:
        length = self.unsigned()
        num_links = self.count()
        if length <= INLINE_BYTES or num_links != -(-length // BLOCK_BYTES):
            self.fail(f"bytes form: the number of links does not fit the length: length={length} num_links={num_links}")
        if length > memory_bytes():
            self.fail(
                f"bytes form longer than this machine's memory: length={length}",
                ResourceExhaustedError,
            )
        if self.blocks is None:
            self.fail(
                "encoding links to raw blocks, but there is no block store to read them from",
                FailedPreconditionError,
            )
        parts = []
        for start in range(0, length, BLOCK_BYTES):
            block = self.block(self.link())
            size = min(BLOCK_BYTES, length - start)
            if len(block) != size:
                self.fail(f"linked block of the wrong size: size={len(block)} wanted={size}")
            parts.append(block)
        return b"".join(parts)

    def link(self) -> bytes:
        tag = self.head(TAG, "wanted a link")[2]
        if tag != 42:
            self.fail("tag other than 42")
        cid = self.bytes()
        if len(cid) != 37 or cid[:5] != b"\x00\x01\x55\x1e\x20":
            self.fail("link is not a CIDv1 of a raw block with blake3-256")
        return cid[5:]

    def block(self, hashed: bytes) -> bytes:
        name = identity.cid_text(0x55, hashed)
        try:
            found = self.blocks[name]
        except KeyError:
            raise NotFoundError(f"no such block: cid={name}") from None
        except Exception:
            raise InternalError(f"no such block: cid={name}") from None
        try:
            block = _contiguous(found)
        except Exception as error:
            raise InvalidArgumentError(f"a block must be bytes: {error}") from None
        if blake3(block) != hashed:
            raise DataLossError(f"block does not fit its cid: cid={name}")
        return block
