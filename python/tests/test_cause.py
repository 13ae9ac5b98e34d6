"""What a node raised is the __cause__ of what the caller gets, and is kept no longer than that."""

import subprocess
import sys
import textwrap
import traceback

import cause_nodes
import pytest

import penstock as ps

TUBE = """
input: {{x: {{type: int, scope: process, default: 3}}}}
nodes:
  node: {{type: cause_nodes.{name}, depends: [x: input.x]}}
  out: {{type: return, depends: node.value}}
"""

IN_PROCESS = [ps.SynchronousRunner, ps.ThreadedRunner]
RUNNERS = [*IN_PROCESS, ps.MultiProcessRunner]
each_runner = pytest.mark.parametrize("make_runner", RUNNERS, ids=lambda cls: cls.__name__)
in_process = pytest.mark.parametrize("make_runner", IN_PROCESS, ids=lambda cls: cls.__name__)


def failure(make_runner, name):
    with make_runner(ps.Tube.load(TUBE.format(name=name))) as runner:
        with pytest.raises(ps.NodeError) as caught:
            runner.process(x=3)
    return caught.value


@in_process
def test_the_cause_is_the_very_exception(make_runner):
    cause_nodes.raised.clear()
    error = failure(make_runner, "refuse")
    assert error.__cause__ is cause_nodes.raised.pop()
    assert error.__suppress_context__
    frames = [frame.name for frame in traceback.extract_tb(error.__cause__.__traceback__)]
    assert frames == ["refuse"]


def test_from_a_worker_comes_an_equal_one():
    cause = failure(ps.MultiProcessRunner, "refuse").__cause__
    assert type(cause) is cause_nodes.Refused
    assert (cause.args, cause.seat) == (("no seat 3 in row 7",), 3)


@each_runner
def test_what_the_cause_came_from_is_kept(make_runner):
    cause = failure(make_runner, "chained").__cause__
    assert isinstance(cause, RuntimeError)
    if make_runner is not ps.MultiProcessRunner:  # pickle leaves it out
        assert isinstance(cause.__cause__, KeyError)


@pytest.mark.parametrize("name", ["local", "one_way", "huge"])
def test_what_pickle_cannot_bring_is_none(name):
    error = failure(ps.MultiProcessRunner, name)
    assert error.__cause__ is None
    assert error.id == "PS0401"


@in_process
@pytest.mark.parametrize("name", ["local", "one_way", "huge"])
def test_in_this_process_there_is_nothing_to_bring(make_runner, name):
    assert failure(make_runner, name).__cause__ is not None


@each_runner
def test_a_generator_has_a_cause_too(make_runner):
    with make_runner(ps.Tube.load("nodes: {a: {type: cause_nodes.source}, out: {type: return, depends: a.value}}")) as runner:
        with pytest.raises(ps.NodeError) as caught:
            runner.run()
    assert isinstance(caught.value.__cause__, cause_nodes.Refused)


def test_an_error_of_the_engine_has_none():
    with pytest.raises(ps.LoadError) as caught:
        ps.Tube.load("nodes: {a: {type: cause_nodes.no_such_node}}")
    assert caught.value.__cause__ is None


def test_nothing_keeps_the_exception(tmp_path):
    # In a script, where pytest keeps no frames: reference counts alone free it, the collector is off.
    (tmp_path / "script.py").write_text(
        textwrap.dedent("""
        import gc, sys, weakref
        import penstock as ps

        class Refused(Exception):
            pass

        def refuse(x):
            raise Refused(x)

        TUBE = '''
        input: {x: {type: int, scope: process}}
        nodes:
          node: {type: __main__.refuse, depends: [x: input.x]}
          out: {type: return, depends: node.value}
        '''

        if __name__ == "__main__":
            gc.disable()
            for make in (ps.SynchronousRunner, ps.ThreadedRunner, ps.MultiProcessRunner):
                with make(ps.Tube.load(TUBE)) as runner:
                    for _ in range(100):
                        try:
                            runner.process(x=3)
                        except ps.NodeError as error:
                            assert type(error.__cause__) is Refused, error.__cause__
                            weak = weakref.ref(error.__cause__)
                        assert weak() is None, make
            print("freed")
        """)
    )
    done = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, timeout=120)
    assert done.stdout == "freed\n", done.stderr
