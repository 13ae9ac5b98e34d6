"""Model: attributes that come from a map of a tube file and go back into one."""

from __future__ import annotations

import copy
from typing import Any, ClassVar, Self


class Model:
    """``FIELDS`` has the attributes with their defaults (``...``: none). What is written ``type`` is ``type_``."""

    FIELDS: ClassVar[dict[str, Any]] = {}

    def __init__(self, **values: Any) -> None:
        if "type" in values:
            values["type_"] = values.pop("type")
        unknown = [name for name in values if name not in self.FIELDS]
        if unknown:
            raise TypeError(f"unknown key '{unknown[0]}'; known are: {', '.join(self.FIELDS)}")
        for name, default in self.FIELDS.items():
            if name not in values and default is ...:
                raise TypeError(f"missing key '{name.rstrip('_')}'")
            setattr(self, name, values.get(name, default))  # no default can be changed in place

    def to_dict(self) -> dict:
        """As a tube file has it: what is at its default is left out."""
        return {
            name.rstrip("_"): copy.deepcopy(value)
            for name, value in vars(self).items()
            if name in self.FIELDS and name != "id" and value != self.FIELDS[name]
        }

    def model_dump(self, **_: Any) -> dict:
        """All attributes."""
        return {name.rstrip("_"): copy.deepcopy(getattr(self, name)) for name in self.FIELDS}

    def model_copy(self, *, deep: bool = False, update: dict | None = None) -> Self:
        """Another one, equal but for ``update``."""
        other = copy.deepcopy(self) if deep else copy.copy(self)
        for name, value in (update or {}).items():
            setattr(other, name, value)
        return other

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in vars(self).items())})"
