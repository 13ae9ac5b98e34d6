"""Arrow tables to and from their canonical form: a schema, a number of rows, a list of buffers.

A table arrives as what the Arrow C data interface says: two C structs, read here with ctypes, so that
nothing but the producer of the table is needed. Columns become plain `Array` objects, and those one list
of canonical buffers. The way back refuses what would not give the same buffers again.
"""

from __future__ import annotations

import ctypes
import errno
from typing import Any

from penstock._errors import FailedPreconditionError, InvalidArgumentError, make_error
from penstock.reference.table_canonical import canonical_buffers
from penstock.reference.table_layout import (
    Array,
    Field,
    bitmap_bytes,
    check_schema,
    layout_of,
    offsets_of,
    schema_form,
)
from penstock.reference.table_restore import restore as restore

_KNOWN_FLAGS = 7  # those that say something about the type


class _Schema(ctypes.Structure):
    pass


_Schema._fields_ = [
    ("format", ctypes.c_char_p),
    ("name", ctypes.c_char_p),
    ("metadata", ctypes.c_void_p),
    ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("children", ctypes.POINTER(ctypes.POINTER(_Schema))),
    ("dictionary", ctypes.POINTER(_Schema)),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Schema))),
    ("private_data", ctypes.c_void_p),
]


class _Array(ctypes.Structure):
    pass


_Array._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(_Array))),
    ("dictionary", ctypes.POINTER(_Array)),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Array))),
    ("private_data", ctypes.c_void_p),
]


class _Stream(ctypes.Structure):
    pass


_Stream._fields_ = [
    (
        "get_schema",
        ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.POINTER(_Schema)),
    ),
    ("get_next", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.POINTER(_Array))),
    ("get_last_error", ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.POINTER(_Stream))),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Stream))),
    ("private_data", ctypes.c_void_p),
]


def form_of(value: Any) -> tuple[list, int, list[bytes]]:
    """(schema, number of rows, buffers) of an object that has __arrow_c_stream__."""
    schema, batches = _arrived(value)
    rows = sum(batch.length for batch in batches)
    return (
        [schema_form(field) for field in schema.children],
        rows,
        canonical_buffers(schema, batches),
    )


def _arrived(value: Any) -> tuple[Field, list[Array]]:
    pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
    pointer_of.argtypes, pointer_of.restype = [ctypes.py_object, ctypes.c_char_p], ctypes.c_void_p
    try:
        capsule = value.__arrow_c_stream__()
        stream = _Stream.from_address(pointer_of(capsule, b"arrow_array_stream"))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise InvalidArgumentError(f"cannot read a table through __arrow_c_stream__: {error}") from None
    here = ctypes.byref(stream)
    try:
        c_schema = _Schema()
        _check(stream, stream.get_schema(here, ctypes.byref(c_schema)), "Arrow stream gives no schema")
        try:
            schema = _field_of(c_schema)
        finally:
            c_schema.release(ctypes.byref(c_schema))
        batches = []
        while True:
            batch = _Array()
            _check(stream, stream.get_next(here, ctypes.byref(batch)), "Arrow stream broke off")
            if not batch.release:
                break
            try:
                # Of other types than a struct nothing is read: they are refused below.
                batches += [_array_of(batch, schema)] if schema.format == "+s" else []
            finally:
                batch.release(ctypes.byref(batch))
    finally:
        stream.release(here)
    check_schema(schema)
    if schema.format != "+s":
        raise InvalidArgumentError(f"a table is an Arrow struct '+s', seen format '{schema.format}'")
    for batch in batches:
        for i in range(batch.length):
            if not batch.is_valid(batch.offset + i):
                raise InvalidArgumentError(f"record batch has a null row, wanted none: row {i}")
    return schema, batches


def _check(stream: _Stream, code: int, what: str) -> None:
    if code != 0:
        reason = stream.get_last_error(ctypes.byref(stream)) or b"no reason given"
        kind = "cancelled" if code == errno.ECANCELED else "invalid_argument"
        raise make_error(kind, f"{what}: {reason.decode(errors='replace')}", "", "", "", "")


def _field_of(schema: _Schema) -> Field:
    return Field(
        (schema.name or b"").decode(),
        schema.format.decode(),
        schema.flags & _KNOWN_FLAGS,
        tuple(_field_of(schema.children[i].contents) for i in range(schema.n_children)),
        _field_of(schema.dictionary.contents) if schema.dictionary else None,
    )


def _array_of(array: _Array, field: Field) -> Array:
    """A copy of the producer's buffers. Their sizes are not told: they follow from the type."""
    try:
        layout = layout_of(field.format)
    except (InvalidArgumentError, NotImplementedError):
        return Array(0, 0, None, [], [])  # check_schema() refuses it
    end = array.offset + array.length

    def read(number: int, size: int) -> bytes:
        at = array.buffers[number]
        return ctypes.string_at(at, size) if at and size > 0 else b""

    has_validity = array.n_buffers > 0 and array.null_count != 0
    validity = read(0, bitmap_bytes(end)) if has_validity else b""
    buffers = []
    if layout.kind == "bits":
        buffers = [read(1, bitmap_bytes(end))]
    elif layout.kind == "fixed":
        buffers = [read(1, end * layout.width)]
    elif layout.kind in ("variable", "list"):
        buffers = [read(1, (end + 1) * layout.width)]
        if layout.kind == "variable":
            buffers.append(read(2, offsets_of(buffers[0], layout.width)[-1] if buffers[0] else 0))
    elif layout.kind == "view":
        count = array.n_buffers - 3
        sizes = offsets_of(read(array.n_buffers - 1, 8 * count), 8)
        buffers = [read(1, end * 16), *(read(2 + i, sizes[i]) for i in range(count))]
    children = [_array_of(array.children[i].contents, child) for i, child in enumerate(field.children)]
    dictionary = _array_of(array.dictionary.contents, field.dictionary) if field.dictionary else None
    return Array(array.length, array.offset, validity or None, buffers, children, dictionary)


def to_pyarrow(schema: Field, batch: Array) -> Any:
    """The restored table as a pyarrow.Table."""
    try:
        import pyarrow
    except ImportError:
        error = FailedPreconditionError("a table needs pyarrow to be shown to Python")
        error.help = "pip install 'penstock[table]'"
        raise error from None
    exported = _exported(schema)
    types = pyarrow.Schema._import_from_c(ctypes.addressof(exported))
    columns = [_to_pyarrow(a, t.type) for a, t in zip(batch.children, types, strict=True)]
    rows = pyarrow.StructArray.from_buffers(pyarrow.struct(list(types)), batch.length, [None], children=columns)
    return pyarrow.Table.from_batches([pyarrow.RecordBatch.from_struct_array(rows)], schema=types)


_released = type(_Schema().release)(lambda schema: setattr(schema.contents, "release", type(_released)()))


def _exported(field: Field) -> _Schema:
    """A C schema whose memory is Python's: it lives as long as the object returned."""
    children = [_exported(child) for child in field.children]
    schema = _Schema(field.format.encode(), field.name.encode(), None, field.flags, len(children))
    if children:
        schema.children = (ctypes.POINTER(_Schema) * len(children))(*map(ctypes.pointer, children))
    if field.dictionary is not None:
        schema.dictionary = ctypes.pointer(_exported(field.dictionary))
    schema.release = _released
    return schema


def _to_pyarrow(array: Array, type: Any) -> Any:
    import pyarrow

    buffers = [b and pyarrow.py_buffer(b) for b in [array.validity]]
    buffers += [pyarrow.py_buffer(buffer) for buffer in array.buffers]
    if array.dictionary is not None:
        values = _to_pyarrow(array.dictionary, type.value_type)
        return pyarrow.DictionaryArray.from_buffers(type, array.length, buffers, values)
    inner = [type.field(i).type for i in range(type.num_fields)]
    if pyarrow.types.is_map(type):
        inner = [pyarrow.struct([type.key_field, type.item_field])]
    if pyarrow.types.is_null(type):
        buffers = [None]
    children = [_to_pyarrow(a, t) for a, t in zip(array.children, inner, strict=True)]
    return pyarrow.Array.from_buffers(type, array.length, buffers, children=children)
