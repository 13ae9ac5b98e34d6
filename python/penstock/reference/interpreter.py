"""Runs a tube in plain Python, slow and obvious: the engine must give the same events. The model test's oracle.

The rules are docs/design/0002-run-rule.md; in short:

* A signal lives in one region, a chain of maps; a node lives in the deepest region of its inputs and is
  considered once in every epoch of it. Values of outer regions are broadcast inwards.
* A node runs when each required input is present and each optional one is resolved; otherwise it is
  skipped and all its signals are absent. Absent is no event, never a value.
* A map opens one child epoch per element; a gather closes when all child epochs are resolved; a return
  collects deeper signals into flat lists.
* A node with memory sees its epochs in lexicographic order.
* A generator that ends is disabled; the run ends when the return (or every sink) can never run again.

How it works: nodes are taken one after another, producers first; each is run in all epochs of its region,
in lexicographic order, before the next node is looked at. So order, closing and absence need no bookkeeping.
Functions come through `resolve`, the "no event" sentinel through `no_event`: neither is known here.
"""

import copy
import inspect
from dataclasses import dataclass, field

from penstock.reference import wiring

ABSENT = object()


@dataclass
class EpochRecord:
    root: int
    events: list = field(default_factory=list)  # (node id, signal, path, value); path = ((map, index), ...)
    result: object = ABSENT
    ended: bool = False  # the run ends after this epoch


class InputMissing(ValueError):
    pass


class Interpreter:
    """One tube with its memory. `process()` runs one root epoch; `run(n)` stops at the end of the run."""

    keep = staticmethod(copy.deepcopy)  # what is recorded stays as it was

    def __init__(self, tube, resolve, no_event, inputs=None):
        self.input_specs = tube.get("input", {})
        self.no_event = no_event
        self.tools = resolve, no_event
        self.tube_inputs = self.collect_inputs("tube", inputs or {})
        self.nodes = wiring.read(tube, resolve, self.tube_inputs)
        self.disabled = {node.id for node in self.nodes.values() if not node.enabled}
        self.from_start = set(self.disabled)  # and never enabled since
        self.ended = set()  # generators
        self.over = False  # the run has ended
        self.memory = {}  # generator, object or list of held items, by node id
        self.next_root = 0
        self.around = None  # (the interpreter of the tube around this one, the node that this one is)
        self.inner = {}  # nested tubes by node id
        self.asset_specs = tube.get("assets", {})
        self.makers = {id_: maker(resolve(spec["type"]), spec.get("params", {})) for id_, spec in self.asset_specs.items()}
        # Those of scope process are made anew in each epoch.
        self.assets = {id_: self.makers[id_]() for id_, spec in self.asset_specs.items() if spec["scope"] == "runner"}
        for node in self.nodes.values():
            if node.kind in ("generator", "object"):
                self.memory[node.id] = self.make(node)
            elif node.kind == "gather":
                self.memory[node.id] = []
            elif node.kind == "tube":
                self.inner[node.id] = type(self)(node.call, resolve, no_event)
                self.inner[node.id].around = self, node
            if node.id not in self.disabled:
                self.begin(node, "init")

    def make(self, node):
        return node.call(**node.params)

    # ---- the run -------------------------------------------------------------------------------

    def run(self, n, inputs=None):
        records = []
        while len(records) < n and not self.over:
            records.append(self.process(**(inputs or {})))
        return records

    def switch(self, id_, enabled):
        """Enable or disable a node by hand, between epochs. An ended generator stays ended."""
        was_enabled = id_ not in self.disabled
        if enabled:
            self.disabled.discard(id_)
            self.from_start.discard(id_)
        else:
            self.disabled.add(id_)
        if enabled != was_enabled:
            self.begin(self.nodes[id_], "init" if enabled else "deinit")
        if self.over:
            self.over = self.all_targets_dead()

    def begin(self, node, method):
        """Call init or deinit of a node that has them, or of those in a nested tube."""
        if node.kind == "object" and hasattr(node.call, "init"):
            finish(getattr(self.memory[node.id], method)())
        elif node.kind == "tube":
            inner = self.inner[node.id]
            for other in inner.nodes.values():
                if other.id not in inner.disabled:
                    inner.begin(other, method)

    def process(self, **inputs):
        self.inputs = self.tube_inputs | self.collect_inputs("process", inputs)
        self.values = {}  # (node, signal) -> {path: value}
        self.counts = {}  # map -> {path: number of elements}, only where the map has run
        self.exhausted = False
        self.assets |= {id_: self.makers[id_]() for id_, spec in self.asset_specs.items() if spec["scope"] == "process"}
        record = EpochRecord(self.next_root)
        self.next_root += 1
        for node in self.nodes.values():
            for signal in node.signals:
                self.values[node.id, signal] = {}
            if node.id not in self.disabled | self.ended:
                for path in self.epochs((), node.region):
                    self.visit(node, path, record)
        for (id_, signal), present in self.values.items():
            record.events += [(id_, signal, path, self.keep(value)) for path, value in present.items()]
        if record.result is not ABSENT:
            record.result = self.keep(record.result)
        self.renew_assets()
        if self.exhausted:
            self.over = record.ended = self.all_targets_dead()
        return record

    def collect_inputs(self, scope, given):
        values = {}
        for name, spec in self.input_specs.items():
            if spec.get("scope", "tube") != scope:
                continue
            if name in given:
                values[name] = given[name]
            elif "default" in spec:
                values[name] = spec["default"]
            elif spec.get("required", True):
                raise InputMissing(name)
            else:
                values[name] = None
        return values

    # ---- one node in one epoch -----------------------------------------------------------------

    def visit(self, node, path, record):
        found = {}  # slot -> value, present edges only
        for edge in node.edges:
            value = self.read(node, edge, path)
            if value is not ABSENT:
                found[edge.slot] = value
            elif edge.required:
                return
        if node.kind == "return":
            if found:
                record.result = shape(node, found)
        elif node.kind == "map":
            self.run_map(node, path, found)
        elif node.kind == "gather":
            self.run_gather(node, path, found)
        elif node.kind == "tube":
            self.run_tube(node, path, found, record)
        else:
            self.run_call(node, path, found)

    def run_call(self, node, path, found):
        if node.kind == "generator":
            try:
                result = next(self.memory[node.id])
            except StopIteration:
                self.ended.add(node.id)
                self.exhausted = True
                return
        else:
            args = [found[slot] for slot in sorted(s for s in found if isinstance(s, int))]
            keywords = {slot: value for slot, value in found.items() if isinstance(slot, str)}
            if node.kind == "object":
                result = self.memory[node.id].process(*args, **keywords)
            else:
                result = node.call(*args, **(node.params | keywords))
            result = finish(result)
        if result is self.no_event:
            return
        members = [result] if len(node.signals) == 1 else list(result)
        self.check_arity(node, members)
        for signal, value in zip(node.signals, members, strict=True):
            if value is not self.no_event:
                self.values[node.id, signal][path] = value

    def check_arity(self, node, members):
        assert len(members) == len(node.signals), f"{node.id}: arity"

    def run_tube(self, node, path, found, record):
        """A nested tube runs one epoch of its own, with a memory of its own."""
        names = list(wiring.face_of_tube(node.call)[1])
        inner = self.inner[node.id]
        of_inner = inner.process(**{names[slot] if isinstance(slot, int) else slot: value for slot, value in found.items()})
        self.exhausted |= inner.exhausted
        for id_, signal, deeper, value in of_inner.events:
            deeper = tuple((f"{node.id}.{map_id}", index) for map_id, index in deeper)
            record.events.append((f"{node.id}.{id_}", signal, (*path, *deeper), value))
        if of_inner.result is ABSENT:
            return
        by_key = of_inner.result if inner.gives_keys() else {"value": of_inner.result}
        for signal, value in by_key.items():
            self.values[node.id, signal][path] = value

    def gives_keys(self):
        edges = next((node.edges for node in self.nodes.values() if node.kind == "return"), [])
        return bool(edges) and all(isinstance(edge.slot, str) for edge in edges)

    def renew_assets(self):
        """Assets that depend on a signal are what it gave last, from the next epoch on."""
        for id_, spec in self.asset_specs.items():
            present = self.values[tuple(spec["depends"].split("."))] if "depends" in spec else {}
            if present:
                self.assets[id_] = copy.deepcopy(present[max(present, key=lambda path: [index for _, index in path])])

    def run_map(self, node, path, found):
        (items,) = found.values()
        self.counts.setdefault(node.id, {})[path] = len(items)
        if items:
            self.values[node.id, "n"][path] = len(items)
        for index, item in enumerate(items):
            self.values[node.id, "value"][(*path, (node.id, index))] = item

    def run_gather(self, node, path, found):
        named = {("value", "trigger", "n")[s] if isinstance(s, int) else s: v for s, v in found.items()}
        held = self.memory[node.id]
        value_edge = wiring.gather_edge(node, "value")
        items = named["value"] if value_edge.region else [(None, named["value"])]
        if node.mode == "close":
            emitted = [value for _, value in items]
        elif node.mode == "count":
            n = named.get("n", node.params.get("n"))
            held += [value for _, value in items]
            if len(held) < n:
                return
            emitted = held[:]
            held.clear()
        else:
            released = self.released(node, named.get("trigger"), items)
            taken = None if released is None else len(held) + released
            held += [value for _, value in items]
            if taken is None:
                return
            emitted = held[:taken]
            del held[:taken]
        if node.params.get("flatten"):
            emitted = [x for item in emitted for x in (item if isinstance(item, list | tuple) else [item])]
        self.values[node.id, "value"][path] = emitted

    def released(self, node, fired, items):
        """How many of this epoch's items a gather by trigger lets go; None when nothing fired."""
        trigger, value = (wiring.gather_edge(node, slot) for slot in ("trigger", "value"))
        if not value.region or trigger.region != value.region:
            return None if fired is None else len(items)
        firing = [index for index, what in fired or [] if what is not None]
        return sum(index <= firing[-1] for index, _ in items) if firing else None

    # ---- epochs and edges ----------------------------------------------------------------------

    def epochs(self, below, region):
        """All epochs of `region` that are `below` or descend from it, in lexicographic order."""
        if len(below) == len(region):
            return [below]
        map_id = region[len(below)]
        count = self.counts.get(map_id, {}).get(below, 0)
        return [p for index in range(count) for p in self.epochs((*below, (map_id, index)), region)]

    def read(self, node, edge, path):
        if edge.source == "input":
            return self.inputs[edge.signal]
        if edge.source == "assets":
            of_call = self.asset_specs[edge.signal]["scope"] == "node"
            return self.makers[edge.signal]() if of_call else self.assets[edge.signal]
        present = self.values[edge.source, edge.signal]
        if len(edge.region) <= len(path):  # same region or an ancestor: broadcast
            return present.get(path[: len(edge.region)], ABSENT)
        if path not in self.counts.get(edge.region[len(path)], {}):  # the map has not run here
            return ABSENT
        found = [(p, present[p]) for p in self.epochs(path, edge.region) if p in present]
        if node.kind == "gather":
            return [(p[-1][1], value) for p, value in found]
        return [value for _, value in found]

    # ---- the end -------------------------------------------------------------------------------

    def targets(self):
        live = [node for node in self.nodes.values() if node.id not in self.from_start]
        returns = [node for node in live if node.kind == "return"]
        consumed = {edge.source for node in live for edge in node.edges}
        return returns or [node for node in live if node.id not in consumed]

    def all_targets_dead(self):
        targets = self.targets()
        if not all(self.is_dead(node) for node in targets):
            return False
        return any(node.kind == "return" for node in targets) or all(inner.all_sinks_dead() for inner in self.inner.values())

    def all_sinks_dead(self):
        """The same for what nobody consumes in a nested tube; its return is consumed by the tube around."""
        live = [node for node in self.nodes.values() if node.id not in self.from_start]
        consumed = {edge.source for node in live for edge in node.edges}
        sinks = [node for node in live if node.id not in consumed and node.kind != "return"]
        return all(self.is_dead(node) for node in sinks) and all(inner.all_sinks_dead() for inner in self.inner.values())

    def is_dead(self, node):
        if node.id in self.disabled | self.ended or self.is_closed() or self.has_dead_edges(node):
            return True
        if node.kind != "tube":
            return False
        inner = self.inner[node.id]
        return any(inner.is_dead(other) for other in inner.nodes.values() if other.kind == "return")

    def is_closed(self):
        """True in a nested tube that can never run again."""
        if self.around is None:
            return False
        outer, node = self.around
        return outer.is_closed() or node.id in outer.disabled or outer.has_dead_edges(node)

    def has_dead_edges(self, node):
        feeding = [edge for edge in node.edges if not self.is_given(edge)]
        dead = [edge for edge in feeding if edge.source != "input" and self.is_dead(self.nodes[edge.source])]
        lives = len(dead) < len(feeding) or self.waits_for_its_tube(node)
        return any(edge.required for edge in dead) or (bool(dead) and not lives)

    def waits_for_its_tube(self, node):
        """In a nested tube: nothing but the tube's own inputs holds the node back, and those can still come."""
        if self.around is None:
            return False
        outer, tube = self.around
        needs = [e for e in node.edges if e.required and (e.source != "assets" or self.asset_specs[e.signal]["scope"] != "node")]
        return not needs and not all(outer.is_given(edge) for edge in tube.edges)

    def is_given(self, edge):
        """True for what is there in every epoch, so that it gives no life."""
        if edge.source == "assets":
            return True
        if edge.source != "input":
            return False
        if self.around is None:
            return True
        outer, node = self.around
        return all(outer.is_given(other) for other in node.edges)


def maker(make, params):
    return lambda: make(**params)


def finish(result):
    """The value of a call; a coroutine of these tubes only ever gives way."""
    if inspect.iscoroutine(result):
        try:
            while True:
                result.send(None)
        except StopIteration as stop:
            return stop.value
    return result


def shape(node, found):
    """The result of a return: bare value, tuple, dict, or (tuple, dict), by the form of `depends`."""
    if node.scalar:
        return found[0]
    positional = tuple(found[slot] for slot in sorted(s for s in found if isinstance(s, int)))
    keywords = {slot: value for slot, value in found.items() if isinstance(slot, str)}
    if not any(isinstance(edge.slot, str) for edge in node.edges):
        return positional
    if not any(isinstance(edge.slot, int) for edge in node.edges):
        return keywords
    return positional, keywords
