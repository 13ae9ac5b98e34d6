"""40 edits of a module of five functions: how many functions run again, each time in a new process.

25 cosmetic ones (a comment above, a comment inside, a docstring, an empty line, brackets over three lines; in each function), after which
nothing needs to run; and 15 that give an equal value by other code (a local name, a statement more, a list around it), after which
exactly one function does. Each edit is made in a folder where the pipeline has run once. Functions write down that they ran.
Peers: Hamilton with its cache, redun, Snakemake (a script per rule), with one edit of each kind. No times: start-up would be all of them.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import harness

WORKFLOWS = harness.ROOT / ".venv-peers-workflow" / "bin"
HEAD = """import os


def _ran(name):
    with open(os.environ["RAN"], "a") as file:
        file.write(name + "\\n")
"""
BODIES = {
    "numbers": ("size: int", "list", "list(range(size))"),
    "evens": ("numbers: list", "list", "[n for n in numbers if n % 2 == 0]"),
    "total": ("evens: list", "int", "sum(evens)"),
    "doubled": ("numbers: list", "list", "[n * 2 for n in numbers]"),
    "report": ("total: int, doubled: list", "str", 'f"{total} {len(doubled)}"'),
}
FUNCTIONS = {
    name: f'def {name}({takes}) -> {gives}:\n    _ran("{name}")\n    return {value}\n' for name, (takes, gives, value) in BODIES.items()
}


def returning(written):
    """Edits `return VALUE`, the last line of a function."""

    def edit(text):
        before, value = text.rstrip("\n").split("return ")
        return before + written.format(value) + "\n"

    return edit


COSMETIC = {
    "comment above": lambda text: "# what it is for\n" + text,
    "comment inside": lambda text: text.replace("    return", "    # the result\n    return"),
    "docstring": lambda text: text.replace(":\n    _ran", ':\n    """What it is for."""\n    _ran'),
    "empty line": lambda text: text.replace("    return", "\n    return"),
    "brackets": returning("return (\n        {}\n    )"),
}
EQUAL = {
    "local name": returning("found = {}\n    return found"),
    "statement": lambda text: text.replace("    return", "    os.getpid()\n    return"),
    "list around": returning("return [{}][0]"),
}


def edits(kinds):
    """(what, functions) of each edit."""
    for what, edit in kinds.items():
        for name, text in FUNCTIONS.items():
            edited = edit(text)
            assert edited != text, what
            yield f"{what} in {name}", FUNCTIONS | {name: edited}


def one_of_each_kind(chosen):
    """Each in another function."""
    size = len(FUNCTIONS)
    return [chosen[start + start // size % size] for start in range(0, len(chosen), size)]


# ---- the pipeline in each tool: how its files are written, and the command that runs it


def write(path, text):
    """What is the same stays untouched: some look at the time of a file."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def write_ours(folder, functions):
    write(folder / "steps.py", "\n\n".join([HEAD, *functions.values()]))
    depends = {"numbers": "params: {size: 50}", "evens": "depends: [numbers: numbers.value]", "total": "depends: [evens: evens.value]"}
    depends |= {"doubled": "depends: [numbers: numbers.value]", "report": "depends: [total: total.value, doubled: doubled.value]"}
    nodes = "".join(f"  {name}: {{type: steps.{name}, {wiring}, cache: true}}\n" for name, wiring in depends.items())
    write(folder / "tube.yaml", f"nodes:\n{nodes}  out: {{type: return, depends: report.value}}\n")


def write_hamilton(folder, functions):
    write(folder / "steps.py", "\n\n".join([HEAD, *functions.values()]))
    write(folder / "main.py",
        "import steps\nfrom hamilton import driver\n"
        'built = driver.Builder().with_modules(steps).with_cache(path="cache").build()\n'
        'print(built.execute(["report"], inputs={"size": 50})["report"])\n'
    )


def write_redun(folder, functions):
    tasks = ["@task()\n" + text for text in functions.values()]
    main = "@task()\ndef main(size: int = 50):\n    n = numbers(size)\n    return report(total(evens(n)), doubled(n))\n"
    write(folder / "flow.py", "\n\n".join(['from redun import task\n\nredun_namespace = "bench"\n' + HEAD, *tasks, main]))


def write_snakemake(folder, functions):
    rules = ['rule all:\n    input: "report.json"\n']
    for name, text in functions.items():
        takes = [part.split(":")[0].strip() for part in BODIES[name][0].split(",")]
        files = [] if name == "numbers" else takes
        given = "50" if name == "numbers" else "*[json.load(open(path)) for path in snakemake.input]"
        glue = f'json.dump({name}({given}), open(snakemake.output[0], "w"))\n'
        write(folder / f"step_{name}.py", "\n\n".join(["import json\n" + HEAD, text, glue]))
        inputs = f"    input: {', '.join(repr(file + '.json') for file in files)}\n" if files else ""
        rules.append(f'rule {name}:\n{inputs}    output: "{name}.json"\n    script: "step_{name}.py"\n')
    write(folder / "Snakefile", "\n".join(rules))


TOOLS = {
    "ours": (write_ours, [harness.OURS, "-m", "penstock", "run", "tube.yaml", "--quiet"]),
    "Hamilton": (write_hamilton, [harness.PEERS, "main.py"]),
    "redun": (write_redun, [WORKFLOWS / "redun", "run", "flow.py", "main"]),
    "Snakemake": (write_snakemake, [WORKFLOWS / "snakemake", "--cores", "1", "--quiet"]),
}


def run(tool, folder):
    """The functions that ran, in order."""
    log = folder / "ran"
    log.write_text("")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    environment |= {"RAN": str(log), "PENSTOCK_HOME": str(folder / "home"), "PENSTOCK_CACHE": "on", "HOME": str(folder)}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(folder)}
    words = [str(word) for word in TOOLS[tool][1]]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise RuntimeError(f"{tool}: {done.stdout[-500:]}{done.stderr[-1500:]}")
    return log.read_text().split()


def count(tool, chosen):
    """How many functions ran after each of the chosen edits: {what: number}."""
    write_all = TOOLS[tool][0]
    with tempfile.TemporaryDirectory() as temporary:
        base = Path(temporary, "base")
        base.mkdir()
        write_all(base, FUNCTIONS)
        if sorted(run(tool, base)) != sorted(FUNCTIONS) or run(tool, base):
            raise harness.WrongAnswer(f"{tool}: all functions run once, and none again")
        once = Path(temporary, "once")
        shutil.copytree(base, once)

        def ran(functions):
            shutil.rmtree(base)
            shutil.copytree(once, base)
            write_all(base, functions)
            return run(tool, base)

        # A change that matters must be seen, or the numbers mean nothing.
        changed = ran(FUNCTIONS | {"total": FUNCTIONS["total"].replace("sum(evens)", "sum(evens) + 1")})
        if not {"total", "report"} <= set(changed):
            raise harness.WrongAnswer(f"{tool}: after a change of a value only {changed} ran")
        return {what: len(ran(functions)) for what, functions in chosen}


def rows(pairs):
    del pairs
    made = []
    for label, kinds, wanted in (("cosmetic edits", COSMETIC, 0), ("edits that give an equal value", EQUAL, 1)):
        chosen = list(edits(kinds))
        counts = count("ours", chosen)
        total = sum(counts.values())
        met = all(number == wanted for number in counts.values())
        bar = f"{wanted} each"
        made.append(harness.Row(f"{len(chosen)} {label}: functions run again", "", total, bar, met, detail=counts))
        few = one_of_each_kind(chosen)
        for tool in ("Hamilton", "redun", "Snakemake"):
            ours, peer = sum(counts[what] for what, _ in few), count(tool, few)
            detail = {"peer": peer}
            made.append(harness.Row(f"  {len(few)} of them", "", ours, "-", None, tool, sum(peer.values()), detail=detail))
    return made


if __name__ == "__main__":
    json.dump({tool: count(tool, one_of_each_kind(list(edits(COSMETIC | EQUAL)))) for tool in sys.argv[1:]}, sys.stdout, indent=1)
