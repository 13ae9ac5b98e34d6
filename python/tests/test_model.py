"""Random tubes: the local runners give the same events and results as the model oracle.

PENSTOCK_MODEL_COUNT (default 5000) random tubes from seed PENSTOCK_MODEL_SEED (default 0) on. The process
runner sees them in bundles, many tubes side by side in one, and some singly. A failing case is shrunk, and
printed with its seed.
"""

import copy
import os
import pprint
import random
import signal
import sys
from pathlib import Path

import pytest
from process_tools import children

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from model import functions  # noqa: E402
from model.compare import by_oracle, event_key, first_difference, resolve, shrink, stretches  # noqa: E402
from model.generate import bundle, generate, generate_failing  # noqa: E402
from model.planted import PLANTED  # noqa: E402
from penstock.reference.interpreter import ABSENT, Interpreter as Oracle  # noqa: E402
from penstock.reference.wiring import LoadError  # noqa: E402

import penstock as ps  # noqa: E402

COUNT = int(os.environ.get("PENSTOCK_MODEL_COUNT", "5000"))
SHUFFLE = int(os.environ.get("PENSTOCK_MODEL_SHUFFLE", "20261121"))  # seed of the order in which ready nodes are taken
FIRST = int(os.environ.get("PENSTOCK_MODEL_SEED", "0"))
BUNDLE = 50
SINGLE_PROCESS_CASES = 25


def watch(runner):
    """Return a dict that fills with root epoch -> [(node id, signal, path, value)] while the runner runs."""
    seen = {}

    def callback(event):
        epoch = event["epoch"]
        if event["node_id"] != "meta":
            path = tuple((str(name), int(index)) for name, index in epoch.path)
            # A copy: an object that is an asset later on may change then.
            seen.setdefault(epoch.root, []).append((event["node_id"], event["signal"], path, copy.deepcopy(event["value"])))

    runner.add_callback(callback)
    return seen


def by_runner(case, make_runner, stop_at_end=False):
    """The same outcome as compare.by_oracle, from a runner of penstock."""
    try:
        tube = ps.Tube.load(case.tube, inputs=case.tube_inputs)
    except ps.Error:
        return "refused"
    with make_runner(tube) as runner:
        seen = watch(runner)
        results = []
        try:
            for epochs, switches in stretches(case):
                for id_, enabled in switches:
                    (runner.enable_node if enabled else runner.disable_node)(id_)
                if stop_at_end:
                    results += copy.deepcopy(runner.run(epochs))
                else:
                    results += [copy.deepcopy(runner.process(**case.process_inputs)) for _ in range(epochs)]
        except Exception as error:  # an outcome like any other: the oracle never raises here
            return f"raised {type(error).__name__}: {error}"
    if stop_at_end:
        return {root: sorted(events, key=event_key) for root, events in seen.items()}, results
    return [(sorted(seen.get(root, []), key=event_key), result) for root, result in enumerate(results)]


def without_absent(outcome):
    """`process()` gives None when there is no result."""
    if isinstance(outcome, str):
        return outcome
    return [(events, None if result is ABSENT else result) for events, result in outcome]


def difference(case, make_runner):
    return first_difference(without_absent(by_oracle(case)), by_runner(case, make_runner))


def difference_of_runs(case, make_runner):
    """Compare `run(n)`: the epochs up to the end, and the results that are present."""
    expected, found = by_oracle(case, stop_at_end=True), by_runner(case, make_runner, stop_at_end=True)
    if isinstance(expected, str) or isinstance(found, str):
        return first_difference(expected, found)
    seen, results = found
    # A last epoch without events cannot be seen from outside.
    rows = [(seen.pop(root, []), None) for root in range(len(expected))]
    if seen:
        return f"events after the end, in epochs {sorted(seen)}"
    wanted = [result for _, result in expected if result is not ABSENT]
    if repr(wanted) != repr(results):
        return f"results {wanted!r:.300} against {results!r:.300}"
    return first_difference([(events, None) for events, _ in expected], rows)


def check(seeds, make_runner, compare):
    for seed in seeds:
        case = generate(seed)
        found = compare(case, make_runner)
        if found:
            small = shrink(case, lambda candidate: compare(candidate, make_runner))
            pytest.fail(
                f"seed {seed}, shuffle seed {SHUFFLE}: {found}\nshrunk ({small.epochs} epochs, tube inputs {small.tube_inputs}, "
                f"process inputs {small.process_inputs}): {compare(small, make_runner)}\n" + pprint.pformat(small.tube, width=110)
            )


SEEDS = range(FIRST, FIRST + COUNT)
TENTHS = [SEEDS[k::10] for k in range(10)]


RUNNERS = {
    "sync": ps.SynchronousRunner,
    "sync shuffled": lambda tube: ps.SynchronousRunner(tube, shuffle=SHUFFLE),
    "threads": lambda tube: ps.ThreadedRunner(tube, max_workers=2),
    "threads shuffled": lambda tube: ps.ThreadedRunner(tube, max_workers=3, shuffle=SHUFFLE),
}


@pytest.mark.parametrize("tenth", range(10))
@pytest.mark.parametrize("runner", RUNNERS)
def test_runner_gives_what_the_oracle_gives(runner, tenth):
    check(TENTHS[tenth], RUNNERS[runner], difference)


def difference_with_failures(case, make_runner):
    """Epochs in which a node raises must raise on both sides; the epochs after them must be right again."""
    try:
        oracle = Oracle(case.tube, resolve, functions.NoEvent, case.tube_inputs)
    except LoadError:
        return None  # covered by the tests above
    expected, found = [], []
    with make_runner(ps.Tube.load(case.tube, inputs=case.tube_inputs)) as runner:
        seen = watch(runner)
        for root in range(6):
            inputs = case.process_inputs | {"epoch": root}
            try:
                record = oracle.process(**inputs)
                expected.append((sorted(record.events, key=event_key), None if record.result is ABSENT else record.result))
            except ArithmeticError:
                expected.append(([], "raised"))
            try:
                result = runner.process(**inputs)
                found.append((sorted(seen.get(root, []), key=event_key), result))
            except ps.NodeError as error:
                found.append(([], "raised" if "cannot take" in str(error) else str(error)))
    return first_difference(expected, found)


@pytest.mark.parametrize("runner", [*RUNNERS, "processes"])
def test_epochs_after_one_that_failed_are_right(runner):
    count = 10 if runner == "processes" else COUNT // 5
    for seed in range(FIRST, FIRST + count):
        case = generate_failing(seed)
        found = difference_with_failures(case, RUNNERS.get(runner, two_processes))
        assert not found, f"seed {seed}, shuffle seed {SHUFFLE}: {found}\n{pprint.pformat(case.tube, width=110)}"


def has_no_required_process_input(case):
    return not case.process_inputs


@pytest.mark.parametrize("runner", RUNNERS)
def test_run_stops_where_the_oracle_stops(runner):
    seeds = [seed for seed in SEEDS[: COUNT // 2] if has_no_required_process_input(generate(seed))]
    check(seeds, RUNNERS[runner], difference_of_runs)


class Killed(ps.MultiProcessRunner):
    """Two worker processes, of which one is killed now and then, at events drawn from the tube's digest."""

    def __init__(self, tube):
        super().__init__(tube, max_workers=2, shuffle=SHUFFLE)
        self._draw = random.Random(tube.digest)
        self._left = 3
        self.add_callback(self._kill)

    def init(self):
        others = children()
        super().init()
        self._others = others

    def _kill(self, event):
        if self._left and self._draw.random() < 0.02:
            workers = sorted(children() - self._others)
            if workers:  # else the one killed before is being replaced
                self._left -= 1
                os.kill(self._draw.choice(workers), signal.SIGKILL)


def two_processes(tube):
    return ps.MultiProcessRunner(tube, max_workers=2, shuffle=SHUFFLE)


@pytest.mark.parametrize("tenth", range(10))
def test_process_runner_on_bundles(tenth):
    cases = [generate(seed) for seed in TENTHS[tenth]]
    cases = [case for case in cases if by_oracle(case) != "refused"]
    for start in range(0, len(cases), BUNDLE):
        whole = cases[start : start + BUNDLE]
        found = difference(bundle(whole), two_processes)
        while found and len(whole) > 1:  # halve the bundle while one half still fails
            halves = whole[: len(whole) // 2], whole[len(whole) // 2 :]
            whole = next((half for half in halves if difference(bundle(half), two_processes)), None)
            assert whole, f"only the whole bundle differs, from seed {cases[start].seed}: {found}"
        if found:
            small = shrink(bundle(whole), lambda candidate: difference(candidate, two_processes))
            pytest.fail(f"seed {whole[0].seed}: {found}\n" + pprint.pformat(small.tube, width=110))


@pytest.mark.parametrize("part", range(4))
def test_process_runner_on_bundles_with_workers_killed(part):
    cases = [generate(seed) for seed in SEEDS[part::4][: max(125, COUNT // 20)]]
    cases = [case for case in cases if by_oracle(case) != "refused"]
    for start in range(0, len(cases), BUNDLE // 2):
        found = difference(bundle(cases[start : start + BUNDLE // 2]), Killed)
        assert not found, f"seeds {[case.seed for case in cases[start : start + BUNDLE // 2]]}: {found}"


def test_process_runner_on_single_tubes():
    check(SEEDS[:SINGLE_PROCESS_CASES], two_processes, difference)


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.__name__)
def test_a_planted_bug_turns_the_comparison_red(planted):
    """The canary: the random tubes tell each wrong scheduler from the oracle."""
    for seed in range(1500):
        case = generate(seed)
        for stop_at_end in (False, True):
            if first_difference(by_oracle(case, stop_at_end=stop_at_end), by_oracle(case, planted, stop_at_end)):
                return
    pytest.fail(f"{planted.__name__} looks right on 1500 tubes")
