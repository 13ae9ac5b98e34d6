"""Serializer in plain Python: what docs/formats/message.md says, over the codec's own twin."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from penstock._errors import DataLossError, ResourceExhaustedError
from penstock.reference.decoding import _Decoder
from penstock.reference.encoding import _Encoder, memory_bytes

MAGIC = b"\xd9\xd9\xf7PSKM\x01"
HEAD_BYTES = 24
ALIGNMENT = 64
LONG_BYTES = 65_536


class Serializer:
    """Values to messages and back.

    `types`: classes (dataclasses, enums, pydantic models, named tuples) that this serializer may write
    and make again, besides those given to register_type().
    """

    def __init__(self, types: Iterable[Any] = ()) -> None:
        from penstock import _codecs

        self._own = _codecs.own_codecs(types)

    @property
    def backend(self) -> str:
        return "reference"

    def serialize(self, value: Any, /) -> bytes | memoryview:
        """The message of a value: its canonical encoding, unless it holds data longer than 65536 bytes;
        then a frame that holds the data too. Cost: O(size), about 1 us a value."""
        root, buffers = self._parts(value)
        if not buffers:
            return root if len(root) <= LONG_BYTES else memoryview(root)
        size = HEAD_BYTES + 8 * len(buffers) + len(root)
        for buffer in buffers:
            size = _aligned(size) + len(buffer)
        if size > memory_bytes():
            raise ResourceExhaustedError(
                f"message longer than this machine's memory: size_bytes={size}; serialize_buffers() copies nothing"
            )
        message = bytearray(MAGIC)
        for word in (len(root), len(buffers), *map(len, buffers)):
            message += word.to_bytes(8, "little")
        message += root
        for buffer in buffers:
            message += bytes(_aligned(len(message)) - len(message))
            message += buffer
        return memoryview(message).toreadonly()

    def deserialize(self, data: Any, /) -> Any:
        """The value of a message; DataLossError for anything else. Cost: O(size), about 1 us a value."""
        message = _contiguous(data)
        if message[:1] != MAGIC[:1]:
            return _Decoder(bytes(message), None, self._own).read_all()
        root, buffers = _open(message)
        return _Decoder(root, None, self._own, buffers).read_all()

    def serialize_batch(self, values: Iterable[Any], /) -> list[bytes | memoryview]:
        """The list of the values' messages."""
        return [self.serialize(value) for value in values]

    def deserialize_batch(self, messages: Iterable[Any], /) -> list:
        """The list of the messages' values."""
        return [self.deserialize(message) for message in messages]

    def serialize_buffers(self, value: Any, /) -> tuple[bytes, list[memoryview]]:
        """(header, buffers): data longer than 65536 bytes as a list of memoryviews, the rest as bytes."""
        root, buffers = self._parts(value)
        return root, [memoryview(buffer) for buffer in buffers]

    def deserialize_buffers(self, header: Any, buffers: Sequence[Any], /) -> Any:
        """The value of what serialize_buffers() gave."""
        root = bytes(_contiguous(header))
        return _Decoder(root, None, self._own, [_contiguous(buffer) for buffer in buffers]).read_all()

    def _parts(self, value: Any) -> tuple[bytes, list[bytes]]:
        encoder = _Encoder(self._own, [])
        encoder.write(value, 0)
        return b"".join(encoder.parts), encoder.buffers or []


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _contiguous(data: Any) -> memoryview:
    view = memoryview(data)
    if not view.c_contiguous:
        raise BufferError("a message must lie in contiguous memory")
    return view.cast("B") if view.nbytes else memoryview(b"")


def _open(message: memoryview) -> tuple[bytes, list[memoryview]]:
    """The root and the buffers of a frame."""

    def refuse(what: str, at: int) -> NoReturn:
        raise DataLossError(f"invalid message: {what}: offset={at}")

    def word(at: int) -> int:
        return int.from_bytes(message[at : at + 8], "little")

    if len(message) < HEAD_BYTES or message[:8] != MAGIC:
        refuse("wanted the head of a message", 0)
    root_bytes, count = word(8), word(16)
    left = len(message) - HEAD_BYTES
    if count > left // 8 or root_bytes > left - 8 * count:
        refuse(f"root and buffers beyond the message: root_bytes={root_bytes} num_buffers={count}", 8)
    at = HEAD_BYTES + 8 * count
    root = bytes(message[at : at + root_bytes])
    at += root_bytes
    buffers = []
    for index in range(count):
        length_at = HEAD_BYTES + 8 * index
        length, start = word(length_at), _aligned(at)
        if length == 0 or start + length > len(message):
            refuse(f"buffer beyond the message: index={index} length={length}", length_at)
        if any(message[at:start]):
            refuse("padding that is not zero", at)
        buffers.append(message[start : start + length])
        at = start + length
    if at != len(message):
        refuse("bytes after the last buffer", at)
    return root, buffers
