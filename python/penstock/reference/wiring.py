"""Read a tube given as a dict into plain node records, for interpreter.py.

No cleverness: every rule of docs/design/0002-run-rule.md, sections 1, 3, 4.4 and 5.3, that is decided at
load time is decided here. A wrong tube raises LoadError; its `kind` is one of the words in KINDS.
"""

import inspect
import types
import typing
from dataclasses import dataclass, field

KINDS = (
    "cycle", "cross-map", "duplicate-slot", "gather-mode", "generator-slot", "return-count",
    "unknown-asset", "unknown-input", "unknown-node", "unknown-signal", "unknown-slot",
)  # fmt: skip


class LoadError(ValueError):
    def __init__(self, kind, message):
        assert kind in KINDS
        super().__init__(f"{kind}: {message}")
        self.kind = kind


@dataclass
class Edge:
    source: str  # node id, "input" or "assets"
    signal: str
    slot: object  # int for the position, str for a keyword
    required: bool = True
    region: tuple = ()  # region of the source signal


@dataclass
class Node:
    id: str
    kind: str  # map | gather | return | tube | generator | object | function
    call: object  # function, class or generator function; None for the special kinds
    signals: list
    params: dict
    edges: list = field(default_factory=list)
    enabled: bool = True
    region: tuple = ()
    scalar: bool = False  # depends was one string
    mode: str = ""  # gather only: close | count | trigger


def read(tube, resolve, tube_inputs):
    """Return the nodes of `tube` by id, in an order in which producers come first."""
    nodes = {}
    for id_, spec in tube["nodes"].items():
        nodes[id_] = read_node(id_, spec, resolve, tube_inputs)
    if sum(node.kind == "return" for node in nodes.values()) > 1:
        raise LoadError("return-count", "more than one return")
    for node in nodes.values():
        for edge in node.edges:
            check_source(edge, nodes, tube.get("input", {}), tube.get("assets", {}))
    ordered = in_order(nodes)
    for node in ordered.values():
        place(node, ordered)
    return ordered


def read_node(id_, spec, resolve, tube_inputs):
    params = {
        key: tube_inputs[value[6:]] if isinstance(value, str) and value.startswith("input.") else value
        for key, value in spec.get("params", {}).items()
    }
    enabled = spec.get("enabled", True)
    if isinstance(enabled, str):
        enabled = bool(tube_inputs[enabled.removeprefix("input.")])
    type_ = spec["type"]
    if type_ in ("map", "gather", "return"):
        kind, call = type_, None
        signals = {"map": ["value", "n"], "gather": ["value"], "return": []}[type_]
        slots = {"map": {"value": True}, "gather": {"value": True, "trigger": False, "n": True}}.get(type_, {})
        extra = type_ == "return"
    elif type_ == "tube":
        kind, call, extra = type_, params["tube"], False
        signals, slots = face_of_tube(call)
    else:
        call = resolve(type_)
        function = call.process if inspect.isclass(call) else call
        kind = "object" if inspect.isclass(call) else "function"
        if inspect.isgeneratorfunction(call):
            kind = "generator"
        signals = signal_names(function)
        slots, extra = slots_of(function, skip_self=kind == "object")
    node = Node(id_, kind, call, signals, params, enabled=enabled)
    depends = spec.get("depends")
    node.scalar = isinstance(depends, str)
    node.edges = edges_of(id_, [depends] if node.scalar else depends or [], slots, extra, kind == "tube")
    if kind == "generator" and node.edges:
        raise LoadError("generator-slot", f"{id_}: a generator takes params only")
    return node


def face_of_tube(tube):
    """Signals and slots of a nested tube: the keys of its return, its inputs of scope process."""
    signals = ["value"]
    for spec in tube["nodes"].values():
        depends = spec.get("depends")
        if spec["type"] == "return" and isinstance(depends, list) and all(isinstance(item, dict) for item in depends):
            signals = [slot for item in depends for slot in item]
    given = {name: spec for name, spec in tube.get("input", {}).items() if spec.get("scope") == "process"}
    return signals, {name: "default" not in spec and spec.get("required", True) for name, spec in given.items()}


def edges_of(id_, depends, slots, extra, of_tube=False):
    edges, position = [], 0
    for item in depends:
        if isinstance(item, str):
            slot, source, required = position, item, True
            position += 1
            names = list(slots)
            if of_tube and slot < len(names):
                required = slots[names[slot]]
            if not extra and slot >= len(names):
                raise LoadError("unknown-slot", f"{id_}: position {slot}")
            taken = names[slot] if slot < len(names) else slot
        else:
            ((slot, source),) = item.items()
            if slot not in slots and not extra:
                raise LoadError("unknown-slot", f"{id_}.{slot}")
            required = slots.get(slot, False)
            taken = slot
        if any(taken == other for other, _ in edges):
            raise LoadError("duplicate-slot", f"{id_}.{taken}")
        node, signal = source.split(".")
        edges.append((taken, Edge(node, signal, slot, required)))
    return [edge for _, edge in edges]


def slots_of(function, skip_self):
    """Return {slot: required} and whether unnamed slots (*args, **kwargs) are taken as well."""
    hints = typing.get_type_hints(function, include_extras=True)
    parameters = list(inspect.signature(function).parameters.values())[1 if skip_self else 0 :]
    slots, extra = {}, False
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            extra = True
            continue
        optional = parameter.default is None and admits_none(hints.get(parameter.name))
        slots[parameter.name] = not optional
    return slots, extra


def admits_none(hint):
    return isinstance(hint, types.UnionType | typing._UnionGenericAlias) and type(None) in typing.get_args(hint)


def signal_names(function):
    hint = typing.get_type_hints(function, include_extras=True).get("return")
    if inspect.isgeneratorfunction(function) and typing.get_args(hint):
        hint = typing.get_args(hint)[0]
    return names_in(hint) or ["value"]


def names_in(hint):
    if hasattr(hint, "__metadata__"):
        return [m.name for m in hint.__metadata__ if isinstance(getattr(m, "name", None), str)][:1]
    if typing.get_origin(hint) in (tuple, typing.Union, types.UnionType):
        return [name for member in typing.get_args(hint) for name in names_in(member)]
    return []


def check_source(edge, nodes, inputs, assets):
    if edge.source == "assets":
        if edge.signal not in assets:
            raise LoadError("unknown-asset", edge.signal)
    elif edge.source == "input":
        if edge.signal not in inputs:
            raise LoadError("unknown-input", edge.signal)
    elif edge.source not in nodes:
        raise LoadError("unknown-node", edge.source)
    elif edge.signal not in nodes[edge.source].signals:
        raise LoadError("unknown-signal", f"{edge.source}.{edge.signal}")


def in_order(nodes):
    ordered = {}
    while len(ordered) < len(nodes):
        ready = [
            node for id_, node in nodes.items()
            if id_ not in ordered and all(e.source in ("input", "assets") or e.source in ordered for e in node.edges)
        ]  # fmt: skip
        if not ready:
            raise LoadError("cycle", ", ".join(id_ for id_ in nodes if id_ not in ordered))
        ordered |= {node.id: node for node in ready}
    return ordered


def place(node, nodes):
    """Give `node` its region (and a gather its mode); producers are placed already."""
    for edge in node.edges:
        if edge.source not in ("input", "assets"):
            source = nodes[edge.source]
            inner = source.kind == "map" and edge.signal == "value"
            edge.region = (*source.region, source.id) if inner else source.region
    if node.kind == "gather":
        place_gather(node)
    elif node.kind != "return":
        node.region = deepest(node, [edge.region for edge in node.edges])


def deepest(node, regions):
    longest = max(regions, key=len, default=())
    for region in regions:
        if longest[: len(region)] != region:
            raise LoadError("cross-map", f"{node.id}: {region} and {longest}")
    return longest


def gather_edge(node, slot):
    position = ("value", "trigger", "n").index(slot)
    return next((edge for edge in node.edges if edge.slot in (slot, position)), None)


def place_gather(node):
    value, trigger, n = (gather_edge(node, slot) for slot in ("value", "trigger", "n"))
    if value is None:
        raise LoadError("gather-mode", f"{node.id}: value is not wired")
    node.region = value.region[:-1]
    if trigger and (n or "n" in node.params):
        raise LoadError("gather-mode", f"{node.id}: n and trigger")
    closes = n and n.signal == "n" and value.region and n.source == value.region[-1]
    if trigger:
        node.mode = "trigger"
        deepest(node, [value.region, trigger.region])
        if len(trigger.region) > len(value.region):
            raise LoadError("cross-map", f"{node.id}: trigger lies deeper than value")
    elif not closes and (n or "n" in node.params):  # a wired n overrides the parameter
        node.mode = "count"
    elif value.region:
        node.mode = "close"
    else:
        raise LoadError("gather-mode", f"{node.id}: in the root region it needs n or trigger")
    if n and node.region[: len(n.region)] != n.region:
        raise LoadError("cross-map", f"{node.id}: n does not lie in {node.region} or above")
