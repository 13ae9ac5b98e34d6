"""The one list of buffers that the columns of a table have, however they lie in memory.

Rules: docs/formats/value-encoding.md, Tables.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from penstock._errors import DataLossError, Error, ResourceExhaustedError
from penstock.reference.table_layout import (
    MAX_INT32,
    MAX_INT64,
    Array,
    Field,
    Layout,
    at_column,
    bit,
    bitmap_bytes,
    layout_of,
    offsets_of,
)

_MAX_BARE_SLOTS = 1 << 24


class Piece(NamedTuple):
    """Slots of a column that lie in one array."""

    array: Array
    begin: int
    length: int


Valid = list[bool] | None  # None: every slot holds a value


def canonical_buffers(schema: Field, batches: list[Array]) -> list[bytes]:
    buffers: list[bytes] = []
    for c, field in enumerate(schema.children):
        pieces = []
        for batch in batches:
            column = batch.children[c]
            if batch.length > 0:
                pieces.append(Piece(column, column.offset + batch.offset, batch.length))
        try:
            _add_column(buffers, field, pieces, None)
        except Error as error:
            raise at_column(error, field.name) from None
    return buffers


def _slots(pieces: list[Piece], valid: Valid) -> Iterator[tuple[Array, int, bool]]:
    """(array, index, is it valid) for each slot of a column."""
    number = 0
    for array, begin, length in pieces:
        for i in range(begin, begin + length):
            yield array, i, valid is None or valid[number]
            number += 1


def _total(pieces: list[Piece]) -> int:
    return sum(piece.length for piece in pieces)


def _pack_bits(bits: list[bool]) -> bytes:
    out = bytearray(bitmap_bytes(len(bits)))
    for i, value in enumerate(bits):
        out[i >> 3] |= value << (i & 7)
    return bytes(out)


def _pack_offsets(ends: list[int], width: int) -> bytes:
    if width == 4 and ends and ends[-1] > MAX_INT32:
        raise ResourceExhaustedError(
            f"one column of a table with 32-bit offsets holds {ends[-1]} elements, wanted at most "
            "2147483647; use the large form of its type"
        )
    return struct.pack(f"<{len(ends) + 1}{'i' if width == 4 else 'q'}", 0, *ends)


def _add_column(buffers: list[bytes], field: Field, pieces: list[Piece], parent: Valid) -> None:
    layout = layout_of(field.format)
    if layout.kind == "null":
        return
    valid = None
    if parent is not None or any(piece.array.validity is not None for piece in pieces):
        valid = [held and array.is_valid(i) for array, i, held in _slots(pieces, parent)]
        valid = None if all(valid) else valid
    if field.dictionary is not None:
        _add_dictionary(buffers, field, layout, pieces, valid)
        return
    buffers.append(b"" if valid is None else _pack_bits(valid))
    if layout.kind == "bits":
        slots = _slots(pieces, valid)
        buffers.append(_pack_bits([held and bit(array.buffers[0], i) for array, i, held in slots]))
    elif layout.kind == "fixed":
        zeros = bytes(layout.width)
        slots = _slots(pieces, valid)
        buffers.append(b"".join(slot_bytes(layout, array, i) if held else zeros for array, i, held in slots))
    elif layout.kind in ("variable", "view"):
        _add_variable(buffers, layout, pieces, valid)
    elif layout.kind == "list":
        _add_list(buffers, field, layout, pieces, valid)
    elif layout.kind == "fixed_list":
        _add_fixed_list(buffers, field, layout.size, pieces, valid)
    else:
        for c, child in enumerate(field.children):
            below = [Piece(a.children[c], a.children[c].offset + begin, n) for a, begin, n in pieces]
            _add_column(buffers, child, below, valid)


def slot_bytes(layout: Layout, array: Array, slot: int) -> bytes:
    """The bytes of one value."""
    if layout.kind == "fixed":
        return array.buffers[0][slot * layout.width : (slot + 1) * layout.width]
    if layout.kind == "variable":
        begin, end = _range(array, layout.width, slot)
        return array.buffers[1][begin:end]
    # 16 bytes: length, then the bytes themselves (at most 12), or prefix, buffer index and offset.
    view = array.buffers[0][slot * 16 : slot * 16 + 16]
    length, _, buffer, offset = struct.unpack("<iiii", view)
    if length < 0:
        raise _bad_offsets()
    return view[4 : 4 + length] if length <= 12 else array.buffers[1 + buffer][offset : offset + length]


def _range(array: Array, width: int, slot: int) -> tuple[int, int]:
    begin, end = offsets_of(array.buffers[0][slot * width : (slot + 2) * width], width)
    if not 0 <= begin <= end:
        raise _bad_offsets()
    return begin, end


def _bad_offsets() -> DataLossError:
    return DataLossError("offsets of an Arrow array run backwards or below zero")


def _add_variable(buffers: list[bytes], layout: Layout, pieces: list[Piece], valid: Valid) -> None:
    texts: list[bytes] = []
    ends: list[int] = []
    for array, i, held in _slots(pieces, valid):
        texts.append(slot_bytes(layout, array, i) if held else b"")
        ends.append((ends[-1] if ends else 0) + len(texts[-1]))
    buffers += [_pack_offsets(ends, layout.width or 8), b"".join(texts)]


def _add_list(buffers: list[bytes], field: Field, layout: Layout, pieces: list[Piece], valid: Valid) -> None:
    ends: list[int] = []
    below: list[Piece] = []
    for array, i, held in _slots(pieces, valid):
        begin, end = _range(array, layout.width, i)
        child = array.children[0]
        if end > child.length:
            raise _bad_offsets()
        if held and end > begin:
            below.append(Piece(child, child.offset + begin, end - begin))
        ends.append((ends[-1] if ends else 0) + (end - begin if held else 0))
    buffers.append(_pack_offsets(ends, layout.width))
    _add_column(buffers, field.children[0], below, None)


def _add_fixed_list(buffers: list[bytes], field: Field, size: int, pieces: list[Piece], valid: Valid) -> None:
    below = [Piece(array.children[0], array.children[0].offset + begin * size, length * size) for array, begin, length in pieces]
    inherited = None
    if valid is not None:
        total = len(valid) * size
        if total > MAX_INT64 or (total > _MAX_BARE_SLOTS and not _takes_room(field.children[0])):
            raise ResourceExhaustedError(
                f"fixed-size lists of elements without content: seen {len(valid)} lists of {size}, "
                f"wanted at most {_MAX_BARE_SLOTS} elements in all"
            )
        inherited = [held for held in valid for _ in range(size)]
    _add_column(buffers, field.children[0], below, inherited)


def _takes_room(field: Field) -> bool:
    """Whether each slot of a column needs at least a bit of some buffer."""
    layout = layout_of(field.format)
    if layout.kind == "struct" or (layout.kind == "fixed_list" and layout.size > 0):
        return any(map(_takes_room, field.children))
    return layout.kind not in ("null", "fixed_list") and (layout.kind != "fixed" or layout.width > 0)


def _add_dictionary(buffers: list[bytes], field: Field, layout: Layout, pieces: list[Piece], valid: Valid) -> None:
    values = layout_of(field.dictionary.format)
    codes: dict[bytes, int] = {}  # in order of first use
    indices, held_slots = [], []
    for array, i, held in _slots(pieces, valid):
        entries = array.dictionary
        code = None
        if held:
            data = array.buffers[0][i * layout.width : (i + 1) * layout.width]
            # Beyond int64 there is no dictionary: such an index is refused, as a negative one is.
            index = int.from_bytes(data, "little", signed=field.format in "csilL")
            if not 0 <= index < entries.length:
                raise DataLossError(f"index beyond the dictionary of column '{field.name}': seen {index}, wanted 0 to {entries.length - 1}")
            slot = entries.offset + index
            if entries.is_valid(slot):
                code = codes.setdefault(slot_bytes(values, entries, slot), len(codes))
        held_slots.append(code is not None)
        indices.append((code or 0).to_bytes(8, "little")[: layout.width])
    buffers.append(b"" if all(held_slots) else _pack_bits(held_slots))
    buffers += [b"".join(indices), b""]
    if values.kind != "fixed":
        ends: list[int] = []
        for text in codes:
            ends.append((ends[-1] if ends else 0) + len(text))
        if values.width == 4 and ends and ends[-1] > MAX_INT32:
            raise ResourceExhaustedError(f"dictionary of column '{field.name}' holds {ends[-1]} bytes, wanted at most 2147483647")
        buffers.append(_pack_offsets(ends, values.width or 8))
    buffers.append(b"".join(codes))
