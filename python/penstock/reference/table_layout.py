"""The Arrow formats a table may have, and how each lays out its buffers."""

from __future__ import annotations

import re
import struct
from typing import Any, NamedTuple

from penstock._errors import (
    InvalidArgumentError,
    ResourceExhaustedError,
    UnimplementedError,
    make_error,
)

MAX_TYPE_DEPTH = 64
MAX_INT32, MAX_INT64 = (1 << 31) - 1, (1 << 63) - 1


class Field(NamedTuple):
    """What the Arrow C data interface says about a column, its children and its dictionary."""

    name: str
    format: str
    flags: int
    children: tuple[Field, ...] = ()
    dictionary: Field | None = None


class Array:
    """The slots of a column: `length` of them from `offset` on. Validity None: every slot holds a value.

    Buffers as in Arrow, behind the validity: (bits), (values), (offsets, bytes), (views, bytes ...),
    (offsets), or none.
    """

    def __init__(
        self,
        length: int,
        offset: int,
        validity: bytes | None,
        buffers: list[bytes],
        children: list[Array],
        dictionary: Array | None = None,
    ) -> None:
        self.length, self.offset = length, offset
        self.validity, self.buffers = validity, buffers
        self.children, self.dictionary = children, dictionary

    def is_valid(self, slot: int) -> bool:
        return self.validity is None or bit(self.validity, slot)


class Layout(NamedTuple):
    kind: str  # null, bits, fixed, variable, view, list, fixed_list, struct
    width: int = 0  # bytes of a value, or of an offset
    size: int = 0  # fixed_list: slots of a list
    is_text: bool = False
    is_integer: bool = False  # may index a dictionary
    is_map: bool = False


_SINGLE = {
    "n": Layout("null"),
    "b": Layout("bits"),
    **{letter: Layout("fixed", 1 << i // 2, is_integer=True) for i, letter in enumerate("cCsSiIlL")},
    **{letter: Layout("fixed", 2 << i) for i, letter in enumerate("efg")},
    "u": Layout("variable", 4, is_text=True),
    "U": Layout("variable", 8, is_text=True),
    "z": Layout("variable", 4),
    "Z": Layout("variable", 8),
    "vu": Layout("view", is_text=True),
    "vz": Layout("view"),
    "+l": Layout("list", 4),
    "+L": Layout("list", 8),
    "+m": Layout("list", 4, is_map=True),
    "+s": Layout("struct"),
    **{f: Layout("fixed", 4) for f in ("tdD", "tts", "ttm", "tiM")},
    **{f: Layout("fixed", 8) for f in ("tdm", "ttu", "ttn", "tiD", "tDs", "tDm", "tDu", "tDn")},
    "tin": Layout("fixed", 16),
}


def layout_of(format: str) -> Layout:
    if format in _SINGLE:
        return _SINGLE[format]
    if re.match(r"ts[smun]:", format):
        return Layout("fixed", 8)
    if format.startswith("d:"):
        return _decimal(format)
    for prefix, kind in (("w:", "fixed"), ("+w:", "fixed_list")):
        size = _number(format[len(prefix) :]) if format.startswith(prefix) else None
        if size is not None and size <= MAX_INT32:
            return Layout(kind, width=size) if kind == "fixed" else Layout(kind, size=size)
    raise UnimplementedError(f"Arrow format '{format}'")


def _number(text: str) -> int | None:
    """All of a text as a number that is not negative."""
    if re.fullmatch(r"-0+|[0-9]+", text) is None:
        return None
    number = int(text)
    return number if number <= MAX_INT64 else None


def _decimal(format: str) -> Layout:
    precision, *rest = format[2:].split(",", 2)
    bits = _number(rest[1]) if len(rest) > 1 else 128
    scale = _number(rest[0].removeprefix("-")) if rest else None
    if not _number(precision) or scale is None or bits not in (32, 64, 128, 256):
        raise InvalidArgumentError(f"Arrow decimal format wants 'd:precision,scale[,bits]', seen '{format}'")
    return Layout("fixed", bits // 8)


def check_schema(field: Field, depth: int = 0) -> None:
    if depth > MAX_TYPE_DEPTH:
        raise ResourceExhaustedError(f"Arrow type nests deeper than {MAX_TYPE_DEPTH} levels")
    try:
        layout = layout_of(field.format)
    except (InvalidArgumentError, UnimplementedError) as error:
        error.origin = f"column '{field.name}'"
        raise
    wanted = {"struct": len(field.children), "list": 1, "fixed_list": 1}.get(layout.kind, 0)
    if len(field.children) != wanted:
        raise InvalidArgumentError(
            f"Arrow schema '{field.name}' of format '{field.format}': seen {len(field.children)} children, wanted {wanted}"
        )
    if field.dictionary is not None:
        if not layout.is_integer:
            raise InvalidArgumentError(f"Arrow dictionary '{field.name}' wants integer indices, seen format '{field.format}'")
        if not _may_be_dictionary(field.dictionary):
            raise UnimplementedError(f"Arrow dictionary '{field.name}' with values of format '{field.dictionary.format}'")
        check_schema(field.dictionary, depth + 1)
    for child in field.children:
        check_schema(child, depth + 1)
    if layout.is_map and (field.children[0].format != "+s" or len(field.children[0].children) != 2):
        raise InvalidArgumentError(f"Arrow map '{field.name}' wants a struct of key and value")


def _may_be_dictionary(values: Field) -> bool:
    """Whether the number of values follows from their buffers."""
    try:
        layout = layout_of(values.format)
    except (InvalidArgumentError, UnimplementedError):
        return False
    return values.dictionary is None and (layout.kind in ("variable", "view") or (layout.kind == "fixed" and layout.width > 0))


def schema_form(field: Field) -> Any:
    """A field as the encoding writes it."""
    form: dict[str, Any] = {"name": field.name, "type": field.format, "flags": field.flags}
    if field.children:
        form["children"] = [schema_form(child) for child in field.children]
    if field.dictionary is not None:
        form["dictionary"] = schema_form(field.dictionary)
    return form


def bit(bits: bytes, index: int) -> bool:
    return bits[index >> 3] >> (index & 7) & 1 == 1


def bitmap_bytes(count: int) -> int:
    return (count + 7) // 8


def offsets_of(data: bytes, width: int) -> tuple[int, ...]:
    """Packed offsets of 4 or 8 bytes."""
    return struct.unpack(f"<{len(data) // width}{'i' if width == 4 else 'q'}", data)


def at_column(error: Any, name: str) -> Any:
    """The same error, which says in which column."""
    where = f"column '{name}'"
    origin = f"{where}: {error.origin}" if error.origin else where
    return make_error(error.code, error.message, origin, error.id, error.help, error.trace)
