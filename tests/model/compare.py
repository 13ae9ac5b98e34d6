"""Compare what two schedulers did with one case, and shrink a case on which they differ."""

import copy
import importlib

from penstock.reference.interpreter import Interpreter as Oracle
from penstock.reference.wiring import LoadError

from model import functions


def resolve(type_):
    module, _, name = type_.rpartition(".")
    return getattr(importlib.import_module(module), name)


def by_oracle(case, scheduler=Oracle, stop_at_end=False):
    """Return [(sorted events, result)] per epoch, or "refused" when the tube does not load.

    With `stop_at_end` the run is `run(n)`; without it `process()` is called for every epoch.
    """
    try:
        oracle = scheduler(case.tube, resolve, functions.NoEvent, case.tube_inputs)
    except LoadError:
        return "refused"
    records = []
    for epochs, switches in stretches(case):
        for id_, enabled in switches:
            oracle.switch(id_, enabled)
        if stop_at_end:
            records += oracle.run(epochs, case.process_inputs)
        else:
            records += [oracle.process(**case.process_inputs) for _ in range(epochs)]
    return [(sorted(record.events, key=event_key), record.result) for record in records]


def stretches(case):
    """[(number of epochs, the switches before them)]: the case's epochs, cut where nodes are switched."""
    begins = sorted({0, *(epoch for epoch in case.switches if epoch < case.epochs)})
    ends = [*begins[1:], case.epochs]
    return [(end - begin, case.switches.get(begin, [])) for begin, end in zip(begins, ends, strict=True)]


def event_key(event):
    node, signal, path, _ = event
    return node, signal, path


def first_difference(left, right):
    """One line on where two outcomes differ, or None. Values must be equal and of equal type."""
    if isinstance(left, str) or isinstance(right, str):
        return None if left == right else f"{left!r:.200} against {right!r:.200}"
    if len(left) != len(right):
        return f"{len(left)} epochs against {len(right)}"
    for root, ((events, result), (other_events, other_result)) in enumerate(zip(left, right, strict=True)):
        if repr(events) != repr(other_events):
            only = [e for e in events if repr(e) not in map(repr, other_events)]
            other_only = [e for e in other_events if repr(e) not in map(repr, events)]
            return f"epoch {root}: only left {only[:4]}, only right {other_only[:4]}"
        if repr(result) != repr(other_result):
            return f"epoch {root}: result {result!r:.200} against {other_result!r:.200}"
    return None


def shrink(case, differs):
    """Drop nodes, params and epochs while `differs(case)` stays true; return the smallest case found."""
    smaller = True
    while smaller:
        smaller = False
        for candidate in reductions(case):
            try:
                found = differs(candidate)
            except Exception:  # the reduced tube gives a function what it cannot take
                continue
            if found:
                case, smaller = candidate, True
                break
    return case


def reductions(case):
    for epochs in range(1, case.epochs):
        yield changed(case, epochs=epochs)
    nodes, assets = case.tube["nodes"], case.tube.get("assets", {})
    for id_ in nodes:
        if not any(f"{id_}." in str(spec.get("depends", "")) for spec in (*nodes.values(), *assets.values())):
            yield changed(case, nodes={k: v for k, v in nodes.items() if k != id_})
    for id_, spec in assets.items():
        if "depends" in spec:
            yield with_asset(case, id_, {key: value for key, value in spec.items() if key != "depends"})
        elif not any(f"assets.{id_}" in str(node.get("depends", "")) for node in nodes.values()):
            yield with_asset(case, id_, None)
    for epoch, changes in case.switches.items():
        for index in range(len(changes)):
            yield changed(case, switches=case.switches | {epoch: changes[:index] + changes[index + 1 :]})
    for id_, spec in nodes.items():
        for key in ("enabled", "stateful", "params"):
            if key in spec:
                yield changed(case, nodes=nodes | {id_: {k: v for k, v in spec.items() if k != key}})
        depends = spec.get("depends")
        if isinstance(depends, list):
            for index in range(len(depends)):
                kept = depends[:index] + depends[index + 1 :]
                yield changed(case, nodes=nodes | {id_: spec | {"depends": kept}})


def with_asset(case, id_, spec):
    assets = {key: value for key, value in (case.tube["assets"] | {id_: spec}).items() if value is not None}
    case = copy.copy(case)
    case.tube = case.tube | {"assets": assets}
    return case


def changed(case, epochs=None, nodes=None, switches=None):
    case = copy.copy(case)
    case.epochs = epochs or case.epochs
    if switches is not None:
        case.switches = switches
    if nodes is not None:
        case.tube = case.tube | {"nodes": nodes}
        case.switches = {epoch: [(id_, on) for id_, on in changes if id_ in nodes] for epoch, changes in case.switches.items()}
    return case
