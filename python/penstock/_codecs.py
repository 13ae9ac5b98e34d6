"""What is written for objects of types that are not the encoding's own, and how they are made again.

Plain functions, used by both backends. A type's own module is never imported to write: an object of it
exists only when somebody has imported it. To read, only the modules named here are imported, and only
types that this process knows by register_type() or register_codec() are made besides. Nothing a message
says is ever run, imported or looked up by name.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

Codec = tuple[str, Callable[[Any], Any], Callable[[Any], Any]]
Class = TypeVar("Class", bound=type)


# ---- the types of Python's library


def _check(is_right: bool, wanted: str) -> None:
    if not is_right:
        raise ValueError(f"wanted {wanted}")


def _integers(payload: Any, count: int, size: int, wanted: str) -> None:
    """A list of `size` items, the first `count` of them integers."""
    _check(type(payload) is list and len(payload) == size and all(type(item) is int for item in payload[:count]), wanted)


def _complex(payload: Any) -> complex:
    _check(type(payload) is list and list(map(type, payload)) == [float, float], "two floats")
    return complex(*payload)


def _range(payload: Any) -> range:
    _integers(payload, 3, 3, "three integers")
    return range(*payload)


def _date(payload: Any) -> Any:
    import datetime

    _integers(payload, 3, 3, "three integers")
    return datetime.date(*payload)


def _check_zone(zone: Any) -> None:
    if zone is not None:
        import datetime

        zoneinfo = sys.modules.get("zoneinfo")
        is_key = zoneinfo is not None and type(zone) is zoneinfo.ZoneInfo
        _check(type(zone) is datetime.timezone or is_key, "a time zone or null")


def _time(payload: Any) -> Any:
    import datetime

    _integers(payload, 5, 6, "five integers and a time zone")
    _check_zone(payload[5])
    return datetime.time(*payload[:4], payload[5], fold=payload[4])


def _datetime(payload: Any) -> Any:
    import datetime

    _integers(payload, 8, 9, "eight integers and a time zone")
    _check_zone(payload[8])
    return datetime.datetime(*payload[:7], payload[8], fold=payload[7])


def _timedelta(payload: Any) -> Any:
    import datetime

    _integers(payload, 3, 3, "three integers")
    made = datetime.timedelta(*payload)
    _check([made.days, made.seconds, made.microseconds] == payload, "days, seconds and microseconds in their ranges")
    return made


def _timezone_payload(zone: Any) -> list:
    offset, *name = zone.__getinitargs__()
    return [offset.days, offset.seconds, offset.microseconds, name[0] if name else None]


def _timezone(payload: Any) -> Any:
    import datetime

    _integers(payload, 3, 4, "three integers and a name")
    offset, name = _timedelta(payload[:3]), payload[3]
    _check(name is None or type(name) is str, "a name of text or null")
    return datetime.timezone(offset) if name is None else datetime.timezone(offset, name)


def _zoneinfo_payload(zone: Any) -> str:
    if zone.key is None:
        raise ValueError("a ZoneInfo read from a file has no key")
    return zone.key


def _zoneinfo(payload: Any) -> Any:
    import zoneinfo

    _check(type(payload) is str, "a text")
    try:
        return zoneinfo.ZoneInfo(payload)
    except (zoneinfo.ZoneInfoNotFoundError, OSError):
        from penstock._errors import FailedPreconditionError

        raise FailedPreconditionError(
            f"no such time zone on this machine: key={payload}", help="pip install tzdata"
        ) from None


def _decimal(payload: Any) -> Any:
    import decimal

    _check(type(payload) is str, "a text")
    try:
        made = decimal.Decimal(payload)
    except decimal.InvalidOperation:
        raise ValueError("wanted a number") from None
    _check(str(made) == payload, "a number as Decimal writes it")
    return made


def _uuid(payload: Any) -> Any:
    import uuid

    _check(type(payload) is bytes, "16 bytes")
    return uuid.UUID(bytes=payload)


_PATHS = {
    "posix": "PosixPath",
    "windows": "WindowsPath",
    "pure-posix": "PurePosixPath",
    "pure-windows": "PureWindowsPath",
}


def _path_payload(kind: str) -> Callable[[Any], list]:
    return lambda path: [kind, str(path)]


def _path(payload: Any) -> Any:
    import os
    import pathlib

    _check(type(payload) is list and len(payload) == 2 and type(payload[1]) is str, "a kind and a text")
    kind, text = payload
    _check(kind in _PATHS, "a kind of path")
    # A path of the other system can be spoken of, not opened.
    foreign = "windows" if os.name == "posix" else "posix"
    made = getattr(pathlib, _PATHS["pure-" + kind if kind == foreign else kind])(text)
    _check(str(made) == text, "a path as pathlib writes it")
    return made


# ---- Pillow

_PIXEL_BYTES = {"L": 1, "P": 1, "LA": 2, "PA": 2, "RGB": 3, "RGBA": 4, "RGBX": 4, "RGBa": 4, "La": 2}
_PIXEL_BYTES |= {"CMYK": 4, "YCbCr": 3, "LAB": 3, "HSV": 3, "I": 4, "F": 4, "I;16": 2, "I;16B": 2}


def _image_payload(image: Any) -> list:
    if image.mode != "1" and image.mode not in _PIXEL_BYTES:
        raise ValueError(f"an image of this mode has no form: mode={image.mode}")
    data = image.tobytes()  # also reads the file of an image that was opened and not loaded yet
    palette = None
    if image.mode in ("P", "PA"):
        mode = image.palette.mode
        palette = [mode, bytes(image.getpalette(mode))]
    return [image.mode, image.width, image.height, data, palette]


def _image(payload: Any) -> Any:
    wanted = "a mode, a width, a height, data and a palette"
    _check(type(payload) is list and len(payload) == 5, wanted)
    mode, width, height, data, palette = payload
    _check((type(mode), type(width), type(height), type(data)) == (str, int, int, bytes), wanted)
    _check(mode == "1" or mode in _PIXEL_BYTES, "a mode we know")
    _check(width >= 0 and height >= 0, "a width and a height")
    row = (width + 7) // 8 if mode == "1" else width * _PIXEL_BYTES[mode]
    _check(len(data) == row * height, "as many bytes as the image has")  # before memory is taken
    _check((palette is not None) == (mode in ("P", "PA")), "a palette where the mode has one")
    try:
        from PIL import Image
    except ModuleNotFoundError:
        from penstock._errors import FailedPreconditionError

        raise FailedPreconditionError("an image needs Pillow", help="pip install pillow") from None

    made = Image.frombytes(mode, (width, height), data) if data else Image.new(mode, (width, height))
    if palette is not None:
        _check(type(palette) is list and list(map(type, palette)) == [str, bytes], "a palette of a mode and bytes")
        _check(palette[0] in ("RGB", "RGBA") and len(palette[1]) <= 256 * len(palette[0]), "a palette of a mode we know")
        made.putpalette(palette[1], palette[0])
    return made


# ---- the table: name, module and attribute of the type, to_payload; and from_payload by name

_SHIPPED: list[tuple[str, str, str, Callable[[Any], Any]]] = [
    ("python.complex", "builtins", "complex", lambda z: [z.real, z.imag]),
    ("python.range", "builtins", "range", lambda r: [r.start, r.stop, r.step]),
    ("python.date", "datetime", "date", lambda d: [d.year, d.month, d.day]),
    (
        "python.datetime",
        "datetime",
        "datetime",
        lambda t: [t.year, t.month, t.day, t.hour, t.minute, t.second, t.microsecond, t.fold, t.tzinfo],
    ),
    ("python.time", "datetime", "time", lambda t: [t.hour, t.minute, t.second, t.microsecond, t.fold, t.tzinfo]),
    ("python.timedelta", "datetime", "timedelta", lambda d: [d.days, d.seconds, d.microseconds]),
    ("python.timezone", "datetime", "timezone", _timezone_payload),
    ("python.zoneinfo", "zoneinfo", "ZoneInfo", _zoneinfo_payload),
    ("python.decimal", "decimal", "Decimal", str),
    ("python.uuid", "uuid", "UUID", lambda u: u.bytes),
    *(("python.path", "pathlib", attribute, _path_payload(kind)) for kind, attribute in _PATHS.items()),
]
_READERS: dict[str, Callable[[Any], Any]] = {
    "python.complex": _complex,
    "python.range": _range,
    "python.date": _date,
    "python.datetime": _datetime,
    "python.time": _time,
    "python.timedelta": _timedelta,
    "python.timezone": _timezone,
    "python.zoneinfo": _zoneinfo,
    "python.decimal": _decimal,
    "python.uuid": _uuid,
    "python.path": _path,
    "pillow.image": _image,
}


def find_for_type(cls: type) -> tuple[str, Callable[[Any], Any]] | None:
    """(name, to_payload) of a type that needs no registration."""
    for name, module, attribute, to_payload in _SHIPPED:
        if getattr(sys.modules.get(module), attribute, None) is cls:
            return name, to_payload
    pillow = sys.modules.get("PIL.Image")
    if pillow is not None and issubclass(cls, pillow.Image):
        return "pillow.image", _image_payload
    return None


def find_for_name(name: str) -> Callable[[Any], Any] | None:
    """from_payload of a name of ours."""
    read = _READERS.get(name)
    return None if read is None else _strict(name, read)


def _strict(name: str, read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`read`, which refuses a payload that does not fit as other damaged bytes are refused."""

    def strict(payload: Any) -> Any:
        from penstock._errors import DataLossError, Error

        try:
            return read(payload)
        except (Error, MemoryError):
            raise
        except Exception as error:
            raise DataLossError(f"invalid encoding: {name}: {error}") from None

    return strict


# ---- classes of the user


def help_for(cls: type) -> str:
    """The line that makes a value of a type without a codec encodable."""
    if _kind_of(cls) is not None:
        return f"register the class once, before values are written or read: penstock.register_type({cls.__name__})"
    return "return built-in types, arrays or tables, or call penstock.register_codec()"


def register_type(cls: Class, /, *, name: str | None = None) -> Class:
    """Let objects of a dataclass, an enum, a named tuple or a pydantic model be written and read.

    Also a decorator. They are written under `name`, "module.Class" unless it is given, and made again
    only where the class is registered under the same name, from what they hold: __init__,
    __post_init__ and validators do not run. Private attributes of a model are not kept.
    """
    from penstock.reference.identity import register_codec  # one table for both backends

    found, to_payload, from_payload = codec_of(cls, name)
    register_codec(cls, found, to_payload, from_payload)
    return cls


def codec_of(cls: type, name: str | None = None) -> Codec:
    """The codec of a class of the user."""
    kind = _kind_of(cls) if isinstance(cls, type) else None
    if kind is None:
        shown = cls.__name__ if isinstance(cls, type) else repr(cls)
        raise TypeError(f"wanted a dataclass, an enum, a named tuple or a pydantic model: seen {shown}; use register_codec()")
    name = name or f"{cls.__module__}.{cls.__qualname__}"
    to_payload, from_payload = kind(cls)
    return name, to_payload, _strict(name, from_payload)


def own_codecs(types: Iterable[Any]) -> tuple[dict, dict]:
    """(type -> (name, to_payload), name -> from_payload) of what Serializer(types=...) was given.

    Each is a class, as for register_type(), or the four arguments of register_codec() as a tuple.
    """
    by_type: dict[type, tuple] = {}
    by_name: dict[str, Callable] = {}
    for entry in types:
        if isinstance(entry, tuple) and len(entry) == 4:
            cls, name, to_payload, from_payload = entry
        else:
            cls = entry
            name, to_payload, from_payload = codec_of(entry)
        if not (isinstance(cls, type) and isinstance(name, str) and callable(to_payload) and callable(from_payload)):
            raise TypeError("Serializer wants classes, or (type, name, to_payload, from_payload)")
        if cls in by_type or name in by_name:
            raise ValueError(f"two codecs for one type or name: type={cls.__name__} name={name}")
        by_type[cls] = (name, to_payload)
        by_name[name] = from_payload
    return by_type, by_name


_Pair = tuple[Callable[[Any], Any], Callable[[Any], Any]]


def _kind_of(cls: type) -> Callable[[type], _Pair] | None:
    enum, pydantic = sys.modules.get("enum"), sys.modules.get("pydantic")
    if enum is not None and issubclass(cls, enum.Flag):
        return _flag
    if enum is not None and issubclass(cls, enum.Enum):
        return _enum
    if pydantic is not None and issubclass(cls, pydantic.BaseModel):
        return _model
    if hasattr(cls, "__dataclass_fields__"):
        return _dataclass
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return _named_tuple
    return None


def _enum(cls: Any) -> _Pair:
    def read(payload: Any) -> Any:
        member = cls.__members__.get(payload) if type(payload) is str else None
        _check(member is not None and member.name == payload, "the name of a member")
        return member

    return lambda member: member.name, read


def _flag(cls: Any) -> _Pair:
    def names(flag: Any) -> list:
        members = list(flag)
        if sum(member.value for member in members) != flag.value:
            raise ValueError(f"a flag that its members do not make up: value={flag.value}")
        return [member.name for member in members]

    def read(payload: Any) -> Any:
        made = cls(0)
        _check(type(payload) is list, "a list of the names of members")
        for name in payload:
            member = cls.__members__.get(name) if type(name) is str else None
            _check(member is not None, "the name of a member")
            made |= member
        _check(names(made) == payload, "the names of members, in order")
        return made

    return names, read


def _map_of(payload: Any, names: Iterable[str]) -> dict:
    _check(type(payload) is dict and payload.keys() == set(names), f"a map with the fields {', '.join(names)}")
    return payload


def _dataclass(cls: Any) -> _Pair:
    import dataclasses

    names = [field.name for field in dataclasses.fields(cls)]

    def read(payload: Any) -> Any:
        made = object.__new__(cls)
        for name, value in _map_of(payload, names).items():
            object.__setattr__(made, name, value)  # frozen or not
        return made

    return lambda record: {name: getattr(record, name) for name in names}, read


def _named_tuple(cls: Any) -> _Pair:
    names = cls._fields

    def read(payload: Any) -> Any:
        _check(type(payload) is list and len(payload) == len(names), f"a list of {len(names)} items")
        return tuple.__new__(cls, payload)

    return list, read


def _model(cls: Any) -> _Pair:
    from pydantic import BaseModel

    names = list(cls.model_fields)

    def write(model: Any) -> list:
        extra = model.__pydantic_extra__
        return [{name: getattr(model, name) for name in names}, sorted(model.model_fields_set), extra]

    def read(payload: Any) -> Any:
        _check(type(payload) is list and len(payload) == 3, "fields, the names of those set, and others")
        fields, given, extra = payload
        _check(type(given) is list and all(type(name) is str for name in given), "a list of names")
        _check(given == sorted(set(given)), "a list of names in order")
        _check(extra is None or type(extra) is dict, "a map of other fields or null")
        private = {
            name: attribute.get_default()
            for name, attribute in cls.__private_attributes__.items()
            if attribute.default_factory is None
        }
        made = cls.__new__(cls)
        state = {"__dict__": _map_of(fields, names), "__pydantic_fields_set__": set(given)}
        BaseModel.__setstate__(made, state | {"__pydantic_extra__": extra, "__pydantic_private__": private or None})
        return made

    return write, read
