"""The mutated tree under build/mutants: a copy of the checkout whose chosen sources are mutated, built once."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from . import schemata
from .sample import Drawing
from .sites import Site

ROOT = Path(__file__).resolve().parent.parent.parent
HOME = ROOT / "build" / "mutants"
TREE = HOME / "tree"
BUILD = TREE / "build" / "release"
ENVIRONMENT = HOME / "env"
PYTHON = ENVIRONMENT / "bin" / "python"
ROOMS = ["penstock_core", "penstock_flow", "penstock_exec"]
PROGRAMS = ["core_test", "flow_test", "exec_test", "fuzz_test", "cli_test"]
# Parts of a set-up that the copy shares.
LINKED = [".venv", ".venv-noob", ".deps", ".data"]
SPARE = 0.15  # more sites than wanted in the first build, in place of those that do not compile
DIAGNOSTIC = re.compile(
    r"^(?P<path>[^\s:]+\.cc):(?P<line>\d+):(?P<column>\d+):\s+(?P<kind>error|required from|fatal error)(?P<what>.*)", re.M
)

Numbered = dict[int, tuple[str, str, Site]]  # site number -> room, key, site


def build(drawing: Drawing, jobs: int, say) -> tuple[Numbered, int]:
    """Builds the tree with the sample in it; returns the sample and how many sites the build has.

    Sites that do not compile are replaced.
    """
    if not (ROOT / ".venv" / "bin" / "python").exists():
        raise SystemExit("mutate: error: there is no .venv; run tools/setup --tests first")
    spare = SPARE
    while True:
        numbered = dict(enumerate(drawing.chosen(spare)))
        copies = write_tree(drawing, numbered)
        say(f"building {len(numbered)} mutants")
        configure()
        output = ninja(jobs, ["-k", "0", *ROOMS], may_fail=True)
        if output is None:
            break
        bad = blamed(output, numbered, copies)
        if not bad:
            raise SystemExit(f"mutate: error: the mutated tree does not build, and no mutant is to blame\n{output[-6000:]}")
        for number, what in bad.items():
            drawing.dropped[numbered[number][1]] = what
        say(f"{len(bad)} mutants do not compile; others take their place")
        # Later builds hold no more than needed: the first ones of the build, as far as they go.
        enough = all(
            sum(1 for room, key, _ in numbered.values() if room == wanted and key not in drawing.dropped) >= quota
            for wanted, quota in drawing.quota.items()
        )
        spare = 0.0 if enough else SPARE
    ninja(jobs, ["all", *PROGRAMS, "exec_test_worker"])
    install()
    sample = {key for _, key, _ in drawing.chosen()}
    return {number: item for number, item in numbered.items() if item[1] in sample}, len(numbered)


def write_tree(drawing: Drawing, numbered: Numbered) -> dict[str, schemata.Mutated]:
    """Brings the copy up to date; a file whose text stays is not touched, so that it is not built again."""
    TREE.mkdir(parents=True, exist_ok=True)
    of_file: dict[str, dict[int, Site]] = {}
    for number, (_, _, site) in numbered.items():
        of_file.setdefault(site.path, {})[number] = site
    copies = {path: schemata.mutate(drawing.texts[path], sites) for path, sites in of_file.items()}
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = set(filter(None, subprocess.run(command, capture_output=True, check=True, text=True).stdout.split("\0")))
    for name in sorted(names):
        origin = ROOT / name
        if origin.is_file():
            write_if_changed(TREE / name, copies[name].text if name in copies else origin.read_bytes(), origin.stat().st_mode)
    header = Path(__file__).with_name("mutant.h")
    write_if_changed(TREE / "src" / "penstock_mutant.h", header.read_bytes(), 0o644)
    for name in LINKED:
        if (ROOT / name).exists() and not (TREE / name).is_symlink():
            (TREE / name).symlink_to(ROOT / name)
    remove_gone(names)
    return copies


def remove_gone(names: set[str]) -> None:
    """What the checkout no longer has would still be found by pytest."""
    for folder in ("src", "tests", "python"):
        for path in (TREE / folder).rglob("*"):
            name = str(path.relative_to(TREE))
            if path.is_file() and path.suffix in {".cc", ".h", ".py"} and name not in names and path.name != "penstock_mutant.h":
                path.unlink()


def write_if_changed(path: Path, text: bytes, mode: int) -> None:
    if path.exists() and path.read_bytes() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text)
    path.chmod(mode & 0o777)


def configure() -> None:
    if (BUILD / "build.ninja").exists():
        return
    done = subprocess.run(["cmake", "--preset", "release"], cwd=TREE, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"mutate: error: cmake --preset release failed\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


def ninja(jobs: int, words: list[str], may_fail: bool = False) -> str | None:
    """What ninja said when it failed, None when it did not."""
    command = ["ninja", "-C", str(BUILD), "-j", str(jobs), *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode == 0:
        return None
    if not may_fail:
        raise SystemExit(f"mutate: error: {' '.join(words)} failed\n{done.stdout[-6000:]}")
    return done.stdout


def blamed(output: str, numbered: Numbered, copies: dict[str, schemata.Mutated]) -> dict[int, str]:
    """Numbers of the sites the compiler's errors point at, with what it said.

    Where several sites cover the place, the innermost one that it falls into is meant; all of a file, where its errors
    fall into none.
    """
    bad: dict[int, str] = {}
    failed: dict[str, str] = {}
    for match in DIAGNOSTIC.finditer(output):
        path = os.path.relpath(os.path.join(BUILD, match["path"]), TREE)
        if path not in copies:
            continue
        if "error" in match["kind"]:
            failed.setdefault(path, match["what"].strip(" :"))
        sites = copies[path].sites_at(int(match["line"]), int(match["column"]))
        if sites:
            bad.setdefault(sites[0], match["what"].strip(" :") or "not compiled")
    for path, what in failed.items():
        there = [number for number, (_, _, site) in numbered.items() if site.path == path]
        if not any(number in bad for number in there):
            bad |= dict.fromkeys(there, what)
    return bad


def install() -> None:
    """The extension of the mutated tree, in an environment of its own that shares the packages of .venv."""
    if not PYTHON.exists():
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        subprocess.run([ROOT / ".venv" / "bin" / "python", "-m", "venv", "--without-pip", ENVIRONMENT], check=True)
    ask = "import sysconfig; print(sysconfig.get_path('platlib'))"
    site = Path(subprocess.run([PYTHON, "-c", ask], capture_output=True, check=True, text=True).stdout.strip())
    shared = Path(subprocess.run([ROOT / ".venv/bin/python", "-c", ask], capture_output=True, check=True, text=True).stdout.strip())
    # Links, not a path file: a library must lie in the environment that it is imported in.
    for package in shared.iterdir():
        if package.name not in {"penstock", "__pycache__"} and package.suffix != ".pth" and not (site / package.name).is_symlink():
            (site / package.name).symlink_to(package)
    command = ["cmake", "--install", str(BUILD), "--component", "python", "--prefix", str(site)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"mutate: error: cmake --install failed\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
