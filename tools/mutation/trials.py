"""Which tests there are, how long each takes, and which sites each reaches; found with no mutant chosen."""

import hashlib
import json
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from . import programs
from .build import BUILD, HOME, PROGRAMS, PYTHON, TREE

# What is run on an extension built from the mutated tree. Left out: what compares our documents with the sources, opens
# a browser, measures memory or takes minutes by itself.
PYTHON_TESTS = [
    "python/tests/test_api.py", "python/tests/test_assets.py", "python/tests/test_async.py",
    "python/tests/test_cache_command.py", "python/tests/test_cause.py", "python/tests/test_codec.py",
    "python/tests/test_deep.py", "python/tests/test_dry_run.py", "python/tests/test_model.py",
    "python/tests/test_nested_tubes.py", "python/tests/test_node_classes.py", "python/tests/test_pipeline_file.py",
    "python/tests/test_policies.py", "python/tests/test_processes.py", "python/tests/test_release.py",
    "python/tests/test_reuse.py", "python/tests/test_switching.py", "python/tests/test_worker_faults.py",
    "python/tests/test_write_commands.py", "tests/golden/test_golden_errors.py", "tests/test_docs_tube.py",
]  # fmt: skip
PYTHON_VARIABLES = {"PENSTOCK_MODEL_COUNT": "200", "PYTHONDONTWRITEBYTECODE": "1"}
CASE_LIMIT_S = 120
PYTHON_LIMIT_S = 1800


@dataclass
class Trial:
    """One test: `program` is the name of a C++ test program, or "pytest"."""

    program: str
    name: str
    seconds: float
    sites: list[int]


def program_path(program: str) -> Path:
    room = program.removesuffix("_test")
    folder = BUILD / "tests" / "fuzz" if room == "fuzz" else BUILD / "src" / "penstock" / room
    return folder / program


def command_of(program: str, names: list[str]) -> list:
    if program == "pytest":
        return [PYTHON, "-m", "pytest", "-q", "-x", "--tb=line", "-p", "no:cacheprovider", "-p", "mutation.pytest_trials", *names]
    return [program_path(program), "--gtest_fail_fast", f"--gtest_filter={':'.join(names)}"]


def variables_of(program: str) -> dict[str, str]:
    if program != "pytest":
        return {}
    tools = str(Path(__file__).resolve().parent.parent)
    return PYTHON_VARIABLES | {"PYTHONPATH": tools}


def find(num_sites: int, with_python: bool, say) -> list[Trial]:
    """Runs every test once; a test that fails stops everything. Kept until the build or the tests change."""
    out = []
    for program in PROGRAMS + (["pytest"] if with_python else []):
        stamp = stamp_of(program, num_sites)
        kept = HOME / f"trials-{program}.json"
        if kept.exists() and (held := json.loads(kept.read_text()))["stamp"] == stamp:
            found = [Trial(**trial) for trial in held["trials"]]
        else:
            say(f"running {program} with no mutant chosen")
            found = find_python(num_sites, say) if program == "pytest" else find_cases(program, num_sites)
            kept.write_text(json.dumps({"stamp": stamp, "trials": [asdict(trial) for trial in found]}))
        say(f"{program}: {len(found)} tests, {sum(trial.seconds for trial in found):.1f} s")
        out += found
    return out


def stamp_of(program: str, num_sites: int) -> str:
    """Changes with the sources of the tree and the tests of the program."""
    paths = [BUILD / "libpenstock.so", *BUILD.glob("src/penstock/bindings/*.so")]
    if program == "pytest":
        paths += sorted(path for name in ("python", "tests") for path in (TREE / name).rglob("*.py"))
    else:
        paths.append(program_path(program))
    digest = hashlib.sha256(str(num_sites).encode())
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def find_cases(program: str, num_sites: int) -> list[Trial]:
    found = []
    for name in cases(program):
        with tempfile.NamedTemporaryFile(prefix="penstock-reached-") as reached:
            reached.truncate(num_sites)
            started = time.monotonic()
            done = programs.run(command_of(program, [name]), TREE, {"PENSTOCK_MUTANT_REACHED": reached.name}, CASE_LIMIT_S)
            seconds = time.monotonic() - started
            if done.code != 0:
                raise SystemExit(f"mutate: error: {program} {name} fails with no mutant chosen\n{done.output[-3000:]}")
            sites = [number for number, byte in enumerate(Path(reached.name).read_bytes()) if byte]
        found.append(Trial(program, name, seconds, sites))
    return found


def cases(program: str) -> list[str]:
    listed = subprocess.run([program_path(program), "--gtest_list_tests"], capture_output=True, check=True, text=True).stdout
    names, suite = [], ""
    for line in listed.splitlines():
        text = line.split("  # ")[0].rstrip()
        if line.startswith("  "):
            names.append(suite + text.strip())
        elif text.endswith("."):
            suite = text
    if not names:
        raise SystemExit(f"mutate: error: {program} lists no tests")
    return names


def find_python(num_sites: int, say) -> list[Trial]:
    first, ends = python_run(PYTHON_TESTS, num_sites)
    failed = [line["ends"] for line in ends if line["failed"]]
    if failed:
        # A test of time may fail by chance on a busy machine; it is not asked about any mutant then.
        say(f"failed with no mutant chosen, and will kill none: {' '.join(failed)}")
        _, again = python_run(failed, num_sites)
        if lasting := [line["ends"] for line in again if line["failed"]]:
            raise SystemExit(f"mutate: error: fail twice with no mutant chosen: {' '.join(lasting)}")
    good = [line for line in ends if not line["failed"]]
    return [Trial("pytest", line["ends"], line["seconds"], sorted({*line["sites"], *first})) for line in good]


def python_run(names: list[str], num_sites: int) -> tuple[list[int], list[dict]]:
    """The sites reached before the first test, and what the plugin says of each test."""
    with tempfile.TemporaryDirectory(prefix="penstock-reached-") as folder:
        reached, log = Path(folder) / "reached", Path(folder) / "log"
        reached.write_bytes(bytes(num_sites))
        variables = variables_of("pytest") | {"PENSTOCK_MUTANT_REACHED": str(reached), "PENSTOCK_TRIALS": str(log)}
        command = [word for word in command_of("pytest", names) if word != "-x"]
        done = programs.run(command, TREE, variables, PYTHON_LIMIT_S)
        if done.code not in (0, 1):
            raise SystemExit(f"mutate: error: pytest does not run with no mutant chosen\n{done.output[-3000:]}")
        lines = [json.loads(line) for line in log.read_text().splitlines()]
    return lines[0]["sites"], [line for line in lines if "ends" in line]
