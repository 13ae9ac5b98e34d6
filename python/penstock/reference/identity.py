"""Digest and CID of a value, and the table of registered types."""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Callable
from typing import Any

from penstock._backend import core
from penstock._errors import InvalidArgumentError, make_error
from penstock.reference.blake3 import blake3

_TABLES: tuple[dict, dict] = ({}, {}) if core is None else core.registered_codecs()


def registered_codecs() -> tuple[dict, dict]:
    """type -> (name, to_payload) and name -> from_payload: the extension's own tables, where it is."""
    return _TABLES


_TYPE = type  # which a parameter of register_codec hides


def digest(value: Any, /) -> str:
    """BLAKE3-256 of the value's canonical encoding, as 64 hexadecimal digits."""
    from penstock.reference.encoding import encode

    return blake3(encode(value)).hex()


def cid(value: Any, /) -> str:
    """Content address of the value: CIDv1, dag-cbor, blake3, in base32."""
    return cid_text(0x71, bytes.fromhex(digest(value)))


def cid_text(codec: int, hash_bytes: bytes) -> str:
    """The CIDv1 of a block: 0x71 for dag-cbor, 0x55 for raw."""
    return "b" + b32encode(bytes([1, codec, 0x1E, 32]) + hash_bytes).decode().rstrip("=").lower()


def register_codec(type: type, name: str, to_payload: Callable[[Any], Any], from_payload: Callable[[Any], Any], /) -> None:
    """Let values of exactly `type` be encoded, under `name`. Both backends share one table.

    to_payload(object) gives what is written (any encodable value); from_payload(payload) gives
    the object back.
    """
    if not (isinstance(type, _TYPE) and isinstance(name, str) and callable(to_payload) and callable(from_payload)):
        raise TypeError("register_codec wants a type, a name and two functions (to_payload, from_payload)")
    name.encode()  # raises for what is not UTF-8
    if name.startswith("python."):
        raise ValueError(f"names that begin with python. are Penstock's own: name={name}")
    by_type, by_name = registered_codecs()
    if type in by_type or name in by_name:
        raise ValueError(f"a codec is registered already: type={type.__name__} name={name}")
    if core is not None:
        core.register_codec(type, name, to_payload, from_payload)
    else:
        by_type[type] = (name, to_payload)
        by_name[name] = from_payload


def c_name(object: Any) -> str:
    """What C code calls the type of an object that is no text: "collections.deque", "Money"."""
    try:
        str.upper(object)
    except TypeError as error:  # descriptor 'upper' for 'str' objects doesn't apply to a 'set' object
        return str(error).rsplit("'", 2)[1]
    return "str"


Own = tuple[dict, dict]  # the codecs of one Serializer: type -> (name, to_payload), name -> from_payload


def codec_of_type(cls: type, own: Own = ({}, {})) -> tuple[str, Callable[[Any], Any]] | None:
    """(name, to_payload) of a type: those of the serializer, those registered, those that come with us."""
    from penstock import _codecs

    return own[0].get(cls) or registered_codecs()[0].get(cls) or _codecs.find_for_type(cls)


def payload_of(object: Any, own: Own = ({}, {})) -> tuple[str, Any]:
    """The registered name of an object's type, and its payload."""
    name, to_payload = codec_of_type(type(object), own)
    try:
        return name, to_payload(object)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise InvalidArgumentError(f"a registered codec failed to give the payload: {error}") from None


def object_of(name: str, payload: Any, own: Own = ({}, {})) -> Any:
    """The object of a registered type."""
    from penstock import _codecs

    from_payload = own[1].get(name) or registered_codecs()[1].get(name) or _codecs.find_for_name(name)
    if from_payload is None:
        raise make_error(
            "failed_precondition",
            f"value of a type nobody registered here: type={name}",
            "",
            "",
            "call penstock.register_codec() or penstock.register_type() for it before decoding",
            "",
        )
    return from_payload(payload)
