"""The model oracle: a slow, obvious scheduler for tubes. The engine must give the same events.

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
It does not import penstock: functions come through `resolve`, the "no event" sentinel through `no_event`.
"""

from dataclasses import dataclass, field

from model import wiring

ABSENT = object()


@dataclass
class EpochRecord:
    root: int
    events: list = field(default_factory=list)  # (node id, signal, path, value); path = ((map, index), ...)
    result: object = ABSENT
    ended: bool = False  # the run ends after this epoch


class InputMissing(ValueError):
    pass


class Oracle:
    """One tube with its memory. `process()` runs one root epoch; `run(n)` stops at the end of the run."""

    def __init__(self, tube, resolve, no_event, inputs=None):
        self.input_specs = tube.get("input", {})
        self.no_event = no_event
        self.tube_inputs = self.collect_inputs("tube", inputs or {})
        self.nodes = wiring.read(tube, resolve, self.tube_inputs)
        self.disabled = {node.id for node in self.nodes.values() if not node.enabled}
        self.from_start = set(self.disabled)  # and never enabled since
        self.ended = set()  # generators
        self.over = False  # the run has ended
        self.memory = {}  # generator, object or list of held items, by node id
        self.next_root = 0
        for node in self.nodes.values():
            if node.kind in ("generator", "object"):
                self.memory[node.id] = node.call(**node.params)
            elif node.kind == "gather":
                self.memory[node.id] = []

    # ---- the run -------------------------------------------------------------------------------

    def run(self, n, inputs=None):
        records = []
        while len(records) < n and not self.over:
            records.append(self.process(**(inputs or {})))
        return records

    def switch(self, id_, enabled):
        """Enable or disable a node by hand, between epochs. An ended generator stays ended."""
        if enabled:
            self.disabled.discard(id_)
            self.from_start.discard(id_)
        else:
            self.disabled.add(id_)
        if self.over:
            self.over = all(self.is_dead(node) for node in self.targets())

    def process(self, **inputs):
        self.inputs = self.tube_inputs | self.collect_inputs("process", inputs)
        self.values = {}  # (node, signal) -> {path: value}
        self.counts = {}  # map -> {path: number of elements}, only where the map has run
        self.exhausted = False
        record = EpochRecord(self.next_root)
        self.next_root += 1
        for node in self.nodes.values():
            for signal in node.signals:
                self.values[node.id, signal] = {}
            if node.id not in self.disabled | self.ended:
                for path in self.epochs((), node.region):
                    self.visit(node, path, record)
        for (id_, signal), present in self.values.items():
            record.events += [(id_, signal, path, value) for path, value in present.items()]
        if self.exhausted:
            self.over = record.ended = all(self.is_dead(node) for node in self.targets())
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
        if result is self.no_event:
            return
        members = [result] if len(node.signals) == 1 else list(result)
        assert len(members) == len(node.signals), f"{node.id}: arity"
        for signal, value in zip(node.signals, members, strict=True):
            if value is not self.no_event:
                self.values[node.id, signal][path] = value

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

    def is_dead(self, node):
        if node.id in self.disabled | self.ended:
            return True
        feeding = [edge for edge in node.edges if edge.source != "input"]
        dead = [edge for edge in feeding if self.is_dead(self.nodes[edge.source])]
        if any(edge.required for edge in dead):
            return True
        return bool(dead) and len(dead) == len(feeding)


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
