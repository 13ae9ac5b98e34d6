"""One case for each deviation: a seed of generate(), or a tube by hand."""

SEEDS = {
    "coroutine-position": 113,
    "inner-optional": 1295,
    "n-inside": 1267,
    "return-input": 296,
    "optional-beside-required": 138,
    "event-position": 2003,
    "nested-injection": 771,
    "disabled-optional": 66,
    "disabled-runs": 11272,
    "switch-epochs": 394,
    "switch-end": 497,
    "empty-epoch": 33,
    "nested-end": 53,
    "end-optional": 345,
    "end-pair": 444,
    "iter-end": 939,
    "nested-dict": 542,
    "extends-return": 324,
    "gather-close": 512,
    "gather-count": 499,
    "gather-dropped": 104,
    "gathered-back": 1517,
    "noob-scheduler": 177,
    "runs-inside": 702,
    "lost-result": 144,
    "optional-twice": 175,
    "never-ends": 284,
    "return-calls": 3369,
    "return-repeats": 983,
    "nested-none": 2283,
    "nested-again": 46,
    "checked-at-load": 52,
    "event-input": 165,
    "dot-in-id": 250,
    "maps-meet": 1282,
}


def case(nodes, epochs=3, mode="process", **top):
    tube = {"noob_id": "example", "nodes": nodes, **top}
    return {"seed": -1, "tube": tube, "files": {}, "inputs": {}, "process": {}, "mode": mode, "epochs": epochs}


def out(depends, **nodes):
    return nodes | {"out": {"type": "return", "depends": depends}}


COUNT = {"type": "model.functions.count_up"}
INNER = {
    "noob_id": "inner",
    "nodes": {
        "count": COUNT,
        "rows": {"type": "model.functions.make_list", "depends": "count.index"},
        "each": {"type": "map", "depends": "rows.items"},
        "plus": {"type": "model.functions.add_one", "depends": "each.value"},
        "back": {"type": "return", "depends": [{"values": "plus.value"}]},
    },
}

BY_HAND = {
    "nested-shape": case(out([{"all": "sub.values"}], sub={"type": "tube", "params": {"tube": INNER}}), epochs=5),
    "map-text": case(
        out("all.value", word={"type": "differential.extra.word"}, each={"type": "map", "depends": "word.value"},
            all={"type": "gather", "depends": [{"value": "each.value"}, {"n": "each.n"}]})
    ),
    "gather-needs-n": case(out("all.value", count=COUNT, all={"type": "gather", "depends": "count.index"})),
    "text-annotation": case(out("two.value", two={"type": "differential.late.doubled"})),
    "testing-any": case(out("any.value", any={"type": "noob.testing.anything"})),
}  # fmt: skip
