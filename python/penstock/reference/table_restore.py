"""A table from its canonical form. The form may come from a file or a peer: nothing is believed."""

from __future__ import annotations

import struct
from typing import Any

from penstock._errors import DataLossError, Error, InvalidArgumentError
from penstock.reference.table_layout import (
    MAX_INT32,
    MAX_INT64,
    MAX_TYPE_DEPTH,
    Array,
    Field,
    Layout,
    bitmap_bytes,
    check_schema,
    layout_of,
    offsets_of,
)

_KNOWN_FLAGS = 7  # ordered dictionary, nullable, map keys sorted


def _bad(what: str) -> DataLossError:
    return DataLossError(f"table form: {what}")


def schema_of(form: Any) -> Field:
    """The schema as one struct field without a name."""
    if type(form) is not list:
        raise _bad("wants a list of fields")
    root = Field("", "+s", 0, tuple(_field(field, 1) for field in form))
    try:
        check_schema(root)
    except Error as error:
        raise _bad(error.message) from None
    return root


def _field(form: Any, depth: int) -> Field:
    if depth > MAX_TYPE_DEPTH:
        raise _bad(f"types nest deeper than {MAX_TYPE_DEPTH} levels")
    keys = form if type(form) is dict else {}
    name, format, flags = keys.get("name"), keys.get("type"), keys.get("flags")
    if type(name) is not str or type(format) is not str or type(flags) is not int or not -MAX_INT64 - 1 <= flags <= MAX_INT64:
        raise _bad("a field wants the keys name, type (texts) and flags (an int)")
    if keys.keys() - {"name", "type", "flags", "children", "dictionary"}:
        raise _bad(f"field '{name}' has keys beyond those of the format")
    if "\0" in name or "\0" in format:
        raise _bad("a field's name or type contains a zero byte")
    if flags & ~_KNOWN_FLAGS:
        raise _bad(f"unknown flags: seen {flags}, wanted a sum of 1, 2 and 4")
    children: tuple[Field, ...] = ()
    if "children" in keys:
        if type(keys["children"]) is not list or not keys["children"]:
            raise _bad("'children' wants a list that is not empty")
        children = tuple(_field(child, depth + 1) for child in keys["children"])
    dictionary = _field(keys["dictionary"], depth + 1) if "dictionary" in keys else None
    return Field(name, format, flags, children, dictionary)


class Restorer:
    """Takes the buffers of columns from a list, depth first."""

    def __init__(self, buffers: list[bytes]) -> None:
        self.buffers = buffers
        self.next = 0

    def take(self, wanted: int | None, what: str) -> bytes:
        if self.next == len(self.buffers):
            raise _bad(f"too few buffers: seen {len(self.buffers)}, wanted more ({what})")
        buffer = self.buffers[self.next]
        self.next += 1
        if wanted is not None and len(buffer) != wanted:
            raise _bad(f"size of buffer {self.next - 1} ({what}): seen {len(buffer)} bytes, wanted {wanted}")
        return buffer

    def column(self, field: Field, length: int) -> Array:
        if length > MAX_INT64 // 4:
            raise _bad(f"length of column '{field.name}': seen {length}")
        layout = layout_of(field.format)
        made = Array(length, 0, None, [], [])
        if layout.kind == "null":
            return made
        validity = self.take(None, "validity")
        if len(validity) not in (0, bitmap_bytes(length)):
            raise _bad(f"validity of {length} slots: seen {len(validity)} bytes, wanted 0 or {bitmap_bytes(length)}")
        made.validity = validity or None
        self.body(made, field, layout)
        if field.dictionary is not None:
            made.dictionary = self.dictionary(field.dictionary)
        return made

    def body(self, made: Array, field: Field, layout: Layout) -> None:
        length = made.length
        if layout.kind == "bits":
            made.buffers = [self.take(bitmap_bytes(length), "bits")]
        elif layout.kind == "fixed":
            if length * layout.width > MAX_INT64:
                raise _bad(f"{length} values of {layout.width} bytes do not fit")
            made.buffers = [self.take(length * layout.width, "values")]
        elif layout.kind == "variable":
            made.buffers = list(self.variable(layout.width, length, layout.is_text))
        elif layout.kind == "view":
            made.buffers = self.views(*self.variable(8, length, layout.is_text))
        elif layout.kind == "list":
            made.buffers = [self.offsets(layout.width, length)]
            total = offsets_of(made.buffers[0], layout.width)[-1]
            made.children = [self.column(field.children[0], total)]
        elif layout.kind == "fixed_list":
            if length * layout.size > MAX_INT64:
                raise _bad(f"{length} lists of {layout.size} do not fit")
            made.children = [self.column(field.children[0], length * layout.size)]
        else:
            made.children = [self.column(child, length) for child in field.children]

    def offsets(self, width: int, length: int) -> bytes:
        if (length + 1) * width > MAX_INT64:
            raise _bad(f"{length} rows do not fit")
        data = self.take((length + 1) * width, "offsets")
        offsets = offsets_of(data, width)
        if offsets[0] != 0 or any(a > b for a, b in zip(offsets, offsets[1:], strict=False)):
            raise _bad("offsets do not start at 0 or run backwards")
        return data

    def variable(self, width: int, length: int, is_text: bool) -> tuple[bytes, bytes]:
        packed = self.offsets(width, length)
        offsets = offsets_of(packed, width)
        data = self.take(offsets[-1], "bytes")
        if is_text:
            try:
                data.decode()
                starts_inside = any(data[i : i + 1] and data[i] & 0xC0 == 0x80 for i in offsets[1:-1])
            except UnicodeDecodeError:
                starts_inside = True
            if starts_inside:
                raise _bad("text that is not UTF-8")
        return packed, data

    def views(self, packed: bytes, data: bytes) -> list[bytes]:
        # A view addresses its buffer with 31 bits.
        if len(data) > MAX_INT32:
            raise _bad(f"bytes of a view column: seen {len(data)}, wanted at most 2147483647")
        offsets = offsets_of(packed, 8)
        views = []
        for begin, end in zip(offsets, offsets[1:], strict=False):
            text = data[begin:end]
            rest = text.ljust(12, b"\0") if len(text) <= 12 else text[:4] + struct.pack("<ii", 0, begin)
            views.append(struct.pack("<i", len(text)) + rest)
        return [b"".join(views), data]

    def dictionary(self, field: Field) -> Array:
        """Its length is not written: it follows from the size of its values or of their offsets."""
        layout = layout_of(field.format)
        if self.next + 1 >= len(self.buffers):
            raise _bad("too few buffers for a dictionary")
        size = len(self.buffers[self.next + 1])
        length = size // layout.width if layout.kind == "fixed" else size // (layout.width or 8) - 1
        if length < 0:
            raise _bad("a dictionary without offsets")
        return self.column(field, length)


def restore(form: Any, num_rows: int, buffers: list[bytes]) -> tuple[Field, Array]:
    """(schema, one batch) of a canonical form; DataLossError for any other."""
    from penstock.reference.table_canonical import canonical_buffers

    schema = schema_of(form)
    restorer = Restorer(buffers)
    columns = [restorer.column(field, num_rows) for field in schema.children]
    if restorer.next != len(buffers):
        raise _bad(f"buffers left over: seen {len(buffers)}")
    if num_rows > MAX_INT64 // 4:
        raise InvalidArgumentError(f"Arrow array '' of format '+s': length or offset: seen {num_rows}, wanted 0")
    batch = Array(num_rows, 0, None, [], columns)
    # One value, one form: what does not come back bit by bit was not canonical.
    if canonical_buffers(schema, [batch]) != buffers:
        raise _bad("not canonical (null slots, padding, dictionary order or offsets)")
    return schema, batch
