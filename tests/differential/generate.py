"""Random noob tubes by seed: graphs, and files that are wrong in one way.

Most graphs stay where noob and its documentation agree: a map is closed by a gather that counts its elements
and nothing on the way is dropped; a small share is drawn without that care. compare.py knows by name in which of those
noob and we differ.
"""

import copy
import random
from dataclasses import dataclass, field

from model import functions
from penstock.reference import wiring

from differential import extra

PLAIN = {
    "model.functions.add_one": 6, "model.functions.scale": 3, "model.functions.combine": 8, "model.functions.three": 2,
    "model.functions.with_default": 3, "model.functions.optional_pair": 5, "model.functions.needs_one": 5,
    "model.functions.keywords": 3, "model.functions.positional": 2, "model.functions.maybe_none": 4,
    "model.functions.split": 5, "model.functions.make_list": 4, "model.functions.pack": 2, "model.functions.unpack": 2,
    "model.functions.RunningSum": 5, "differential.extra.later": 4, "differential.extra.Scaled": 3,
    "differential.extra.Total": 3, "differential.extra.raises_on_three": 1,
    "differential.extra.where": 3, "differential.extra.received": 2, "differential.extra.pair": 2,
}  # fmt: skip
DROPPING = {
    "model.functions.drop_some": 6, "model.functions.drop_all": 1, "model.functions.Differences": 3,
    "model.functions.EverySecond": 3, "differential.extra.Above": 4, "differential.extra.split_later": 3,
}  # fmt: skip
SOURCES = ["model.functions.count_up", "model.functions.unnamed_source", "model.functions.Ticker", "model.functions.constant",
           "differential.extra.Numbers", "model.functions.lists_source"]  # fmt: skip
DROPPING_SOURCES = ["model.functions.sporadic", "model.functions.two_signals"]
INJECTED = {"epoch", "events"}
HEADER = {"noob_model": "noob.tube.TubeSpecification", "noob_version": "1003.0.2"}


@dataclass
class Signal:
    """What an edge may begin at. `sure`: there in every epoch of its region."""

    node: str
    name: str
    region: tuple
    sure: bool = True
    kind: str = "any"  # or "list", "box"
    closed: frozenset = frozenset()  # maps that were gathered on the way
    counts: bool = False  # the n of a map

    def __str__(self):
        return f"{self.node}.{self.name}"


@dataclass
class Growth:
    rng: random.Random
    careless: float
    drops: bool
    prefix: str = ""
    nodes: dict = field(default_factory=dict)
    inputs: dict = field(default_factory=dict)
    assets: dict = field(default_factory=dict)
    signals: list = field(default_factory=list)
    chains: set = field(default_factory=set)  # maps of the root region

    def add(self, type_, spec, region, sure, closed):
        id_ = f"{self.prefix}{type_.rpartition('.')[2][0].lower()}{len(self.nodes)}"
        self.nodes[id_] = {"type": type_} | spec
        call = resolve(type_)
        names = wiring.signal_names(call.process if hasattr(call, "process") else getattr(call, "times", call))
        for name in names:
            kind = "list" if name in ("items", "rows", "batch") else "any"
            self.signals.append(Signal(id_, name, region, sure, kind, closed))
        return id_


def resolve(type_):
    module, _, name = type_.rpartition(".")
    return getattr(functions if module == "model.functions" else extra, name)


def generate(seed):
    """One case as data: {"tube", "files", "inputs", "process", "mode", "epochs"}."""
    rng = random.Random(seed)
    case = graph(rng, seed)
    if rng.random() < 0.12:
        extend(rng, case)
    if rng.random() < 0.2:
        break_one_thing(rng, case)
    elif case["mode"] == "process" and rng.random() < 0.15:
        switch(rng, case)
    return case


def switch(rng, case):
    """A node is disabled between two epochs, and most often enabled again."""
    nodes = [id_ for id_, spec in case["tube"]["nodes"].items() if spec.get("type") not in (None, "tube", "gather")]
    if not nodes or case["files"]:
        return
    node = rng.choice(nodes)
    case["epochs"] = 5
    case["switches"] = {str(rng.randint(0, 2)): [[node, False]]}
    if rng.random() < 0.7:
        case["switches"].setdefault(str(rng.randint(3, 4)), []).append([node, True])


def graph(rng, seed):
    wild = rng.random() < 0.12
    grown = Growth(rng, careless=0.15 if wild else 0.0, drops=rng.random() < 0.35)
    add_inputs(grown)
    for _ in range(rng.randint(1, 2)):
        add_source(grown)
    if rng.random() < 0.3:
        add_asset(grown)
    if rng.random() < 0.2:
        add_nested(grown)
    for _ in range(rng.randint(1, 9)):
        draw = rng.random()
        if draw < 0.14:
            add_map(grown)
        elif draw < 0.26:
            add_gather(grown)
        elif draw < 0.30:
            add_source(grown)
        else:
            add_plain(grown)
    if rng.random() < 0.9:
        add_return(grown)
    tube = {"noob_id": f"case-{seed}", **HEADER, "input": grown.inputs, "assets": grown.assets, "nodes": grown.nodes}
    given = {name: rng.randrange(20) for name in grown.inputs if rng.random() < 0.6}
    given |= {name: 3 for name, spec in grown.inputs.items() if needs_value(spec) and rng.random() < 0.97}
    scopes = {name: spec["scope"] for name, spec in grown.inputs.items()}
    by_scope = {scope: {k: v for k, v in given.items() if scopes[k] == scope} for scope in ("tube", "process")}
    if rng.random() < 0.05:
        by_scope[rng.choice(["tube", "process"])]["unheard_of"] = 1
    mode = rng.choice(["process", "process", "process", "run", "iter"])
    if rng.random() < 0.1 and not grown.chains and not grown.assets and mode == "process":
        mode = "async"  # noob's runs the elements of a map in any order, and shares assets between calls at once
    return {
        "seed": seed,
        "tube": tube,
        "files": {},
        "inputs": by_scope["tube"],
        "process": by_scope["process"],
        "mode": mode,
        "epochs": rng.randint(1, 5),
    }


def needs_value(spec):
    return "default" not in spec and spec.get("required", True)


def add_inputs(grown):
    rng = grown.rng
    for index in range(rng.choice([0, 0, 1, 2])):
        spec = {"type": "int", "scope": rng.choice(["tube", "process"])}
        choice = rng.randrange(3)
        if choice == 0:
            spec["default"] = rng.randrange(20)
        elif choice == 1:
            spec["required"] = False
        name = f"{grown.prefix}in{index}"
        grown.inputs[name] = spec
        grown.signals.append(Signal("input", name, ()))


def add_source(grown):
    rng = grown.rng
    type_ = rng.choice(SOURCES + (DROPPING_SOURCES if grown.drops else []))
    params = {}
    sure = type_ in SOURCES
    if type_.rpartition(".")[2] not in ("Ticker", "constant") and rng.random() < 0.15:
        params["limit"] = rng.randint(1, 4)
        sure = False
    if type_.endswith("sporadic"):
        params["every"] = rng.randint(1, 3)
    tube_scoped = [name for name, spec in grown.inputs.items() if spec["scope"] == "tube" and "default" in spec]
    if type_.endswith("Ticker"):
        params["step"] = f"input.{rng.choice(tube_scoped)}" if tube_scoped and rng.random() < 0.5 else rng.randint(1, 3)
    grown.add(type_, {"params": params} if params else {}, (), sure, frozenset())


def pool(grown, kind=None):
    """Signals of all regions on the chain of a region drawn at random; deeper ones more often."""
    rng = grown.rng
    usable = [s for s in grown.signals if s.kind != "box" and (kind is None or s.kind == kind)]
    if not usable:
        return []
    if rng.random() < grown.careless:
        return usable
    regions = sorted({s.region for s in usable}, key=lambda r: (len(r), r))
    region = rng.choices(regions, [1 + 3 * len(r) for r in regions])[0]
    on_chain = [s for s in usable if region[: len(s.region)] == s.region]
    # What was gathered does not go back into its own map, nor beside another map; and noob's users of a map's n
    # run once more for every element.
    return [s for s in on_chain if not (s.closed and region) and not s.counts]


def add_plain(grown):
    rng = grown.rng
    weights = PLAIN | (DROPPING if grown.drops else {})
    type_ = rng.choices(list(weights), list(weights.values()))[0]
    name = type_.rpartition(".")[2]
    if name in ("received", "where") and grown.prefix and rng.random() > 0.1 and rng.random() >= grown.careless:
        return  # in a nested tube our nodes have longer names
    call = resolve(type_)
    method = getattr(call, "process", None) or getattr(call, "times", call)
    slots, extra_slots = wiring.slots_of(method, skip_self=isinstance(call, type))
    slots = {slot: needed for slot, needed in slots.items() if slot not in INJECTED}
    candidates = pool(grown)
    if not candidates:
        return
    if name == "keywords":
        wanted = [f"k{i}" for i in range(rng.randint(1, 3))]
    elif name == "positional":
        wanted = [None] * rng.randint(1, 3)
    else:
        defaults = ("factor", "other", "every", "longest")
        wanted = [s for s, needed in slots.items() if (s not in defaults or rng.random() < 0.25) and (needed or rng.random() < 0.8)]
    picked = [(slot, choose(grown, candidates)) for slot in wanted]
    if rng.random() >= grown.careless:
        picked = without_inner_optional(picked, slots)
    # noob loses the first position of a coroutine.
    # It numbers the slots of an event map that have positions, where we name them.
    by_name = name in ("later", "split_later", "received") and rng.random() >= grown.careless
    spec = {"depends": written(rng, picked, list(slots), extra_slots, by_name)} if picked else {}
    params = {}
    if name == "drop_some" and "every" not in wanted:
        params["every"] = rng.randint(2, 4)
    if name in ("RunningSum", "Total"):
        params["start"] = rng.randrange(9)
    if name == "Above":
        params["limit"] = rng.choice([100, 400, 700])
    if name == "scale" and "factor" not in wanted and rng.random() < 0.3:
        params["factor"] = rng.randint(2, 9)
    if params:
        spec["params"] = params
    if not isinstance(call, type) and rng.random() < 0.06:
        spec["stateful"] = rng.random() < 0.7
    if rng.random() < 0.03:
        switches = [f"input.{n}" for n, given in grown.inputs.items() if given["scope"] == "tube"]
        spec["enabled"] = rng.choice([False, True, *switches])
    needed = [s for slot, s in picked if slot not in slots or slots[slot] or not isinstance(slot, str)]
    region = max((s.region for _, s in picked), key=len, default=())
    sure = type_ in PLAIN and all(s.sure for s in needed) and "enabled" not in spec
    closed = frozenset().union(*(s.closed for _, s in picked))
    grown.add(type_, spec, region, sure, closed)


def choose(grown, candidates):
    return grown.rng.choices(candidates, [1 + 4 * len(s.region) + i / len(candidates) for i, s in enumerate(candidates)])[0]


def without_inner_optional(picked, slots):
    """What comes from inside a map is required: else noob's node also runs outside, after an empty list."""
    needed = [s.region for slot, s in picked if slots.get(slot, slot is None)]
    kept = [(slot, s) for slot, s in picked if slots.get(slot, slot is None) or len(s.region) <= max(map(len, needed), default=0)]
    # A node that lacks both something required and something optional is called by noob all the same.
    if needed and len(needed) < len(kept) and not all(s.sure for slot, s in kept):
        kept = [(slot, s) for slot, s in kept if slots.get(slot, slot is None)]
    return kept


def written(rng, picked, slots, extra_slots, by_name_only):
    """(slot, signal) pairs in one of the forms of `depends`; a position needs all slots before it."""
    if picked[0][0] is None:
        return str(picked[0][1]) if len(picked) == 1 and rng.random() < 0.5 else [str(s) for _, s in picked]
    leading = 0
    while not (extra_slots or by_name_only) and leading < len(picked) and picked[leading][0] == slots[leading]:
        leading += 1
    positions = rng.randint(0, leading)
    if positions == 1 and len(picked) == 1 and rng.random() < 0.6:
        return str(picked[0][1])
    by_position = [str(signal) for _, signal in picked[:positions]]
    by_name = [{slot: str(signal)} for slot, signal in picked[positions:]]
    rng.shuffle(by_name)
    return by_position + by_name


def add_map(grown):
    rng = grown.rng
    if len(grown.chains) >= 2 and rng.random() >= grown.careless:
        return
    lists = [s for s in pool(grown, "list") if len(s.region) < 2 and not s.closed]
    if not lists:
        sources = [s for s in pool(grown) if len(s.region) < 2 and not s.closed]
        if not sources:
            return
        source = choose(grown, sources)
        if rng.random() < 0.6:
            id_ = grown.add("differential.extra.rows", {"depends": str(source)}, source.region, source.sure, frozenset())
        else:
            id_ = grown.add("model.functions.make_list", {"depends": str(source)}, source.region, source.sure, frozenset())
        lists = [s for s in grown.signals if s.node == id_]
    source = rng.choice(lists)
    id_ = f"{grown.prefix}m{len(grown.nodes)}"
    grown.nodes[id_] = {"type": "map", "depends": rng.choice([str(source), [{"value": str(source)}], [str(source)]])}
    if not source.region:
        grown.chains.add(id_)
    grown.signals += [Signal(id_, "value", (*source.region, id_), True), Signal(id_, "n", source.region, False, counts=True)]


def add_gather(grown):
    rng = grown.rng
    mapped = [s for s in grown.signals if s.region and (s.sure or rng.random() < grown.careless)]
    params, edges = {}, []
    if not mapped or rng.random() < 0.2:
        flat = [s for s in grown.signals if not s.region and not s.closed and not s.counts and s.kind != "box"]
        if not flat:
            return
        value = rng.choice(flat)
        if rng.random() < 0.7:
            params["n"] = rng.randint(1, 4)
        else:
            edges = [("trigger", rng.choice(flat))]
        closed, region, sure = value.closed, (), False
    else:
        value = rng.choice(mapped)
        region = value.region[:-1]
        if rng.random() < grown.careless:
            edges = [] if rng.random() < 0.5 else [("trigger", rng.choice(grown.signals))]
            params = {} if edges or rng.random() < 0.5 else {"n": rng.randint(1, 4)}
        else:
            edges = [("n", next(s for s in grown.signals if s.node == value.region[-1] and s.name == "n"))]
        # Nothing comes of an empty list.
        closed, sure = value.closed | {value.region[-1]}, False
    if rng.random() < 0.2 and value.kind == "list":
        params["flatten"] = True
    edges.insert(0, ("value", value))
    depends = str(value) if len(edges) == 1 else [{slot: str(s)} for slot, s in edges]
    id_ = f"{grown.prefix}g{len(grown.nodes)}"
    grown.nodes[id_] = {"type": "gather", "depends": depends} | ({"params": params} if params else {})
    grown.signals.append(Signal(id_, "value", region, sure, "list", closed))


def add_asset(grown):
    """An asset and its users, each after the other: which of two comes first is nobody's promise."""
    rng = grown.rng
    id_ = f"{grown.prefix}a{len(grown.assets)}"
    scope = rng.choice(["runner", "process", "node"])
    spec = {"type": rng.choice(["differential.extra.Box", "differential.extra.opened"]), "scope": scope}
    if rng.random() < 0.5:
        spec["params"] = {"start": rng.randrange(9)}
    grown.assets[id_] = spec
    before = rng.choice([s for s in grown.signals if not s.region and s.sure] or [None])
    if before is None:
        return
    users = rng.randint(1, 3)
    for index in range(users):
        last = index == users - 1
        type_ = "differential.extra.carry" if last and scope == "runner" and rng.random() < 0.6 else "differential.extra.push"
        depends = [{"box": f"assets.{id_}"}, {"value": str(before)}]
        node = grown.add(type_, {"depends": depends}, (), True, frozenset())
        if type_.endswith("carry"):
            spec["depends"] = f"{node}.box"
            next(s for s in grown.signals if s.node == node and s.name == "box").kind = "box"
        before = next(s for s in grown.signals if s.node == node and s.name == "total")


def add_nested(grown):
    """A tube in a tube, with one result per key and no map of its own."""
    rng = grown.rng
    if grown.prefix:
        return
    child = Growth(rng, careless=0.0, drops=grown.drops and rng.random() < 0.5, prefix=f"c{len(grown.nodes)}_")
    add_inputs(child)
    add_source(child)
    for _ in range(rng.randint(1, 4)):
        add_plain(child)
    usable = [s for s in child.signals if s.node != "input" and (s.name != "table" or rng.random() < 0.1)]
    picked = rng.sample(usable, min(len(usable), rng.randint(1, 3)))
    scalar = len(picked) == 1 and rng.random() < 0.5
    keys = [f"k{i}" for i in range(len(picked))]
    depends = str(picked[0]) if scalar else [{key: str(s)} for key, s in zip(keys, picked, strict=True)]
    child.nodes[f"{child.prefix}r"] = {"type": "return", "depends": depends}
    tube = {"noob_id": f"{child.prefix}tube", **HEADER, "input": child.inputs, "nodes": child.nodes}
    sources = [s for s in grown.signals if s.sure and s.kind != "box" and not s.closed and not s.region and not s.counts]
    given, params, required = [], {"tube": tube}, []
    for name, spec in child.inputs.items():
        if spec["scope"] == "process":
            if not sources:
                return
            source = rng.choice(sources)
            given.append({name: str(source)})
            required.append(source)
        elif needs_value(spec) or rng.random() < 0.5:
            params[name] = rng.randrange(9)
    id_ = f"t{len(grown.nodes)}"
    grown.nodes[id_] = {"type": "tube", "params": params} | ({"depends": given} if given else {})
    for key, signal in zip(["value"] if scalar else keys, picked, strict=True):
        grown.signals.append(Signal(id_, key, (), signal.sure and all(s.sure for s in required)))


def add_return(grown):
    rng = grown.rng
    usable = [s for s in grown.signals if s.kind != "box"]
    if rng.random() >= grown.careless:
        regions = sorted({s.region for s in usable}, key=lambda r: (len(r), r))
        region = rng.choice(regions)
        closed_too = rng.random() < 0.5
        usable = [s for s in usable if region[: len(s.region)] == s.region and (closed_too or not s.closed or not region)]
        usable = [s for s in usable if not s.counts]
        if not region and len(grown.chains) > 1:  # two maps must not meet, not even behind their gathers
            kept = rng.choice(sorted(grown.chains))
            usable = [s for s in usable if not s.closed - {kept}]
    if rng.random() >= grown.careless:  # noob cannot return an input by name
        usable = [s for s in usable if s.node != "input"]
    if not usable:
        return
    picked = rng.sample(usable, min(len(usable), rng.randint(1, 4)))
    form = rng.choice(["scalar", "tuple", "dict", "dict", "mixed"])
    if form == "scalar":
        depends = str(picked[0])
    elif form == "tuple":
        depends = [str(signal) for signal in picked]
    else:
        split = 0 if form == "dict" else rng.randint(0, len(picked))
        depends = [str(s) for s in picked[:split]] + [{f"k{i}": str(s)} for i, s in enumerate(picked[split:])]
    grown.nodes["r"] = {"type": "return", "depends": depends}


def extend(rng, case):
    """The tube as a base file and one that changes a few things in it."""
    base = copy.deepcopy(case["tube"])
    base["noob_id"] = "base"
    over = {"noob_id": case["tube"]["noob_id"], **HEADER, "extends": ["base.yaml"], "nodes": {}}
    for id_, spec in base["nodes"].items():
        if spec["type"].endswith(("RunningSum", "Total")) and "params" in spec:
            over["nodes"][id_] = {"params": {"start": 7}}
        elif spec["type"] == "return":
            over["nodes"][id_] = {"type": "return", "depends": spec["depends"]}
    if not over["nodes"]:
        return
    case["files"] = {"base.yaml": base}
    case["tube"] = over


def break_one_thing(rng, case):
    """Makes the tube wrong (most often) in one place."""
    tube = case["tube"]
    nodes = tube["nodes"]
    plain = [id_ for id_, spec in nodes.items() if spec.get("depends")]
    if not plain:
        return
    id_ = rng.choice(plain)
    spec = nodes[id_]
    kind = rng.choice(sorted(BREAKS))
    case["broken"] = kind
    BREAKS[kind](tube, nodes, id_, spec)


def first_reference(spec, reference):
    depends = spec["depends"]
    if isinstance(depends, str):
        spec["depends"] = reference
    elif isinstance(depends[0], str):
        spec["depends"] = [reference, *depends[1:]]
    else:
        spec["depends"] = [{next(iter(depends[0])): reference}, *depends[1:]]


def as_list(spec):
    return [spec["depends"]] if isinstance(spec["depends"], str) else list(spec["depends"])


def rename(tube, nodes, id_, new):
    nodes[new] = nodes.pop(id_)


BREAKS = {
    "unknown top key": lambda tube, nodes, id_, spec: tube.update(node={}),
    "unknown node key": lambda tube, nodes, id_, spec: spec.update(dependss="a.b"),
    "bad id": lambda tube, nodes, id_, spec: rename(tube, nodes, id_, "2nd-node"),
    "reserved id": lambda tube, nodes, id_, spec: rename(tube, nodes, id_, "meta"),
    "no signal": lambda tube, nodes, id_, spec: first_reference(spec, "somewhere"),
    "two dots": lambda tube, nodes, id_, spec: first_reference(spec, "a.b.c"),
    "unknown node": lambda tube, nodes, id_, spec: first_reference(spec, "nowhere.value"),
    "unknown input": lambda tube, nodes, id_, spec: first_reference(spec, "input.nowhere"),
    "unknown asset": lambda tube, nodes, id_, spec: first_reference(spec, "assets.nowhere"),
    "itself": lambda tube, nodes, id_, spec: first_reference(spec, f"{id_}.value"),
    "duplicate slot": lambda tube, nodes, id_, spec: spec.update(depends=[{"x": "input.q"}, {"x": "input.q"}]),
    "two returns": lambda tube, nodes, id_, spec: nodes.update(
        zz1={"type": "return", "depends": f"{id_}.value"}, zz2={"type": "return", "depends": f"{id_}.value"}
    ),
    "depends is a map": lambda tube, nodes, id_, spec: spec.update(depends={"value": "a.b", "other": "a.b"}),
    "depends has two keys": lambda tube, nodes, id_, spec: spec.update(depends=[{"value": "a.b", "other": "a.b"}]),
    "params is a list": lambda tube, nodes, id_, spec: spec.update(params=[1, 2]),
    "enabled is a word": lambda tube, nodes, id_, spec: spec.update(enabled="late"),
    "enabled by a node": lambda tube, nodes, id_, spec: spec.update(enabled="node.value"),
    "no type": lambda tube, nodes, id_, spec: spec.pop("type"),
    "relative type": lambda tube, nodes, id_, spec: spec.update(type=".functions.add_one"),
    "bare type": lambda tube, nodes, id_, spec: spec.update(type="no_such_builtin"),
    "unknown module": lambda tube, nodes, id_, spec: spec.update(type="no_such_module.function"),
    "unknown function": lambda tube, nodes, id_, spec: spec.update(type="model.functions.no_such_function"),
    "unknown signal": lambda tube, nodes, id_, spec: nodes.update(
        zz={"type": "model.functions.constant"}, zy={"type": "model.functions.add_one", "depends": "zz.no_such_signal"}
    ),
    "unknown slot": lambda tube, nodes, id_, spec: nodes.update(
        zz={"type": "model.functions.constant"}, zy={"type": "model.functions.add_one", "depends": [{"no_such_slot": "zz.value"}]}
    ),
    "missing slot": lambda tube, nodes, id_, spec: nodes.update(zz={"type": "model.functions.add_one"}),
    "unknown parameter": lambda tube, nodes, id_, spec: nodes.update(
        zz={"type": "model.functions.constant", "params": {"no_such_parameter": 1}}
    ),
    "no noob_id": lambda tube, nodes, id_, spec: tube.pop("noob_id"),
    "dot in noob_id": lambda tube, nodes, id_, spec: tube.update(noob_id="a.b"),
    "input without type": lambda tube, nodes, id_, spec: tube.setdefault("input", {}).update(extra={"scope": "tube", "default": 1}),
    "bad input scope": lambda tube, nodes, id_, spec: tube.setdefault("input", {}).update(extra={"type": "int", "scope": "runner"}),
    "asset without scope": lambda tube, nodes, id_, spec: tube.setdefault("assets", {}).update(extra={"type": "differential.extra.Box"}),
    "bad asset scope": lambda tube, nodes, id_, spec: tube.setdefault("assets", {}).update(
        extra={"type": "differential.extra.Box", "scope": "tube"}
    ),
    "asset depends in the wrong scope": lambda tube, nodes, id_, spec: tube.setdefault("assets", {}).update(
        extra={"type": "differential.extra.Box", "scope": "process", "depends": f"{id_}.value"}
    ),
    "nodes is a list": lambda tube, nodes, id_, spec: tube.update(nodes=[nodes]),
    "extends is text": lambda tube, nodes, id_, spec: tube.update(extends="base.yaml"),
    "params from a process input": lambda tube, nodes, id_, spec: (
        tube.setdefault("input", {}).update(daily={"type": "int", "scope": "process"}),
        nodes.update(zz={"type": "model.functions.Ticker", "params": {"step": "input.daily"}}),
    ),
    "params from an unknown input": lambda tube, nodes, id_, spec: nodes.update(
        zz={"type": "model.functions.Ticker", "params": {"step": "input.nowhere"}}
    ),
}
