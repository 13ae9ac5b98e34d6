"""One side of the comparison: reads cases as JSON lines, writes what became of each as JSON lines.

usage: side.py noob|compat   (its folder's parent on the path; noob itself, or penstock, importable)
"""

import asyncio
import contextlib
import copy
import enum
import json
import os
import signal
import sys
import tempfile
import warnings
from pathlib import Path

# For one case: noob never ends some of them. It spins, so its time is counted; in an event loop it sleeps.
CPU_LIMIT_S = 1.0
LIMIT_S = 20.0


class TookTooLong(BaseException):
    """Not an Exception: nobody may catch it."""


def stop(*_):
    raise TookTooLong


def show(value):
    """A value as text that is the same on both sides exactly when the value is."""
    if isinstance(value, enum.Enum):
        return f"<{value.name}>"
    if type(value).__name__ == "Epoch":
        return f"Epoch({value.to_wire()!r})"
    if isinstance(value, list | tuple):
        inner = ", ".join(map(show, value))
        return f"[{inner}]" if isinstance(value, list) else f"({inner},)"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {show(item)}" for key, item in value.items()) + "}"
    return repr(value)


def record(event):
    epoch = event["epoch"]
    path = [list(epoch[at]) for at in range(1, len(epoch))]
    return [event["node_id"], str(event["signal"]), epoch.root, path, show(event["value"])]


def write_files(files, folder):
    for name, data in files.items():
        (folder / name).write_text(json.dumps(data))


def load(case, tube_class):
    if "text" in case:
        Path("case.yaml").write_bytes(case["text"].encode("utf-8", "surrogateescape"))
        return tube_class.from_specification("./case.yaml", input=dict(case["inputs"]))
    if not case["files"]:
        return tube_class.from_specification(copy.deepcopy(case["tube"]), input=dict(case["inputs"]))
    write_files(case["files"], Path.cwd())
    Path("case.yaml").write_text(json.dumps(case["tube"]))
    return tube_class.from_specification("./case.yaml", input=dict(case["inputs"]))


def run_sync(case, tube, runner_class):
    out = {"verdict": "ran", "results": [], "events": [], "stored": []}
    runner = runner_class(tube)
    runner.add_callback(lambda event: out["events"].append(record(event)))
    try:
        if case["mode"] == "process":
            for epoch in range(case["epochs"]):
                for node, enabled in case.get("switches", {}).get(str(epoch), ()):
                    (runner.enable_node if enabled else runner.disable_node)(node)
                out["results"].append(show(runner.process(**case["process"])))
            out["stored"] = [record(event) for event in runner.store.flat_events]
            runner.deinit()
        elif case["mode"] == "run":
            out["results"] = show(runner.run(case["epochs"]))
            out["results_again"] = show(runner.run(2))
        else:
            out["results"] = [show(result) for result in runner.iter(case["epochs"])]
            out["results_again"] = [show(result) for result in runner.iter(1)]
    except Exception as error:  # noqa: BLE001 - an outcome like any other
        out["raised"] = [type(error).__name__, str(error).splitlines()[0] if str(error) else ""]
    return out


async def run_async(case, tube, runner_class):
    out = {"verdict": "ran", "results": [], "events": [], "stored": []}
    runner = runner_class(tube)
    runner.add_callback(lambda event: out["events"].append(record(event)))
    try:
        for _ in range(case["epochs"]):
            out["results"].append(show(await runner.process(**case["process"])))
        await runner.deinit()
    except Exception as error:  # noqa: BLE001
        out["raised"] = [type(error).__name__, str(error).splitlines()[0] if str(error) else ""]
    return out


def outcome(case, library):
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            tube = load(case, library.Tube)
        except Exception as error:  # noqa: BLE001
            names = [cls.__name__ for cls in type(error).__mro__]
            out = {"verdict": "refused", "by": names, "says": str(error)[:300]}
        else:
            if case["mode"] == "async":
                out = asyncio.run(run_async(case, tube, library.runner.AsyncRunner))
            else:
                out = run_sync(case, tube, library.SynchronousRunner)
    out["ignored"] = sum(str(w.message).startswith("Ignoring extra") for w in warned)
    return out


def guarded(case, library):
    signal.setitimer(signal.ITIMER_PROF, CPU_LIMIT_S)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    try:
        return outcome(case, library)
    except TookTooLong:
        return {"verdict": "never ends"}
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


FIRST = {
    "tube": {"noob_id": "first", "nodes": {"a": {"type": "model.functions.constant"}, "r": {"type": "return", "depends": "a.value"}}},
    "files": {}, "inputs": {}, "process": {}, "mode": "process", "epochs": 1,
}  # fmt: skip


def main():
    if sys.argv[1] == "noob":
        import noob as library
        import noob.runner  # noqa: F401
    else:
        import penstock.compat.noob as library
        import penstock.compat.noob.runner  # noqa: F401
    # What a first load imports counts for no case.
    from differential import extra, late  # noqa: F401

    outcome(FIRST, library)
    for number in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(number, stop)
    answers, sys.stdout = sys.stdout, sys.stderr  # what nodes and libraries print is no answer
    with tempfile.TemporaryDirectory() as folder:
        sys.path.insert(0, os.getcwd())
        os.chdir(folder)
        for line in sys.stdin:
            with contextlib.suppress(BrokenPipeError):
                answers.write(json.dumps(guarded(json.loads(line), library)) + "\n")
                answers.flush()
        os.chdir("/")


if __name__ == "__main__":
    main()
