"""Where noob and Penstock differ on purpose. Each has a name, which docs/guide/coming-from-noob.md explains, and a
predicate that says whether a difference seen on a case may be put down to it."""

import inspect

from penstock.reference import wiring

from differential.generate import resolve

SPECIAL = ("map", "gather", "return", "tube")
COROUTINES = ("later", "split_later")


class Facts:
    """A tube as written, with what it extends, and the tubes inside it."""

    def __init__(self, tube, depth=0):
        self.depth = depth
        self.nodes = tube.get("nodes", {})
        self.inputs = tube.get("input", {}) or {}
        self.types = {id_: spec.get("type", "") for id_, spec in self.nodes.items()}
        self.edges = {id_: list(edges_of(spec)) for id_, spec in self.nodes.items()}
        self.inner = [Facts(spec["params"]["tube"], depth + 1) for spec in self.nodes.values() if spec.get("type") == "tube"]
        self.all = [self, *(facts for inner in self.inner for facts in inner.all)]

    def name(self, id_):
        return self.types.get(id_, "").rpartition(".")[2]

    def is_optional(self, id_, slot):
        """By noob's rules; every keyword of a return is."""
        type_ = self.types[id_]
        if not isinstance(slot, str):
            return False
        if type_ == "return":
            return True
        if type_ == "gather":
            return slot == "trigger"
        if type_ in SPECIAL:
            return False
        slots, extra = slots_of(type_)
        return not slots[slot] if slot in slots else extra

    def region(self, id_, seen=()):
        """The maps around a node; () where that cannot be told."""
        if id_ not in self.nodes or id_ in seen:
            return ()
        regions = [self.signal_region(node, signal, (*seen, id_)) for _, node, signal in self.edges[id_]]
        if self.types[id_] == "gather":
            return (self.signal_region(*self.gathered(id_), (*seen, id_)) or ((),))[:-1]
        return max(regions, key=len, default=())

    def signal_region(self, node, signal, seen=()):
        region = self.region(node, seen)
        return (*region, node) if self.types.get(node) == "map" and signal == "value" else region

    def gathered(self, id_):
        return next(((node, signal) for slot, node, signal in self.edges[id_] if slot in (None, 0, "value")), ("", ""))

    def behind(self, id_):
        """The node and all that depend on it."""
        found, queue = {id_}, [id_]
        while queue:
            current = queue.pop()
            for other, edges in self.edges.items():
                if other not in found and any(node == current for _, node, _ in edges):
                    found.add(other)
                    queue.append(other)
        return found

    def has_optional_behind(self, ids):
        reached = set().union(*(self.behind(id_) for id_ in ids)) if ids else set()
        return any(
            node in reached and self.is_optional(id_, slot) for id_, edges in self.edges.items() for slot, node, _ in edges
        )


def edges_of(spec):
    depends = spec.get("depends") or []
    if isinstance(depends, str):
        yield (None, *depends.split("."))
        return
    position = 0
    for item in depends:
        if isinstance(item, str):
            yield (position, *item.split("."))
            position += 1
        else:
            ((slot, source),) = item.items()
            yield (slot, *source.split("."))


def slots_of(type_):
    try:
        call = resolve(type_)
    except (AttributeError, ImportError):
        return {}, True
    method = getattr(call, "process", None) or getattr(call, "times", call)
    return wiring.slots_of(method, skip_self=inspect.isclass(call))


def merged(case):
    """The tube with its base; only files that extend() of generate.py writes."""
    tube = case["tube"]
    if not case["files"]:
        return tube
    nodes = {id_: dict(spec) for id_, spec in case["files"]["base.yaml"]["nodes"].items()}
    over = tube.get("nodes", {})
    for id_, spec in over.items() if isinstance(over, dict) else ():
        nodes[id_] = nodes.get(id_, {}) | spec
    return case["files"]["base.yaml"] | {"nodes": nodes}


def limited(facts):
    """Sources that end."""
    return [id_ for id_, spec in facts.nodes.items() if "limit" in (spec.get("params") or {}) and facts.name(id_) != "Above"]


def anywhere(predicate):
    """True when it holds for the tube or one inside it."""
    return lambda case, noob, ours: any(predicate(facts) for facts in Facts(merged(case)).all)


def coroutine_position(facts):
    return any(
        facts.name(id_) in COROUTINES and not isinstance(slot, str) for id_, edges in facts.edges.items() for slot, *_ in edges
    )


def inner_optional(facts):
    for id_, edges in facts.edges.items():
        if facts.types[id_] in SPECIAL:
            continue
        outer = [facts.signal_region(n, s) for slot, n, s in edges if not facts.is_optional(id_, slot)]
        inner = [facts.signal_region(n, s) for slot, n, s in edges if facts.is_optional(id_, slot)]
        if inner and max(map(len, inner)) > max(map(len, outer), default=0):
            return True
    return False


def uses_n(facts):
    return any(
        facts.types.get(node) == "map" and signal == "n" and facts.types[id_] != "gather"
        for id_, edges in facts.edges.items()
        for _, node, signal in edges
    )


def returns_input(facts):
    return any(
        facts.types[id_] == "return" and isinstance(slot, str) and node in ("input", "assets")
        for id_, edges in facts.edges.items()
        for slot, node, _ in edges
    )


def optional_beside_required(case, noob, ours):
    """A node of which both something required and something optional is missing is called all the same."""
    missing = noob.get("raised", [""])[0] == "TypeError" != ours.get("raised", [""])[0]
    for facts in Facts(merged(case)).all:
        for id_, edges in facts.edges.items():
            kinds = {facts.is_optional(id_, slot) for slot, *_ in edges}
            if len(kinds) == 2 and facts.types[id_] not in ("return", "map", "tube"):
                # What happens inside a nested tube is not seen.
                unseen = bool(droppers(facts)) and facts.depth > 0
                if missing or unseen or ran_without(facts, id_, noob.get("events", ())):
                    return True
    return False


def ran_without(facts, id_, events):
    """The node has an event in an epoch that has none of something it requires."""
    needed = {(n, s) for slot, n, s in facts.edges[id_] if not facts.is_optional(id_, slot) and n in facts.nodes}
    there = {(root, node, signal) for node, signal, root, _, value in events if value != "<NoEvent>"}
    ran = {root for node, _, root, _, _ in events if node == id_}
    return any((root, *source) not in there for root in ran for source in needed)


def numbered_event(facts):
    return any(facts.name(id_) == "received" and not isinstance(slot, str) for id_, edges in facts.edges.items() for slot, *_ in edges)


def injected_inside(case, noob, ours):
    inner = [facts for tube in Facts(merged(case)).inner for facts in tube.all]
    return any(facts.name(id_) in ("where", "received") for facts in inner for id_ in facts.nodes)


def optional_behind_disabled(case, noob, ours):
    switched = [node for pairs in case.get("switches", {}).values() for node, _ in pairs]
    return any(
        facts.has_optional_behind([id_ for id_, spec in facts.nodes.items() if spec.get("enabled", True) is not True or id_ in switched])
        for facts in Facts(merged(case)).all
    )


def counts_on(case, noob, ours):
    """Epochs are counted anew after a switch: nodes that are given theirs see it, and gathers sort by it."""
    names = {facts.name(id_) for facts in Facts(merged(case)).all for id_ in facts.nodes}
    return "switches" in case and bool(names & {"where", "received", "gather"})


def ends_and_switches(case, noob, ours):
    return "switches" in case and any(limited(facts) for facts in Facts(merged(case)).all)


def empty_epoch(case, noob, ours):
    """An epoch in which nothing can run ends without saying so."""
    ends = [sum(event[0] == "meta" and not event[3] for event in outcome.get("events", ())) for outcome in (noob, ours)]
    return ends[0] < ends[1]


def runs_disabled(case, noob, ours):
    """A disabled node is called for the elements of a map, and was never initialised."""
    facts = Facts(merged(case))
    off = [id_ for id_, spec in facts.nodes.items() if spec.get("enabled", True) is not True]
    failed = noob.get("raised", [""])[0] == "NotImplementedError" and "raised" not in ours
    mine = {event[0] for event in ours.get("events", ())}
    return bool(off) and (failed or any(event[0] in off and event[0] not in mine for event in noob.get("events", ())))


def inner_ends(case, noob, ours):
    return any(limited(facts) for inner in Facts(merged(case)).inner for facts in inner.all)


def optional_behind_end(case, noob, ours):
    return "<Exhausted>" in str(noob) and any(facts.has_optional_behind(limited(facts)) for facts in Facts(merged(case)).all)


def pair_ends(facts):
    return any(facts.name(id_) == "two_signals" for id_ in limited(facts))


def ended_iteration(case, noob, ours):
    """noob's ends with an error, or looks for a result a hundred times."""
    return case["mode"] == "iter" and noob.get("raised", [""])[0] in ("SchedulerExhaustedError", "RuntimeError") and "raised" not in ours


def inner_result_is_dict(facts):
    for inner in facts.inner:
        for id_, edges in inner.edges.items():
            if inner.types[id_] == "return" and [e[0] for e in edges] == [None] and edges[0][2] == "table":
                return True
    return False


def extended_return(case, noob, ours):
    failed = noob["verdict"] == "refused" and {"IndexError", "KeyError"} & set(noob["by"])
    return bool(case["files"] and failed) and ours["verdict"] == "ran"


def gathers(facts):
    """(id, params, slots, region of value) of each gather."""
    for id_, edges in facts.edges.items():
        if facts.types[id_] == "gather":
            yield id_, facts.nodes[id_].get("params") or {}, {slot for slot, *_ in edges}, facts.signal_region(*facts.gathered(id_))


def gather_closes(facts):
    return any(region and "n" not in params and not slots & {"n", "trigger"} for _, params, slots, region in gathers(facts))


def gather_counts_inside(facts):
    for id_, params, slots, region in gathers(facts):
        own = [(node, signal) for slot, node, signal in facts.edges[id_] if slot == "n"] == [(region[-1] if region else "", "n")]
        if region and ("n" in params or ("n" in slots and not own) or "trigger" in slots):
            return True
    return False


def gather_needs_n(case, noob, ours):
    return ours["verdict"] == "refused" and "PS0110" in ours["says"]


def drops_before_gather(facts):
    """A value may be missing between a map and the gather that counts its elements."""
    dropping = [id_ for id_ in droppers(facts) if facts.types[id_] != "map"]
    dropping += [id_ for id_, spec in facts.nodes.items() if spec.get("enabled", True) is not True]
    reached = set().union(*(facts.behind(id_) for id_ in dropping)) if dropping else set()
    return any(region and facts.gathered(id_)[0] in reached for id_, _, _, region in gathers(facts))


def maps_behind(facts, id_, seen=()):
    """The maps that something behind which this node lies has gathered."""
    if id_ not in facts.nodes or id_ in seen:
        return set()
    found = set()
    for _, node, _ in facts.edges[id_]:
        found |= maps_behind(facts, node, (*seen, id_))
    if facts.types[id_] == "gather":
        found |= set(facts.signal_region(*facts.gathered(id_))[-1:])
    return found


def gathered_back(facts):
    """A node has inputs from inside a map, and one that was gathered."""
    for edges in facts.edges.values():
        regions = [facts.signal_region(n, s) for _, n, s in edges]
        if any(regions) and any(maps_behind(facts, n) for _, n, _ in edges):
            return True
    return False


def scheduler_fails(case, noob, ours):
    """noob loses count where a node inside a map waits for one outside, or an optional edge for one that ends."""
    what = noob.get("raised", [""])[0]
    facts = Facts(merged(case))
    mixed = any(len({facts.signal_region(n, s) for _, n, s in edges}) > 1 for edges in facts.edges.values())
    return what in ("AlreadyDoneError", "NotAddedError") or (what == "TypeError" != ours.get("raised", [""])[0] and mixed)


def runs_inside(case, noob, ours):
    """A node outside a map has run for its elements, because it came to it late."""
    facts = Facts(merged(case))
    for node, signal, _, path, _ in noob.get("events", ()):
        if node in facts.nodes and facts.types[node] not in ("return", "gather"):
            if len(path) > len(facts.signal_region(node, signal)):
                return True
    given = [(root, node, signal, str(path)) for node, signal, root, path, value in noob.get("events", ()) if value != "<NoEvent>"]
    return len(set(given)) < len(given) and "switches" not in case


def droppers(facts):
    """Nodes that may give nothing in an epoch."""
    from differential.generate import DROPPING, DROPPING_SOURCES

    some = [id_ for id_, type_ in facts.types.items() if type_ in DROPPING or type_ in DROPPING_SOURCES]
    return some + [id_ for id_, type_ in facts.types.items() if type_ in ("gather", "map")] + limited(facts)


def loses_result(case, noob, ours):
    """noob's return has keys, some of which may not come: it gives nothing, or less than there is."""
    shorter = len(str(noob.get("results"))) < len(str(ours.get("results")))
    if not shorter and (case["mode"] == "process" or noob.get("results") == ours.get("results")):
        return False
    for facts in Facts(merged(case)).all:
        maybe = set().union(*(facts.behind(id_) for id_ in droppers(facts)), ())
        for id_, edges in facts.edges.items():
            keys = [node for slot, node, _ in edges if isinstance(slot, str)]
            if facts.types[id_] == "return" and len(edges) > 1 and any(node in maybe for node in keys):
                return True
    return False


def one_drop_two_ways(case, noob, ours):
    """What ends or drops reaches one node by two optional edges: noob waits for the second for ever."""
    for facts in Facts(merged(case)).all:
        for start in droppers(facts):
            behind = facts.behind(start)
            for id_, edges in facts.edges.items():
                if sum(node in behind and facts.is_optional(id_, slot) for slot, node, _ in edges) > 1:
                    if noob.get("results") != ours.get("results") or facts.depth > 0 or runs_less(id_, noob, ours):
                        return True
    return False


def runs_less(id_, noob, ours):
    """The node has fewer events in noob."""
    theirs, mine = ([event[0] for event in outcome.get("events", ())].count(id_) for outcome in (noob, ours))
    return theirs < mine


def never_ends(case, noob, ours):
    return noob["verdict"] == "never ends"


def return_calls(case, noob, ours):
    """Results are equal; noob has called its return more often, which its callbacks see."""
    from differential.compare import difference

    def without(outcome):
        returns = [id_ for id_, type_ in Facts(merged(case)).types.items() if type_ == "return"]
        return outcome | {key: [e for e in outcome[key] if e[0] not in returns] for key in ("events", "stored")}

    return noob["verdict"] == ours["verdict"] == "ran" and difference(without(noob), without(ours)) is None


def return_repeats(case, noob, ours):
    """Positions of a return that also takes what was gathered come once per element of the map."""
    facts = Facts(merged(case))
    for id_, edges in facts.edges.items():
        if facts.types[id_] == "return" and any(not isinstance(slot, str) for slot, *_ in edges):
            if any(maps_behind(facts, node) for _, node, _ in edges):
                return len(str(noob.get("results"))) > len(str(ours.get("results")))
    return False


def inner_none(case, noob, ours):
    """A nested tube gives None by a scalar return, which noob takes for no result."""
    facts = Facts(merged(case))
    tubes = [id_ for id_, type_ in facts.types.items() if type_ == "tube"]
    return any(node in tubes and signal == "value" and value == "None" for node, signal, _, _, value in ours.get("events", ()))


def inner_again(case, noob, ours):
    return case["mode"] == "iter" and bool(Facts(merged(case)).inner)


LOAD_CHECKS = ("PS0102", "PS0103", "PS0112", "PS0113", "PS0202")


def inner_map(case, noob, ours):
    """A nested tube's return takes what lies below a map: noob's shape of it follows the data."""
    for inner in Facts(merged(case)).inner:
        for facts in inner.all:
            if any(facts.signal_region(n, s) for id_, edges in facts.edges.items() for _, n, s in edges if facts.types[id_] == "return"):
                return True
    return False


def maps_text(case, noob, ours):
    return noob["verdict"] == "ran" and "map needs a list" in str(ours.get("raised"))


def named_by_text(case, noob, ours):
    return any(facts.name(id_) == "doubled" for facts in Facts(merged(case)).all for id_ in facts.nodes)


def any_testing_node(case, noob, ours):
    return "PS0206" in ours.get("says", "") and any(
        type_.startswith("noob.testing.") for facts in Facts(merged(case)).all for type_ in facts.types.values()
    )


def checked_at_load(case, noob, ours):
    return noob["verdict"] != "refused" and any(id_ in ours.get("says", "") for id_ in LOAD_CHECKS)


def events_of_inputs(facts):
    return any(facts.name(id_) == "received" and node == "input" for id_, edges in facts.edges.items() for _, node, _ in edges)


def dot_in_id(case, noob, ours):
    return noob["verdict"] == "ran" and "PS0020" in ours.get("says", "")


def meets_behind_gather(case, noob, ours):
    return noob["verdict"] == "refused" and "unrelated map" in noob["says"] and ours["verdict"] == "ran"


DEVIATIONS = {
    "coroutine-position": anywhere(coroutine_position),
    "inner-optional": anywhere(inner_optional),
    "n-inside": anywhere(uses_n),
    "return-input": anywhere(returns_input),
    "optional-beside-required": optional_beside_required,
    "event-position": anywhere(numbered_event),
    "nested-injection": injected_inside,
    "disabled-optional": optional_behind_disabled,
    "disabled-runs": runs_disabled,
    "switch-epochs": counts_on,
    "switch-end": ends_and_switches,
    "empty-epoch": empty_epoch,
    "nested-end": inner_ends,
    "end-optional": optional_behind_end,
    "end-pair": anywhere(pair_ends),
    "iter-end": ended_iteration,
    "nested-dict": anywhere(inner_result_is_dict),
    "extends-return": extended_return,
    "gather-close": anywhere(gather_closes),
    "gather-count": anywhere(gather_counts_inside),
    "gather-needs-n": gather_needs_n,
    "gather-dropped": anywhere(drops_before_gather),
    "gathered-back": anywhere(gathered_back),
    "noob-scheduler": scheduler_fails,
    "runs-inside": runs_inside,
    "lost-result": loses_result,
    "optional-twice": one_drop_two_ways,
    "never-ends": never_ends,
    "return-calls": return_calls,
    "return-repeats": return_repeats,
    "nested-none": inner_none,
    "nested-again": inner_again,
    "checked-at-load": checked_at_load,
    "event-input": anywhere(events_of_inputs),
    "dot-in-id": dot_in_id,
    "maps-meet": meets_behind_gather,
    "nested-shape": inner_map,
    "map-text": maps_text,
    "text-annotation": named_by_text,
    "testing-any": any_testing_node,
}


def explain(case, noob, ours):
    """Names of the deviations that a difference may be put down to."""
    return [name for name, applies in DEVIATIONS.items() if applies(case, noob, ours)]
