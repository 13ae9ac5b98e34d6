"""The worker process of MultiProcessRunner: started by a run, not by users.

The run starts ``command()`` with one descriptor number added. Everything else (the tube, the import
path, values) arrives through that descriptor.
"""

from __future__ import annotations

import os
import sys


def command() -> list[str]:
    """The command line of a worker: this interpreter, this copy of the package."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    code = f"import sys; sys.path.insert(0, {root!r}); from penstock._worker import main; main()"
    return [sys.executable, "-c", code]


def describe_host(names: list[str]) -> dict:
    """What a worker needs to find the same modules, and these objects of ``__main__``, as this process."""
    from penstock._output import is_command

    objects, script = _describe_main(names) if names else (None, None)
    return {
        "noob": _reads_noob_tubes(),
        "path": [entry if entry else os.getcwd() for entry in sys.path],
        "objects": objects,
        "script": script,
        "command": is_command(),
    }


def _reads_noob_tubes() -> bool:
    nodes = sys.modules.get("penstock._nodes")
    return nodes is not None and nodes.watch.get() is not None


def _describe_main(names: list[str]) -> tuple[bytes | None, str | None]:
    """The objects as bytes or, when one cannot be sent, the script that makes them."""
    from penstock import _main_objects

    try:
        return _main_objects.dump(names), None
    except Exception as error:  # whatever pickle raises, or the objects' own code
        main = sys.modules["__main__"]
        path = getattr(main, "__file__", None)
        if path and os.path.exists(path) and getattr(main, "__spec__", None) is None:
            return None, os.path.abspath(path)
        from penstock._errors import InvalidArgumentError

        raise InvalidArgumentError(
            f"{', '.join(names)} of the program cannot be sent to a worker process: {error}",
            id="PS0432",
            help="put what the nodes need into a module, and name them as MODULE.NAME",
        ) from error


# True while a worker runs the program's script to get at its functions.
_preparing = False


def refuse_run() -> None:
    """Called before a runner is made: an error where that would start workers of workers."""
    if _preparing:
        from penstock._errors import FailedPreconditionError

        raise FailedPreconditionError(
            "the script starts a run again when a worker process imports it",
            id="PS0433",
            help="put what starts the run behind: if __name__ == '__main__':",
        )


def prepare(host: dict) -> None:
    """Make names in this process mean what they mean in the run's process.

    Where the program's objects could not be sent its script is executed under the name
    ``__mp_main__`` (as multiprocessing does).
    """
    global _preparing
    from penstock._output import keep_lines

    sys.path[:] = host["path"]
    if host["noob"]:
        from penstock.compat.noob._load import watch_for_ever

        watch_for_ever()
    keep_lines(results_go_to_stdout=host["command"])
    _share_arrays()
    if host["objects"] is not None:
        from penstock import _main_objects

        _main_objects.load(host["objects"])
    elif host["script"] is not None:
        import types

        module = types.ModuleType("__mp_main__")
        module.__file__ = host["script"]
        sys.modules["__main__"] = sys.modules["__mp_main__"] = module
        with open(host["script"], "rb") as script:
            code = compile(script.read(), host["script"], "exec")
        _preparing = True
        try:
            exec(code, module.__dict__)
        finally:
            _preparing = False


def _share_arrays() -> None:
    """Let numpy put large arrays into shared memory, as soon as a node imports it."""
    from penstock import _core

    if "numpy" in sys.modules:
        _core.share_numpy_memory()
    else:
        sys.meta_path.insert(0, _AfterNumpy())


class _AfterNumpy:
    """Finds numpy like everybody else, and acts when its import has ended."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> object:
        if name != "numpy":
            return None
        import importlib.util

        from penstock import _core

        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            run_module = spec.loader.exec_module

            def exec_module(module: object) -> None:
                run_module(module)
                _core.share_numpy_memory()

            spec.loader.exec_module = exec_module
        return spec


def main() -> None:
    """Serve the run until it says stop."""
    from penstock import _core

    # Lines that nodes print must not wait in a buffer until the worker ends.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=True)
    sys.exit(_core.run_worker(int(sys.argv[-1])))
