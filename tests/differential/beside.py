"""A program with noob installed beside penstock: run by test_noob_differential.py in .venv-noob."""

import sys
from collections.abc import Generator
from typing import Annotated

import noob
import pydantic
from noob.asset import Asset
from noob.testing import DynamicSignals
from noob.types import RunnerContext
from penstock.compat.noob import Epoch, Node, SynchronousRunner, Tube

import penstock as ps

told = []


class Theirs(noob.Node):
    """A node class of noob's own."""

    limit: int = pydantic.Field(default=3, ge=0)
    _seen: list = pydantic.PrivateAttr(default_factory=list)

    def init(self, context: RunnerContext) -> None:
        told.append((self.id, type(context["runner"]).__name__))

    def deinit(self) -> None:
        told.append("deinit")

    def process(self, value: int, epoch: noob.Epoch) -> Annotated[list, noob.Name("seen")]:
        assert isinstance(epoch, noob.Epoch) and epoch.root == value
        self._seen.append(value)
        return list(self._seen) if value < self.limit else noob.MetaSignal.NoEvent


class Numbers(noob.Node):
    def process(self) -> Generator[Annotated[int, noob.Name("index")], None, None]:
        yield from range(4)


class Ours(Node):
    """The same by our Node, which is a pydantic model too."""

    names: list[str] = pydantic.Field(default_factory=list)

    def process(self, value: int) -> str:
        return "".join(self.names) * value


class Marked:
    @noob.process_method
    def times(self, value) -> Annotated[int, noob.Name("times")]:
        return noob.MetaSignal.Exhausted if value == 2 else value * 10


class Flag(Asset):
    """An asset class of noob's own."""

    def init(self) -> None:
        self.obj = ["set"]
        told.append("flag")

    def deinit(self) -> None:
        told.append("flag gone")


def seen_flag(flag) -> list:
    return flag


def tube(nodes, **top):
    return Tube.from_specification({"noob_id": "beside", "nodes": nodes, **top})


def main():
    here = "__main__"
    nodes = {
        "n": {"type": f"{here}.Numbers"},
        "theirs": {"type": f"{here}.Theirs", "depends": [{"value": "n.index"}], "params": {"limit": 2}},
        "ours": {"type": f"{here}.Ours", "depends": [{"value": "n.index"}], "params": {"names": ["a", "b"]}},
        "marked": {"type": f"{here}.Marked", "depends": [{"value": "n.index"}]},
        "flag": {"type": f"{here}.seen_flag", "depends": [{"flag": "assets.flag"}]},
        "dynamic": {
            "type": "noob.testing.DynamicSignals",
            "params": {"signals_": ["x", "y"], "slots_": ["p", "q"]},
            "depends": [{"p": "n.index"}, {"q": "ours.value"}],
        },
        "out": {
            "type": "return",
            "depends": [
                {"seen": "theirs.seen"},
                {"ours": "ours.value"},
                {"ten": "marked.times"},
                {"y": "dynamic.y"},
                {"flag": "flag.value"},
            ],
        },
    }
    loaded = tube(nodes, assets={"flag": {"type": f"{here}.Flag", "scope": "runner"}})
    assert isinstance(loaded.nodes["ours"], Ours) and isinstance(loaded.nodes["ours"], pydantic.BaseModel)
    with SynchronousRunner(loaded) as runner:
        assert runner.process() == {"seen": [0], "ours": "", "ten": 0, "y": "", "flag": ["set"]}
        assert runner.process() == {"seen": [0, 1], "ours": "ab", "ten": 10, "y": "ab", "flag": ["set"]}
        assert runner.process() == {"ours": "abab", "y": "abab", "flag": ["set"]}
    assert told[:2] in ([("theirs", "SynchronousRunner"), "flag"], ["flag", ("theirs", "SynchronousRunner")]), told
    assert sorted(told[2:]) == ["deinit", "flag gone"], told
    assert DynamicSignals is not ps.testing.DynamicSignals

    for wrong, id_ in (({"a": {"type": f"{here}.seen_flag", "depends": "b.value"}}, "PS0101"), ({"a": {"typ": 1}}, "PS0018")):
        try:
            tube(wrong)
        except pydantic.ValidationError as error:
            assert isinstance(error, ps.LoadError) and isinstance(error, ValueError)
            assert error.errors()[0]["type"] == id_ == error.diagnostics[0]["id"]
            assert f"error[{id_}]" in str(error)
        else:
            raise AssertionError("was accepted")

    class Holder(pydantic.BaseModel):
        epoch: Epoch

    held = Holder(epoch=[3, ["m", 1]])
    assert held.epoch == Epoch(3) / ("m", 1) and Holder(epoch=2).epoch == Epoch(2)
    assert held.model_dump_json() == '{"epoch":[3,["m",1]]}'


if __name__ == "__main__":
    import penstock.testing

    sys.exit(main())
