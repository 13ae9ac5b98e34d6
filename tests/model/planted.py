"""Planted bugs: each is a wrong scheduler that the random tubes must be able to tell from the oracle."""

from penstock.reference.interpreter import ABSENT, Interpreter as Oracle


class LastElementFirst(Oracle):
    """Nodes with memory see sub-epochs in the wrong order."""

    def epochs(self, below, region):
        return super().epochs(below, region)[::-1] if region else [below]


class OptionalArrivesAsNone(Oracle):
    """An absent optional input is passed as None."""

    def read(self, node, edge, path):
        value = super().read(node, edge, path)
        return None if value is ABSENT and not edge.required and node.kind != "return" else value


class NoneIsAbsent(Oracle):
    def read(self, node, edge, path):
        value = super().read(node, edge, path)
        return ABSENT if value is None and edge.source != "input" else value


class GatherForgets(Oracle):
    """A gather that counts starts afresh in every epoch."""

    def process(self, **inputs):
        for node in self.nodes.values():
            if node.mode == "count":
                self.memory[node.id] = []
        return super().process(**inputs)


class TriggerTakesAll(Oracle):
    """A trigger inside the map emits also what came after it."""

    def released(self, node, fired, items):
        return None if super().released(node, fired, items) is None else len(items)


class EmptyMapHasNotRun(Oracle):
    """An empty list counts like a missing one."""

    def run_map(self, node, path, found):
        super().run_map(node, path, found)
        if self.counts[node.id][path] == 0:
            del self.counts[node.id][path]


class EmptyMapHasCount(Oracle):
    """An empty list emits n = 0."""

    def run_map(self, node, path, found):
        super().run_map(node, path, found)
        self.values[node.id, "n"][path] = self.counts[node.id][path]


class DisabledStillRuns(Oracle):
    def process(self, **inputs):
        self.disabled -= self.from_start
        return super().process(**inputs)


class SwitchesAreIgnored(Oracle):
    """Nodes cannot be enabled or disabled by hand."""

    def switch(self, id_, enabled):
        pass


class EnablingForgets(Oracle):
    """A node that is enabled begins anew."""

    def switch(self, id_, enabled):
        node = self.nodes[id_]
        if enabled and id_ in self.memory:
            self.memory[id_] = [] if node.kind == "gather" else node.call(**node.params)
            self.ended.discard(id_)
        super().switch(id_, enabled)


class AssetsAreNotRenewed(Oracle):
    def renew_assets(self):
        pass


class AssetOfTheRunIsOfTheEpoch(Oracle):
    """An asset of scope runner is made anew in each epoch."""

    def process(self, **inputs):
        self.assets = {id_: make() for id_, make in self.makers.items()}
        return super().process(**inputs)


class NestedTubeForgets(Oracle):
    """A nested tube starts afresh each time."""

    def run_tube(self, node, path, found, record):
        ended = self.inner[node.id].ended
        self.inner[node.id] = type(self)(node.call, *self.tools)
        self.inner[node.id].around, self.inner[node.id].ended = (self, node), ended
        super().run_tube(node, path, found, record)


class NestedTubeRunsWithoutInputs(Oracle):
    """A nested tube runs whatever is there; what is not there is None."""

    def visit(self, node, path, record):
        super().visit(node, path, record)
        if node.kind == "tube" and any(e.required and self.read(node, e, path) is ABSENT for e in node.edges):
            found = {e.slot: self.read(node, e, path) for e in node.edges}
            self.run_tube(node, path, {slot: None if value is ABSENT else value for slot, value in found.items()}, record)


class NeverEnds(Oracle):
    """The run does not notice that its generators ended."""

    def targets(self):
        return [next(iter(self.nodes.values()))] if self.exhausted and len(self.nodes) > 3 else super().targets()


class EndsTooEarly(Oracle):
    """Any generator that ends ends the run."""

    def is_dead(self, node):
        return True


class ReturnIsEmptyDict(Oracle):
    """A return to which nothing came gives {}."""

    def visit(self, node, path, record):
        super().visit(node, path, record)
        if node.kind == "return" and record.result is ABSENT and all(isinstance(e.slot, str) for e in node.edges):
            record.result = {}


class NestedReturnKeepsLevels(Oracle):
    """A return collects a nested map into a list of lists."""

    def read(self, node, edge, path):
        value = super().read(node, edge, path)
        if node.kind != "return" or len(edge.region) < 2 or value is ABSENT:
            return value
        present = self.values[edge.source, edge.signal]
        rows = self.epochs(path, edge.region[:1])
        return [[present[p] for p in self.epochs(row, edge.region) if p in present] for row in rows]


PLANTED = [
    LastElementFirst, OptionalArrivesAsNone, NoneIsAbsent, GatherForgets, TriggerTakesAll, EmptyMapHasNotRun,
    EmptyMapHasCount, DisabledStillRuns, SwitchesAreIgnored, EnablingForgets, AssetsAreNotRenewed,
    AssetOfTheRunIsOfTheEpoch, NestedTubeForgets, NestedTubeRunsWithoutInputs, NeverEnds, EndsTooEarly, ReturnIsEmptyDict,
    NestedReturnKeepsLevels,
]  # fmt: skip
