"""Random tubes by seed, over all that docs/design/0002-run-rule.md speaks of.

A tube grows node by node; each new node draws its inputs from the signals that exist. The generator
knows regions, so most draws are well wired; a small share is drawn without looking and may be refused
at load, by the oracle and by the engine alike.
"""

import random
from dataclasses import dataclass, field

from penstock.reference import wiring

from model import functions

PLAIN = {
    "add_one": 6, "scale": 3, "combine": 6, "three": 2, "with_default": 3, "optional_pair": 5, "needs_one": 5,
    "keywords": 3, "positional": 2, "maybe_none": 4, "drop_some": 7, "drop_all": 1, "split": 5, "route": 6,
    "make_list": 6, "make_nested": 4, "pack": 3, "unpack": 3, "RunningSum": 6, "Differences": 4, "EverySecond": 5,
}  # fmt: skip
SOURCES = ["count_up", "unnamed_source", "sporadic", "lists_source", "two_signals", "Ticker", "constant"]
LISTS = {"make_list", "make_nested", "lists_source", "positional", "pack"}
INTS = ("n", "index", "low", "pair", "scaled", "tick")  # signals that carry nothing but ints
CARELESS = 0.04  # share of edges drawn without regard to regions


@dataclass
class Case:
    seed: int
    tube: dict
    tube_inputs: dict
    process_inputs: dict
    epochs: int
    switches: dict = field(default_factory=dict)  # epoch -> [(node id, enabled)], before it begins


@dataclass
class Signal:
    node: str
    name: str
    region: tuple
    is_list: bool = False

    def __str__(self):
        return f"{self.node}.{self.name}"


@dataclass
class Growth:
    rng: random.Random
    failing: bool = False  # no node with memory, some that raise
    nodes: dict = field(default_factory=dict)
    inputs: dict = field(default_factory=dict)
    assets: dict = field(default_factory=dict)
    signals: list = field(default_factory=list)

    def add(self, kind, spec, region, list_signals=()):
        id_ = f"{kind[0].lower()}{len(self.nodes)}"
        self.nodes[id_] = spec
        if kind == "map":
            nested = spec.pop("_nested")
            self.signals += [Signal(id_, "value", (*region, id_), nested), Signal(id_, "n", region)]
        elif kind == "gather":
            self.signals.append(Signal(id_, "value", region, True))
        elif kind == "tube":
            for name in wiring.face_of_tube(spec["params"]["tube"])[0]:
                self.signals.append(Signal(id_, name, region))
        else:
            call = getattr(functions, kind)
            for name in wiring.signal_names(call.process if isinstance(call, type) else call):
                self.signals.append(Signal(id_, name, region, name in list_signals))
        if self.rng.random() < 0.05:
            switches = [f"input.{name}" for name, given in self.inputs.items() if given["scope"] == "tube"]
            spec["enabled"] = self.rng.choice([False, False, True, *switches])
        return id_


def generate(seed, failing=False):
    rng = random.Random(seed)
    grown = Growth(rng, failing=failing)
    add_inputs(grown)
    for _ in range(rng.randint(1, 3)):
        add_source(grown)
    if failing and rng.random() < 0.6:
        grown.add("fail_some", {"type": "model.functions.fail_some", "depends": "input.epoch"}, ())
    for _ in range(rng.randint(2, 14)):
        draw = rng.random()
        if draw < 0.22:
            add_map(grown)
        elif draw < 0.36:
            add_gather(grown)
        elif draw < 0.40:
            add_source(grown)
        else:
            add_plain(grown)
    if not failing:
        add_more(grown, seed)
    if rng.random() < 0.85:
        add_return(grown)
    items = list(grown.nodes.items())
    if rng.random() < 0.3:  # the order in the file means nothing
        rng.shuffle(items)
    tube = {"noob_id": f"model-{seed}", "input": grown.inputs, "nodes": dict(items)}
    if grown.assets:
        tube["assets"] = grown.assets
    given = {name: rng.choice([0, rng.randrange(20)]) for name, spec in grown.inputs.items() if rng.random() < 0.5 or required(spec)}
    scopes = {name: spec["scope"] for name, spec in grown.inputs.items()}
    epochs = rng.randint(1, 5)
    return Case(
        seed,
        tube,
        {name: value for name, value in given.items() if scopes[name] == "tube"},
        {name: value for name, value in given.items() if scopes[name] == "process"},
        epochs,
        {} if failing else draw_switches(random.Random(f"switches {seed}"), tube["nodes"], epochs),
    )


def draw_switches(rng, nodes, epochs):
    """Nodes enabled and disabled by hand, in some of the tubes; those that are off in the file more often."""
    if rng.random() < 0.6:
        return {}
    ids = sorted(nodes)
    off = [id_ for id_ in ids if nodes[id_].get("enabled", True) is not True]
    switches = {}
    for epoch in range(epochs):
        for _ in range(rng.choice([0, 1, 1, 2])):
            id_ = rng.choice(off) if off and rng.random() < 0.5 else rng.choice(ids)
            was_off = next((not on for e in reversed(switches.values()) for i, on in reversed(e) if i == id_), id_ in off)
            switches.setdefault(epoch, []).append((id_, was_off if rng.random() < 0.8 else not was_off))
    return switches


def generate_failing(seed):
    """A tube without memory in which some nodes raise on some values; its input `epoch` counts the epochs.

    A node that raises ends its epoch, and which other nodes of that epoch had run is nobody's business. Without memory
    that cannot be seen in later epochs, so those must be right again.
    """
    return generate(seed, failing=True)


def required(spec):
    return "default" not in spec and spec.get("required", True)


def add_inputs(grown):
    rng = grown.rng
    if grown.failing:
        grown.inputs["epoch"] = {"type": "int", "scope": "process", "default": 0}
        grown.signals.append(Signal("input", "epoch", ()))
    for index in range(rng.choice([0, 0, 1, 2])):
        spec = {"type": "int", "scope": rng.choice(["tube", "process"])}
        choice = rng.randrange(3)
        if choice == 0:
            spec["default"] = rng.randrange(20)
        elif choice == 1:
            spec["required"] = False
        grown.inputs[f"in{index}"] = spec
        grown.signals.append(Signal("input", f"in{index}", ()))


def add_source(grown):
    rng = grown.rng
    name = "constant" if grown.failing else rng.choice(SOURCES)
    params = {}
    if name not in ("Ticker", "constant") and rng.random() < 0.35:
        params["limit"] = rng.randint(0, 4)
    if name == "sporadic":
        params["every"] = rng.randint(1, 3)
    if name == "Ticker":
        tube_scoped = [n for n, s in grown.inputs.items() if s["scope"] == "tube" and "default" in s]
        params["step"] = f"input.{rng.choice(tube_scoped)}" if tube_scoped and rng.random() < 0.5 else rng.randint(1, 3)
    grown.add(name, {"type": f"model.functions.{name}"} | ({"params": params} if params else {}), (), {"batch"})


def add_plain(grown):
    rng = grown.rng
    weights = PLAIN if not grown.failing else {k: w for k, w in PLAIN.items() if k[0].islower()} | {"fail_some": 9}
    name = rng.choices(list(weights), list(weights.values()))[0]
    call = getattr(functions, name)
    slots, extra = wiring.slots_of(call.process if isinstance(call, type) else call, isinstance(call, type))
    pool = on_one_chain(grown)
    picked = []
    if name == "keywords":
        wanted = [f"k{i}" for i in range(rng.randint(1, 3))]
    elif name == "positional":
        wanted = [None] * rng.randint(1, 3)
    else:
        defaults = ("factor", "other", "every", "longest")
        wanted = [s for s, needed in slots.items() if (s not in defaults or rng.random() < 0.25) and (needed or rng.random() < 0.8)]
    for slot in wanted:
        picked.append((slot, choose(grown, pool)))
    depends = written(rng, picked, list(slots), extra)
    spec = {"type": f"model.functions.{name}"}
    if depends:
        spec["depends"] = depends
    if name == "drop_some" and "every" not in wanted:
        spec["params"] = {"every": rng.randint(2, 4)}
    if name == "RunningSum":
        spec["params"] = {"start": rng.randrange(9)}
    if name == "scale" and "factor" not in wanted and rng.random() < 0.3:
        spec["params"] = {"factor": rng.randint(2, 9)}
    if not isinstance(call, type) and not grown.failing and rng.random() < 0.08:
        spec["stateful"] = True
    region = max((signal.region for _, signal in picked), key=len, default=())
    lists = wiring.signal_names(call) if name in LISTS else ()
    grown.add(name, spec, region, lists)


def add_more(grown, seed):
    """Coroutines, node classes, assets and nested tubes, in two of five tubes; drawn apart from all else."""
    draws, grown.rng = grown.rng, random.Random(f"more {seed}")
    if grown.rng.random() < 0.4:
        for _ in range(grown.rng.randint(1, 3)):
            grown.rng.choice([add_call, add_call, add_asset, add_nested])(grown)
            if grown.rng.random() < 0.5:
                grown.rng.choice([add_plain, add_plain, add_map, add_gather])(grown)
    grown.rng = draws


def add_call(grown):
    name = grown.rng.choice(["later", "split_later", "list_later", "Opened", "Opened", "OpenedLater"])
    source = choose(grown, on_one_chain(grown))
    spec = {"type": f"model.functions.{name}", "depends": str(source)}
    if name == "Opened" and grown.rng.random() < 0.5:
        spec["params"] = {"factor": grown.rng.randint(1, 5)}
    grown.add(name, spec, source.region, {"later_items"})


def add_asset(grown):
    """An asset and its users, each after the one before: who comes first in other cases is no rule.

    Only the last may lie in a map; there it sees the elements in order.
    """
    rng = grown.rng
    id_ = f"a{len(grown.assets)}"
    scope = rng.choice(["runner", "runner", "process", "node"])
    spec = {"type": "model.functions.register", "scope": scope}
    if rng.random() < 0.5:
        spec["params"] = {"start": rng.randrange(9)}
    last = None
    for _ in range(rng.randint(1, 3)):
        if last is not None and last.region:
            break
        name = rng.choice(["use", "use", "renew"])
        value = choose(grown, on_one_chain(grown))
        depends = [{"asset": f"assets.{id_}"}, {"value": str(value)}]
        if last is not None:
            depends.append({"after": str(last)})
        rng.shuffle(depends)
        user = grown.add(name, {"type": f"model.functions.{name}", "depends": depends}, value.region, {"renewed"})
        last = grown.signals[-1]
        assert last.node == user
    if scope == "runner" and last.name == "renewed" and rng.random() < 0.7:
        spec["depends"] = str(last)
    grown.assets[id_] = spec


def add_nested(grown):
    rng = grown.rng
    inner = Growth(rng)
    for name in ["x", "y"][: rng.randint(1, 2)]:
        inner.inputs[name] = {"type": "any", "scope": "process"} | rng.choice([{}, {"required": False}, {"default": 7}])
        inner.signals.append(Signal("input", name, ()))
    for _ in range(rng.randint(1, 5)):
        rng.choice([add_plain, add_plain, add_plain, add_map, add_gather, add_source, add_call, add_asset])(inner)
    add_return(inner)
    tube = {"noob_id": f"inner-{len(grown.nodes)}", "input": inner.inputs, "nodes": inner.nodes}
    if inner.assets:
        tube["assets"] = inner.assets
    pool = on_one_chain(grown)
    picked = [(name, choose(grown, pool)) for name, spec in inner.inputs.items() if required(spec) or rng.random() < 0.7]
    spec = {"type": "tube", "params": {"tube": tube}}
    if picked:
        spec["depends"] = [{name: str(signal)} for name, signal in picked]
    grown.add("tube", spec, max((signal.region for _, signal in picked), key=len, default=()))


def written(rng, picked, slots, extra):
    """Write (slot, signal) pairs in one of the forms of `depends`; a position needs all slots before it."""
    if not picked:
        return None
    if picked[0][0] is None:
        return str(picked[0][1]) if len(picked) == 1 and rng.random() < 0.5 else [str(s) for _, s in picked]
    leading = 0
    while not extra and leading < len(picked) and picked[leading][0] == slots[leading]:
        leading += 1
    positions = rng.randint(0, leading)
    if positions == 1 and len(picked) == 1 and rng.random() < 0.6:
        return str(picked[0][1])
    by_position = [str(signal) for _, signal in picked[:positions]]
    by_name = [{slot: str(signal)} for slot, signal in picked[positions:]]
    return interleave(rng, by_position, by_name)


def interleave(rng, first, second):
    rng.shuffle(second)
    merged, first = [], first[:]
    for item in second:
        while first and rng.random() < 0.5:
            merged.append(first.pop(0))
        merged.append(item)
    return merged + first


def on_one_chain(grown):
    """Signals of all regions on the chain of a region drawn at random; deeper regions more often."""
    rng = grown.rng
    regions = sorted({signal.region for signal in grown.signals}, key=lambda r: (len(r), r))
    region = rng.choices(regions, [1 + 4 * len(r) for r in regions])[0]
    return [signal for signal in grown.signals if region[: len(signal.region)] == signal.region]


def choose(grown, pool):
    if grown.rng.random() < CARELESS:
        return grown.rng.choice(grown.signals)
    return grown.rng.choices(pool, [1 + 5 * len(s.region) + i / len(pool) for i, s in enumerate(pool)])[0]


def add_map(grown):
    rng = grown.rng
    lists = [s for s in grown.signals if s.is_list and len(s.region) < 3]
    if not lists or rng.random() < 0.3:
        source = choose(grown, [s for s in on_one_chain(grown) if len(s.region) < 3])
        name = rng.choice(["make_list", "make_nested"])
        id_ = grown.add(name, {"type": f"model.functions.{name}", "depends": str(source)}, source.region, {"items", "rows"})
        lists = [s for s in grown.signals if s.node == id_]
    source = rng.choices(lists, [1 + 3 * len(s.region) + 2 * (s.name == "rows") for s in lists])[0]
    spec = {"type": "map", "depends": rng.choice([str(source), [{"value": str(source)}], [str(source)]])}
    # make_nested gives rows, lists of lists: its elements can be mapped again.
    spec["_nested"] = source.name == "rows"
    grown.add("map", spec, source.region)


def add_gather(grown):
    rng = grown.rng
    mapped = [s for s in grown.signals if s.region]
    in_root = not mapped or rng.random() < 0.2
    value = rng.choice([s for s in grown.signals if not s.region] if in_root else mapped)
    region = value.region[:-1]
    outer = [s for s in grown.signals if region[: len(s.region)] == s.region]
    params, edges = {}, [("value", value)]
    if grown.failing and in_root:
        return
    modes = ["close", "close", "closed by n", "n", "n wired", "trigger", "trigger inside"]
    mode = rng.choice(["n", "n wired", "trigger"] if in_root else modes[:3] if grown.failing else modes)
    if mode == "closed by n":
        edges.append(("n", next(s for s in grown.signals if s.node == value.region[-1] and s.name == "n")))
    elif mode == "n":
        params["n"] = rng.randint(1, 5)
    elif mode == "n wired":
        own = value.region[-1] if value.region else ""
        numbers = [s for s in outer if s.name in INTS and s.node != own]
        if numbers:
            edges.append(("n", rng.choice(numbers)))
        elif in_root and rng.random() < 0.8:
            params["n"] = 2
    elif mode == "trigger":
        edges.append(("trigger", choose(grown, outer)))
    elif mode == "trigger inside":
        inside = rng.choice([s for s in mapped if s.region == value.region])
        if rng.random() < 0.8:
            spec = {"type": "model.functions.drop_some", "depends": str(inside), "params": {"every": rng.randint(2, 3)}}
            inside = Signal(grown.add("drop_some", spec, inside.region), "value", inside.region)
        edges.append(("trigger", inside))
    if not grown.failing and rng.random() < 0.02:
        params["n"] = 2
    if rng.random() < 0.25:
        params["flatten"] = True
    if len(edges) == 1 and rng.random() < 0.6:
        depends = str(value)
    else:
        depends = [{slot: str(signal)} for slot, signal in edges]
        rng.shuffle(depends)
    spec = {"type": "gather", "depends": depends} | ({"params": params} if params else {})
    grown.add("gather", spec, region)


def add_return(grown):
    rng = grown.rng
    pool = grown.signals[-8:] if rng.random() < 0.7 else grown.signals
    picked = rng.sample(pool, min(len(pool), rng.randint(1, 4)))
    form = rng.choice(["scalar", "tuple", "dict", "dict", "mixed"])
    if form == "scalar":
        depends = str(picked[0])
    elif form == "tuple":
        depends = [str(signal) for signal in picked]
    else:
        split = 0 if form == "dict" else rng.randint(0, len(picked))
        by_name = [{f"k{i}": str(signal)} for i, signal in enumerate(picked[split:])]
        depends = interleave(rng, [str(signal) for signal in picked[:split]], by_name)
    grown.nodes["r"] = {"type": "return", "depends": depends}


def bundle(cases):
    """One tube that holds `cases` side by side, without their returns; ids get the prefix `s<seed>_`.

    Starting worker processes costs far more than a small tube, so the process runner sees many at once.
    Only cases with the same wiring verdict belong together: leave out those that are refused.
    """

    def renamed(seed, source):
        for own in ("input.", "assets."):
            if source.startswith(own):
                return source.replace(own, f"{own}s{seed}_")
        return f"s{seed}_{source}"

    nodes, inputs, assets, tube_inputs, process_inputs, switches = {}, {}, {}, {}, {}, {}
    for case in cases:
        seed = case.seed
        returns = {id_ for id_, spec in case.tube["nodes"].items() if spec["type"] == "return"}
        for epoch, changes in case.switches.items():
            switches.setdefault(epoch, []).extend((f"s{seed}_{id_}", on) for id_, on in changes if id_ not in returns)
        inputs |= {f"s{seed}_{name}": spec for name, spec in case.tube["input"].items()}
        for name, spec in case.tube.get("assets", {}).items():
            assets[f"s{seed}_{name}"] = spec | ({"depends": renamed(seed, spec["depends"])} if "depends" in spec else {})
        tube_inputs |= {f"s{seed}_{name}": value for name, value in case.tube_inputs.items()}
        process_inputs |= {f"s{seed}_{name}": value for name, value in case.process_inputs.items()}
        for id_, spec in case.tube["nodes"].items():
            if spec["type"] == "return":
                continue
            spec = dict(spec)
            depends = spec.get("depends")
            if isinstance(depends, str):
                spec["depends"] = renamed(seed, depends)
            elif depends:
                spec["depends"] = [
                    renamed(seed, item) if isinstance(item, str) else {k: renamed(seed, v) for k, v in item.items()} for item in depends
                ]
            if isinstance(spec.get("enabled"), str):
                spec["enabled"] = renamed(seed, spec["enabled"])
            if "params" in spec:
                spec["params"] = {key: renamed(seed, value) if isinstance(value, str) else value for key, value in spec["params"].items()}
            nodes[f"s{seed}_{id_}"] = spec
    tube = {"noob_id": f"bundle-{cases[0].seed}", "input": inputs, "nodes": nodes} | ({"assets": assets} if assets else {})
    return Case(cases[0].seed, tube, tube_inputs, process_inputs, max(case.epochs for case in cases), switches)
