"""Lets the tests that reach a site try to kill its mutant."""

import json
import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from . import programs
from .build import TREE
from .trials import Trial, command_of, variables_of

SLOWER = 10  # a run that takes this many times its normal time hangs
GRACE_S = 10
STARTED = re.compile(r"^\[ RUN      \] (\S+)", re.M)
FAILED = re.compile(r"^\[  FAILED  \] ([^\s,]+)", re.M)


@dataclass
class Verdict:
    killed: bool
    by: str  # the test that killed it; how many tests it survived
    how: str  # "fails", "crashes" or "hangs"


def judge(number: int, trials: list[Trial], python_s: float) -> Verdict:
    """Tries the cheapest programs first, then at most `python_s` seconds of Python tests."""
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        if number in trial.sites:
            groups.setdefault(trial.program, []).append(trial)
    if "pytest" in groups:
        groups["pytest"] = within(groups["pytest"], python_s)
    cost = {program: (program == "pytest", sum(trial.seconds for trial in group)) for program, group in groups.items()}
    for program in sorted(groups, key=cost.__getitem__):
        if verdict := try_group(number, program, groups[program]):
            return verdict
    tried = sum(map(len, groups.values()))
    return Verdict(False, f"{tried} tests that reach it pass" if tried else "no test reaches it", "")


def within(trials: list[Trial], seconds: float) -> list[Trial]:
    """The fastest tests, as many as the time allows, in the order in which they are written."""
    fastest = set()
    for trial in sorted(trials, key=lambda trial: trial.seconds):
        seconds -= trial.seconds
        if seconds < 0:
            break
        fastest.add(trial.name)
    return [trial for trial in trials if trial.name in fastest]


def try_group(number: int, program: str, group: list[Trial]) -> Verdict | None:
    while group:
        ended, name = attempt(number, program, group)
        if ended is None:
            return None
        alone = [trial for trial in group if trial.name == name]
        if is_sure(number, program, alone) or is_sure(number, program, group):
            return Verdict(True, f"{program} {name}", ended)
        # It failed by chance, or after certain others: the rest may still see the mutant.
        group = [trial for trial in group if trial.name != name] if alone else []
    return None


def is_sure(number: int, program: str, group: list[Trial]) -> bool:
    """Whether these tests fail again with the mutant, and pass without it."""
    return bool(group) and attempt(number, program, group)[0] is not None and attempt(None, program, group)[0] is None


def attempt(number: int | None, program: str, group: Iterable[Trial]) -> tuple[str | None, str]:
    """How the tests ended if not well, and which of them was at fault."""
    group = list(group)
    limit = SLOWER * sum(trial.seconds for trial in group) + GRACE_S
    variables = variables_of(program)
    if number is not None:
        variables |= {"PENSTOCK_MUTANT": str(number)}
    with tempfile.TemporaryDirectory(prefix="penstock-trials-") as folder:
        log = Path(folder) / "log"
        log.touch()
        done = programs.run(command_of(program, [trial.name for trial in group]), TREE, variables | {"PENSTOCK_TRIALS": str(log)}, limit)
        at = last_python_test(log) if program == "pytest" else last_case(done.output)
    if done.code == 0:
        return None, ""
    if done.code is None:
        return "hangs", at
    if program == "pytest" and done.code in (3, 4, 5):
        raise SystemExit(f"mutate: error: pytest stopped by itself (exit code {done.code})\n{done.output[-3000:]}")
    return ("fails" if 0 < done.code < 128 else "crashes"), at


def last_case(output: str) -> str:
    failed = FAILED.findall(output)
    started = STARTED.findall(output)
    return failed[0] if failed else started[-1] if started else "before its first test"


def last_python_test(log: Path) -> str:
    """The test that failed, or the one that was begun last; a line that was cut is left out."""
    begun = "before its first test"
    for line in log.read_text().splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            break
        begun = entry.get("begins", begun)
        if entry.get("failed"):
            return entry["ends"]
    return begun
