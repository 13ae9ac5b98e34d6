"""noob itself and penstock.compat.noob on the same random tubes.

PENSTOCK_NOOB_COUNT (default 300) tubes from seed PENSTOCK_NOOB_SEED (default 0) on: graphs with generators, classes, coroutines,
maps, gathers, assets, nested tubes and `extends`, run by process(), run() or iter(), and files that are wrong in one way.
Whether they load, results with their shapes, events that callbacks see and that the store has, warnings and errors must be
equal; a difference must have a name in tests/differential/deviations.py, and its reason in docs/guide/coming-from-noob.md.
noob lives in .venv-noob, which tools/setup --tests makes.
"""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from differential import texts  # noqa: E402
from differential.compare import ROOT, Side, difference  # noqa: E402
from differential.deviations import DEVIATIONS, explain  # noqa: E402
from differential.examples import BY_HAND, SEEDS  # noqa: E402
from differential.generate import BREAKS, generate  # noqa: E402

COUNT = int(os.environ.get("PENSTOCK_NOOB_COUNT", "300"))
FIRST = int(os.environ.get("PENSTOCK_NOOB_SEED", "0"))
NOOB = ROOT / ".venv-noob/bin/python"
GUIDE = ROOT / "docs/guide/coming-from-noob.md"


@pytest.fixture(scope="module")
def noob():
    assert NOOB.exists(), "noob is not installed: run tools/setup --tests"
    with Side("noob", NOOB, marker="1") as side:
        yield side


@pytest.fixture(scope="module")
def ours():
    with Side("compat") as side:
        yield side


@pytest.fixture(scope="module")
def beside():
    """penstock.compat.noob in noob's own environment: functions there import noob's own classes."""
    import penstock

    with Side("compat", NOOB, path=[str(Path(penstock.__file__).parents[1])], marker="1") as side:
        yield side


def compared(case, noob, ours):
    """(difference or None, names of the deviations it may be put down to)."""
    theirs, mine = noob.answer(case), ours.answer(case)
    found = difference(theirs, mine)
    return found, explain(case, theirs, mine) if found else []


def check(seeds, noob, ours):
    seen = Counter()
    for seed in seeds:
        case = generate(seed)
        found, names = compared(case, noob, ours)
        assert not found or names, f"seed {seed}: {found}\n{json.dumps(case, indent=1)}"
        seen["broken" if "broken" in case else case["mode"]] += 1
        seen.update({"different": bool(found)} | dict.fromkeys(names, 1))
    return seen


def test_what_noob_gives_we_give(noob, ours):
    seen = check(range(FIRST, FIRST + COUNT), noob, ours)
    print(f"{COUNT} tubes: " + ", ".join(f"{name} {count}" for name, count in sorted(seen.items())))
    assert seen["different"] < COUNT * 0.2, "most tubes must be equal, or the predicates excuse too much"
    assert min(seen[kind] for kind in ("process", "run", "iter", "async", "broken")) > COUNT / 100


def test_files_are_read_alike(noob, ours):
    different = {name for name, case in texts.cases() if difference(noob.answer(case), ours.answer(case))}
    assert different == set(texts.READ_DIFFERENTLY)


def test_functions_written_with_noobs_own_classes_run_beside_it(noob, beside):
    check(range(FIRST + COUNT, FIRST + COUNT + COUNT // 4), noob, beside)


def test_a_program_that_uses_noobs_own_classes(tmp_path):
    import penstock

    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "XDG_", "NOOB"))}
    environment |= {"HOME": str(tmp_path), "PYTHONPATH": str(Path(penstock.__file__).parents[1]), "NOOB_LOGS__LEVEL": "ERROR"}
    command = [NOOB, "-W", "ignore", ROOT / "tests/differential/beside.py"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", DEVIATIONS)
def test_every_deviation_shows_in_its_example(name, noob, ours):
    case = BY_HAND[name] if name in BY_HAND else generate(SEEDS[name])
    found, names = compared(case, noob, ours)
    assert found, "the two agree by now: the deviation is none any more"
    assert name in names, f"{found}: put down to {names}"


def test_the_guide_lists_exactly_the_deviations():
    assert re.findall(r"^\| `([a-z-]+)` \|", GUIDE.read_text(), re.M) == list(DEVIATIONS)


@pytest.mark.parametrize("kind", BREAKS)
def test_every_way_to_break_a_tube_is_drawn(kind):
    assert any(generate(seed).get("broken") == kind for seed in range(2000))


def test_a_changed_answer_is_noticed_and_seldom_excused(noob, ours):
    """The canary: an equal pair with one thing changed is different, and mostly no deviation explains it."""
    noticed, excused = 0, 0
    for seed in range(80):
        case = generate(seed)
        theirs, mine = noob.answer(case), ours.answer(case)
        if difference(theirs, mine) or theirs["verdict"] != "ran" or "raised" in theirs or not mine["events"]:
            continue
        changes = [{"events": mine["events"][1:]}, {"results": "nothing"}, {"verdict": "refused", "says": "no"}, {"ignored": 9}]
        for change in changes:
            assert difference(theirs, mine | change), change
            noticed += 1
            excused += bool(explain(case, theirs, mine | change))
    assert noticed > 100
    assert excused < noticed / 4, f"{excused} of {noticed}"


def test_both_environments_have_one_version_of_noob():
    pins = [dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / name).read_text(), re.M)) for name in ("third_party/noob.txt", "bench/peers.txt")]
    assert all(pins[1][name] == version for name, version in pins[0].items())
