"""Inputs: which there are, which were given, which are missing."""

from __future__ import annotations

import warnings
from collections import ChainMap
from enum import StrEnum
from typing import Any

from penstock.compat.noob._model import Model
from penstock.compat.noob.exceptions import ExtraInputWarning, InputMissingError


class InputScope(StrEnum):
    tube = "tube"
    process = "process"


class _NO_DEFAULT:  # noqa: N801 - a mark; a class is its own copy
    """Stands for no default, where None is one."""


class InputSpecification(Model):
    """One entry of ``input``."""

    FIELDS = {
        "id": ...,
        "type_": ...,
        "scope": InputScope.tube,
        "default": _NO_DEFAULT,
        "description": None,
        "required": True,
    }

    id: str
    type_: str
    scope: InputScope
    default: Any
    description: str | None
    required: bool

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self.scope = InputScope(self.scope)
        self.has_default = self.default is not _NO_DEFAULT
        if not self.has_default:
            self.default = None

    def to_dict(self) -> dict:
        written = super().to_dict()
        if not self.has_default:
            written.pop("default", None)
        return written


class InputCollection:
    """The inputs of a tube with the tube-scoped values it was given."""

    def __init__(self, specs: dict[str, InputSpecification], given: dict[str, Any]) -> None:
        self.specs = {
            scope: {id: spec for id, spec in specs.items() if spec.scope is scope} for scope in InputScope
        }
        self.defaults = {id: spec.default for id, spec in specs.items() if spec.has_default}
        self._given: dict[str, Any] = {}
        self._given = self.validate_input(InputScope.tube, given)

    @property
    def chain(self) -> ChainMap:
        """What was given, then defaults."""
        return ChainMap(self._given, self.defaults)

    def get(self, key: str, input: dict | None = None) -> Any:
        """The value of an input; KeyError when it has none and is required."""
        chain = self.chain.new_child(input or {})
        if key in chain:
            return chain[key]
        for specs in self.specs.values():
            if key in specs and not specs[key].required:
                return specs[key].default
        raise KeyError(key)

    def given(self) -> dict[str, Any]:
        """The tube-scoped values, without defaults."""
        return dict(self._given)

    def validate_input(self, scope: InputScope, input: dict) -> dict:
        """Those of ``input`` that are declared for ``scope``; the others are warned about."""
        declared = self.specs[scope]
        known = {name: value for name, value in input.items() if name in declared}
        if len(known) < len(input):
            extra = ", ".join(sorted(set(input) - set(known)))
            warnings.warn(
                f"Ignoring extra input without a specification at scope '{scope}': {extra}",
                ExtraInputWarning,
                stacklevel=4,
            )
        chain = self.chain.new_child(known)
        for id, spec in declared.items():
            if spec.required and id not in chain:
                raise InputMissingError(
                    f"Requested input {id} not present in inputs at scope {scope}",
                    id="PS0301",
                    help=f"give it, for example {id}=...",
                )
        return known
