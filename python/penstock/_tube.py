"""Tube: a pipeline that has been loaded and checked."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Any

from penstock import _core


class Tube:
    """A loaded pipeline: every name resolved, every edge checked. Immutable.

    Made by :meth:`load`; run by :func:`penstock.run` or a runner. Node objects (generators, class
    instances) belong to the tube: they live as long as it does.
    """

    def __init__(self, plan: _core.Plan, source: str, is_path: bool, inputs: dict[str, Any]) -> None:
        self._plan = plan
        self._source = source
        self._is_path = is_path
        self._inputs = inputs

    @classmethod
    def load(
        cls, source: str | os.PathLike | dict, *, inputs: dict[str, Any] | None = None
    ) -> Tube:
        """Load a tube.

        Parameters
        ----------
        source : path, id, YAML text or dict
            A path to a tube file or to a Python file of plain functions (``.py``), the ``noob_id``
            of a tube in a config source (:func:`penstock.add_config_source`), YAML text (anything
            with a newline or a colon), or a dict of the same form with JSON-like values.
        inputs : dict, optional
            Values of the tube-scoped inputs, by name. Unknown names are ignored with
            :class:`penstock.ExtraInputWarning`.

        Raises
        ------
        penstock.LoadError
            Everything that is wrong with the file, at once; ``error.diagnostics`` has it as data.
        """
        tube = cls._load(source, dict(inputs or {}))
        declared = {name for name, scope in tube.inputs.items() if scope == "tube"}
        _warn_about_extra(tube._inputs, declared, "the tube's tube-scoped inputs")
        return tube

    @classmethod
    def _load(cls, source: str | os.PathLike | dict, inputs: dict[str, Any]) -> Tube:
        """load(); what is no input of the tube is ignored without a word."""
        name = "<text>"
        is_path = False
        if isinstance(source, dict):
            import json

            try:
                text = json.dumps(source)
            except (TypeError, ValueError, RecursionError) as error:
                from penstock._errors import InvalidArgumentError

                raise InvalidArgumentError(
                    f"a tube given as dict holds what YAML cannot: {error}"
                ) from error
            name = "<dict>"
        elif isinstance(source, os.PathLike) or not _is_text(source):
            text = os.fspath(source)
            is_path = True
            if not text.endswith((".yaml", ".yml", ".py")) and not os.path.exists(text):
                text = _core.find_tube(text)
            _make_importable(os.path.dirname(os.path.realpath(text)))
        else:
            text = source
        plan = _core.load_plan(text, is_path, inputs, name)
        return cls(plan, text, is_path, inputs)

    @property
    def id(self) -> str:
        """The ``noob_id`` of the file, or ''."""
        return self._plan.noob_id

    @property
    def digest(self) -> str:
        """BLAKE3 of what the tube computes, as hex: comments, formatting and node names do not count."""
        return self._plan.digest

    @property
    def nodes(self) -> dict[str, str]:
        """Node id to type, in the order they are laid out to run."""
        return {id: type for id, type, *_ in self._plan.nodes}

    @property
    def depends(self) -> dict[str, list[str]]:
        """Node id to the ids of the nodes whose signals it uses, each once; inputs are no nodes."""
        return self._plan.depends

    @property
    def inputs(self) -> dict[str, str]:
        """Input id to scope, 'tube' or 'process'."""
        return {id: scope for id, scope, _ in self._plan.inputs}

    def to_yaml(self) -> str:
        """The tube as canonical YAML."""
        return self._plan.to_yaml()

    def __repr__(self) -> str:
        return f"<penstock.Tube {self.id or self._source[:40]!r}: {len(self.nodes)} nodes>"


def _is_text(source: str) -> bool:
    return "\n" in source or ":" in source or source.lstrip().startswith("{")


def _make_importable(folder: str) -> None:
    """Modules beside a tube file may be named in it, as beside a script."""
    if folder not in sys.path:
        sys.path.insert(0, folder)


def _warn_about_extra(given: dict, declared: set[str], what: str) -> None:
    extra = sorted(set(given) - declared)
    if extra:
        from penstock._errors import ExtraInputWarning

        warnings.warn(
            f"Ignoring extra inputs {', '.join(extra)}: not among {what} "
            f"({', '.join(sorted(declared)) or 'none'})",
            ExtraInputWarning,
            stacklevel=3,
        )


def add_config_source(folder: str | os.PathLike) -> None:
    """Find tubes by ``noob_id`` in the ``*.yaml`` and ``*.yml`` files under ``folder``, before others.

    For ``extends``, nested tubes and :meth:`Tube.load`. The user's own folder,
    ``$XDG_CONFIG_HOME/penstock`` or ``~/.config/penstock``, is looked at last.
    """
    _core.add_config_source(os.path.abspath(folder))
