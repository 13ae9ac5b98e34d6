"""Assets as their file has them, and what a tube shows of them."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from penstock.compat.noob._model import Model


class AssetScope(StrEnum):
    runner = "runner"
    process = "process"
    node = "node"


class AssetSpecification(Model):
    """One entry of ``assets``."""

    FIELDS = {"id": ..., "type_": ..., "scope": ..., "params": None, "depends": None, "description": None}

    id: str
    type_: str
    scope: AssetScope
    params: dict | list | None
    depends: str | None
    description: str | None

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self.scope = AssetScope(self.scope)


class Asset:
    """An asset of a tube. The object itself lives in the runner."""

    def __init__(self, spec: AssetSpecification) -> None:
        self.id = spec.id
        self.spec = spec
        self.scope = spec.scope
        self.params = spec.params if spec.params is not None else {}
        self.depends = spec.depends
