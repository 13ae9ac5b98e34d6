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


def describe_host() -> dict:
    """What a worker needs to import the same modules as this process."""
    main = sys.modules.get("__main__")
    path = getattr(main, "__file__", None)
    from penstock._output import is_command

    is_package_run = getattr(main, "__spec__", None) is not None
    return {
        "noob": _reads_noob_tubes(),
        "path": [entry if entry else os.getcwd() for entry in sys.path],
        "main": os.path.abspath(path) if path and not is_package_run else None,
        "command": is_command(),
    }


def _reads_noob_tubes() -> bool:
    nodes = sys.modules.get("penstock._nodes")
    return nodes is not None and nodes.watch.get() is not None


def prepare(host: dict, needs_main: bool) -> None:
    """Make imports in this process find what they find in the run's process.

    With ``needs_main`` the run's script is executed under the name ``__mp_main__`` (as
    multiprocessing does), so that its functions can be found as ``__main__.name``.
    """
    from penstock._output import keep_lines

    sys.path[:] = host["path"]
    if host["noob"]:
        from penstock.compat.noob._load import watch_for_ever

        watch_for_ever()
    keep_lines(results_go_to_stdout=host["command"])
    _share_arrays()
    if needs_main and host["main"] is not None:
        import runpy
        import types

        module = types.ModuleType("__mp_main__")
        module.__dict__.update(runpy.run_path(host["main"], run_name="__mp_main__"))
        sys.modules["__main__"] = sys.modules["__mp_main__"] = module


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
