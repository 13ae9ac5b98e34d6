"""A map over arrays and other sequences gives the same under every runner, or the same error."""

import map_inputs
import numpy as np
import pytest

import penstock as ps

TUBE = """
nodes:
  all: {type: map_inputs.%s}
  each: {type: map, depends: all.value}
  twice: {type: map_inputs.twice, depends: [value: each.value]}
  out: {type: return, depends: [n: each.n, twice: twice.value]}
"""


@pytest.mark.parametrize("name", ["vector", "matrix"])
def test_the_elements_of_an_array_are_those_along_its_first_axis(name):
    wanted = [2 * part for part in getattr(map_inputs, name)()]
    cids = set()
    for runner in ("sync", "threads", "processes"):
        run = ps.run(TUBE % name, runner=runner)
        assert run.result["n"] == 3
        np.testing.assert_array_equal(run.result["twice"], wanted)
        cids.add(run.cid)
    assert len(cids) == 1


@pytest.mark.parametrize("runner", ["sync", "threads"])
def test_a_range_is_a_sequence(runner):
    assert ps.run(TUBE % "numbers", runner=runner).result == {"n": 3, "twice": [0, 2, 4]}


@pytest.mark.parametrize("name", ["scalar", "table"])
@pytest.mark.parametrize("runner", ["sync", "threads", "processes"])
def test_what_is_no_sequence_is_refused_by_every_runner(name, runner):
    with pytest.raises(ps.InvalidArgumentError, match="map needs a list or another sized sequence, seen") as caught:
        ps.run(TUBE % name, runner=runner)
    assert caught.value.id == "PS0404"
