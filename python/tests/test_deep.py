"""What nests deeper than the limit of 256 is passed on as it is, or is one clear error; it never ends the process."""

import deep_nodes
import pytest

import penstock as ps

TUBE = """
nodes:
  made: {{type: deep_nodes.deep, params: {{kind: {kind}, n: {n}}}}}
  same: {{type: {type}, depends: [x: made.value]{params}}}
  out: {{type: return, depends: same.value}}
"""

RUNNERS = [ps.SynchronousRunner, ps.ThreadedRunner, ps.MultiProcessRunner]
KINDS = ["list", "tuple", "dict"]
DEEP = 100_000


def tube(kind, n, type="deep_nodes.same", params=""):
    return ps.Tube.load(TUBE.format(kind=kind, n=n, type=type, params=params))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [256, 257, DEEP])
def test_the_codec_stops_at_256(kind, n):
    value = deep_nodes.deep(kind, n)
    if n == 256:
        assert ps.decode(ps.encode(value)) == value
        return
    for call in (ps.encode, ps.digest, ps.cid):
        with pytest.raises(ps.ResourceExhaustedError, match="nested too deeply: limit=256"):
            call(value)


def test_cycles_are_values_without_end():
    with pytest.raises(ps.ResourceExhaustedError, match="nested too deeply"):
        ps.digest(deep_nodes.cycle())


@pytest.mark.parametrize("start", [b"\x81", b"\xa1\x61x", b"\x82i$penstock"])
def test_bytes_that_only_open_are_refused(start):
    with pytest.raises(ps.DataLossError, match="nested too deeply"):
        ps.decode(start * 1_000_000)


@pytest.mark.parametrize("make_runner", RUNNERS, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("kind", KINDS)
def test_runners_pass_it_on_or_say_that_it_cannot_leave(kind, make_runner):
    with make_runner(tube(kind, DEEP)) as runner:
        if make_runner is not ps.MultiProcessRunner:
            assert type(runner.process()).__name__ == kind
            return
        with pytest.raises(ps.ResourceExhaustedError, match="cannot leave its process: value is nested") as caught:
            runner.process()
        assert caught.value.id == "PS0504"


def test_results_that_are_recorded_are_refused(tmp_path):
    with pytest.raises(ps.ResourceExhaustedError, match="nested too deeply"):
        ps.run(tube("list", DEEP), report=tmp_path / "page.html")


@pytest.mark.parametrize("kind", KINDS)
def test_native_nodes_refuse_it(kind):
    with pytest.raises(ps.Error, match="nested too deeply"):
        ps.run(tube(kind, DEEP, "table.sql", ", params: {query: SELECT $x}"))


@pytest.mark.parametrize("scope", ["tube", "process"])
def test_inputs_refuse_it(scope):
    text = f"""
    input: {{x: {{type: any, scope: {scope}}}}}
    nodes:
      same: {{type: deep_nodes.same, {"params: {x: input.x}" if scope == "tube" else "depends: [x: input.x]"}}}
      out: {{type: return, depends: same.value}}
    """
    with pytest.raises(ps.ResourceExhaustedError, match="nested too deeply"):
        ps.run(text, inputs={"x": deep_nodes.deep("list", DEEP)})


def test_a_tube_given_as_dict_refuses_it():
    nodes = {"a": {"type": "deep_nodes.same", "params": {"x": deep_nodes.deep("dict", DEEP)}}}
    with pytest.raises(ps.InvalidArgumentError, match="given as dict"):
        ps.Tube.load({"nodes": nodes})


@pytest.mark.parametrize("make_runner", RUNNERS, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("name", ["recurse", "raise_deep"])
def test_nodes_that_recurse_or_raise_it_are_node_errors(make_runner, name):
    text = f"nodes: {{a: {{type: deep_nodes.{name}, depends: input.x}}, out: {{type: return, depends: a.value}}}}"
    with make_runner(ps.Tube.load("input: {x: {type: int, scope: process}}\n" + text)) as runner:
        with pytest.raises(ps.NodeError) as caught:
            runner.process(x=1)
    assert caught.value.id == "PS0401"


def test_a_codec_that_gives_its_own_object_back_is_refused():
    class Own:
        pass

    ps.register_codec(Own, "test.deep.Own", lambda own: own, lambda payload: payload)
    with pytest.raises(ps.ResourceExhaustedError, match="nested too deeply"):
        ps.digest(Own())
