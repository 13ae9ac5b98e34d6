"""TubeSpecification, a tube as its file has it, and Tube, one that is loaded and checked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from penstock import _core, _errors
from penstock._tube import Tube as _NativeTube, _make_importable
from penstock.compat.noob import _load
from penstock.compat.noob._reborn import Reborn
from penstock.compat.noob._result import ResultShape
from penstock.compat.noob._wiring import Wiring, edges_of, slots_of
from penstock.compat.noob.asset import AssetSpecification
from penstock.compat.noob.config import get_entrypoint_sources
from penstock.compat.noob.edge import Edge
from penstock.compat.noob.exceptions import UnknownTubeError
from penstock.compat.noob.input import InputCollection, InputSpecification
from penstock.compat.noob.node.spec import NodeSpecification
from penstock.compat.noob.node.view import (
    Gather,
    Map,
    NodeView,
    Return,
    TubeNode,
    WrapClassNode,
    WrapFuncNode,
)
from penstock.compat.noob.state import State
from penstock.compat.noob.types import valid_config_id

_VIEWS = {"map": Map, "gather": Gather, "return": Return, "tube": TubeNode}
_HEADER = ("noob_id", "noob_model", "noob_version", "description")


class TubeSpecification:
    """A tube as its file has it, with what it extends. May be changed before a Tube is made of it."""

    def __init__(self, **data: Any) -> None:
        self._read(_load.read_spec(_plain(data)))

    def _read(self, data: dict) -> None:
        self.noob_id: str | None = data.get("noob_id")
        self.noob_model: str = data.get("noob_model", "noob.tube.TubeSpecification")
        self.noob_version: str | None = data.get("noob_version")
        self.description: str | None = data.get("description")
        self.extends = None
        self.input = {id: InputSpecification(id=id, **spec) for id, spec in data.get("input", {}).items()}
        self.assets = {id: AssetSpecification(id=id, **spec) for id, spec in data.get("assets", {}).items()}
        self.nodes = {id: NodeSpecification(id=id, **spec) for id, spec in data.get("nodes", {}).items()}

    @classmethod
    def from_yaml(cls, file_path: str | os.PathLike, context: dict | None = None) -> TubeSpecification:
        """The one in a file. The file stays as it is."""
        made = cls.__new__(cls)
        made._read(_load.read_spec(file_path))
        return made

    @classmethod
    def from_id(cls, id: str, context: dict | None = None) -> TubeSpecification:
        """The one with this ``noob_id`` under the config sources."""
        return cls.from_yaml(find_by_id(id))

    @classmethod
    def from_any(cls, source: Any, context: dict | None = None) -> TubeSpecification:
        """From a path, an id, a dict or a TubeSpecification, which is given back."""
        if isinstance(source, cls):
            return source
        if isinstance(source, dict):
            return cls(**source)
        if valid_config_id(source):
            return cls.from_id(source)
        return cls.from_yaml(source)

    def to_dict(self) -> dict:
        """As it would be written in a file."""
        data = {key: getattr(self, key) for key in _HEADER if getattr(self, key) is not None}
        for section in ("input", "assets", "nodes"):
            parts = getattr(self, section)
            if parts:
                data[section] = {id: _plain(part) for id, part in parts.items()}
        return data

    def model_dump(self, **_: Any) -> dict:
        """As :meth:`to_dict`."""
        return self.to_dict()

    def to_yaml(self, path: str | os.PathLike | None = None, **_: Any) -> str:
        """YAML text, also written to ``path``."""
        text = _core.to_yaml(_load.as_text(self.to_dict()))
        if path is not None:
            Path(path).write_text(text)
        return text

    def __repr__(self) -> str:
        return f"<TubeSpecification {self.noob_id!r}: {len(self.nodes)} nodes>"


def _plain(value: Any) -> Any:
    """Specifications inside a dict as dicts, whatever holds them."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "to_dict"):
        return _plain(value.to_dict())
    return str(value) if isinstance(value, (str, Path)) else value


def find_by_id(id: str) -> str:
    """The path of the tube with this ``noob_id``."""
    get_entrypoint_sources()
    try:
        return _core.find_tube(id)
    except _errors.NotFoundError as error:
        raise UnknownTubeError(error.message, id=error.id, help=error.help) from None


class Tube:
    """A loaded tube: every name resolved, every edge checked. Made by :meth:`from_specification`."""

    def __init__(self, spec: TubeSpecification, source: Any, input: dict) -> None:
        if spec.noob_id is None:
            raise _load.refuse(
                "PS0035", "a tube has no noob_id, and noob's tubes have one", "begin the file with 'noob_id: a-name'"
            )
        self.tube_id = spec.noob_id
        self.spec = spec
        self.input = input
        self.input_collection = InputCollection(spec.input, input)
        faces: dict[str, _load.Face] = {}
        with _load.validation_errors(), _load.watching(faces):
            self._native = _load_native(source, spec, self.input_collection.given())
        self.state = State(spec.assets)
        self.nodes: dict[str, Any] = {}
        self.edges: list[Edge] = []
        self._views: dict[str, NodeView] = {}
        self._epochs = 0  # that any runner has begun: all count on
        self._ended: set[str] = set()  # nodes that have nothing more to give
        self._look_at_nodes(faces)
        self._wiring = Wiring(
            {id: view.spec.type_ for id, view in self._views.items()},
            {id: view.edges for id, view in self._views.items()},
        )

    @classmethod
    def from_specification(cls, spec: Any, input: dict | None = None) -> Tube:
        """Load a tube from a path, an id, a dict or a TubeSpecification.

        Raises
        ------
        pydantic.ValidationError
            Everything that is wrong with it, at once. Also a :class:`penstock.LoadError`, and that only
            where pydantic is not installed.
        InputMissingError
            A required tube-scoped input was not given.
        """
        source = None
        if not isinstance(spec, (TubeSpecification, dict)):
            source = find_by_id(spec) if valid_config_id(spec) else os.fspath(spec)
            spec = TubeSpecification.from_yaml(source)
        return cls(TubeSpecification.from_any(spec), source, dict(input or {}))

    def _look_at_nodes(self, faces: dict[str, _load.Face]) -> None:
        planned = {id: rest for id, *rest in self._native._plan.nodes}
        for id, spec in self.spec.nodes.items():
            face = faces.get(id)
            _, signals, stateful, enabled = planned.get(id, (None, [], False, True))
            slots = slots_of(spec, face)
            view = _view_class(spec, face)(
                spec,
                enabled=enabled,
                stateful=stateful,
                signals=signals or ["value"],
                slots=slots,
                edges=edges_of(spec, slots),
                target=face.target if face is not None else None,
            )
            self._views[id] = view
            self.nodes[id] = _own_object(view, face)
            self.edges += view.edges

    @property
    def has_return(self) -> bool:
        """True when there is a node of type return."""
        return any(isinstance(view, Return) for view in self._views.values())

    @property
    def enabled_nodes(self) -> dict[str, Any]:
        """Those of ``nodes`` that are enabled."""
        return {id: node for id, node in self.nodes.items() if self._views[id].enabled}

    def in_edges(self, node: Any) -> list[Edge]:
        """Edges into a node."""
        id = node if isinstance(node, str) else node.id
        return [edge for edge in self.edges if edge.target_node == id]

    def out_edges(self, node: Any) -> list[Edge]:
        """Edges out of a node."""
        id = node if isinstance(node, str) else node.id
        return [edge for edge in self.edges if edge.source_node == id]

    def _is_over(self) -> bool:
        """True when no enabled node can ever run again."""
        if not self._ended:
            return False
        dead = set(self._ended)
        while True:
            more = {id for id, view in self._views.items() if id not in dead and _is_dead(view, dead)}
            if not more:
                return all(id in dead for id, view in self._views.items() if view.enabled)
            dead |= more

    def _result_shape(self) -> ResultShape | None:
        for id, view in self._views.items():
            if isinstance(view, Return):
                return ResultShape(id, view.spec.depends, view.edges, self._wiring)
        return None

    def _signals(self) -> dict[str, list[str]]:
        return {id: list(view.signals) for id, view in self._views.items()}

    def __repr__(self) -> str:
        return f"<Tube {self.tube_id!r}: {len(self.nodes)} nodes>"


def _is_dead(view: NodeView, dead: set[str]) -> bool:
    feeding = [edge for edge in view.edges if edge.source_node not in ("input", "assets")]
    from_dead = [edge for edge in feeding if edge.source_node in dead]
    return any(edge.required for edge in from_dead) or (bool(feeding) and len(from_dead) == len(feeding))


def _load_native(source: str | None, spec: TubeSpecification, given: dict) -> _NativeTube:
    """By the file where there is one, so that errors name its lines."""
    if source is not None:
        _make_importable(os.path.dirname(os.path.realpath(source)))
    text = source if source is not None else _load.as_text(spec.to_dict())
    plan = _core.load_plan(text, source is not None, given, "<dict>")
    return _NativeTube(plan, text, source is not None, given)


def _view_class(spec: NodeSpecification, face: _load.Face | None) -> type[NodeView]:
    if spec.type_ in _VIEWS:
        return _VIEWS[spec.type_]
    return WrapClassNode if face is not None and face.is_object else WrapFuncNode


def _own_object(view: NodeView, face: _load.Face | None) -> Any:
    """The object itself, where its class is a Node; else what stands for it."""
    target = face.target if face is not None else None
    if getattr(target, "is_noob_node", False) and not isinstance(target, Reborn):
        target.spec = view.spec
        target.enabled = view.enabled
        target._view = view
        return target
    return view


def downstream_nodes(edges: list[Edge], node_id: str, exclude: set[str] | None = None) -> set[str]:
    """The node and all that depend on it, directly or not."""
    found = {node_id}
    queue = [node_id]
    while queue:
        current = queue.pop()
        for edge in edges:
            if edge.source_node == current and edge.target_node not in found | (exclude or set()):
                found.add(edge.target_node)
                queue.append(edge.target_node)
    return found
