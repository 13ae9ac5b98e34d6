"""run(): load a tube, run it, get everything about the run in one object."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock import _backend

if TYPE_CHECKING:
    from penstock._tube import Tube


class Run(NamedTuple):
    """What a run gave.

    Attributes
    ----------
    results : list
        One entry per epoch whose return ran, in epoch order.
    result : Any
        The last of them, or None.
    cid : str
        Content address (CIDv1, dag-cbor, blake3) of ``result``; '' when there is no result, or, with
        a warning, when its type has no encoding (PS0403).
    metrics : dict
        Counts and times, per node and in all.
    """

    results: list
    result: Any
    cid: str
    metrics: dict


def run(
    tube: Tube | str | os.PathLike | dict,
    *,
    runner: str = "sync",
    n: int | None = None,
    inputs: dict[str, Any] | None = None,
    seed: int = 0,
    max_workers: int | None = None,
    task_timeout: float = 300,
    resources: dict[str, Any] | None = None,
    tags: Iterable[str] = ("local",),
    report: str | os.PathLike | None = None,
    history: bool = True,
    cache: bool = True,
    backend: str | None = None,
    strict: bool = False,
) -> Run:
    """Run a tube and collect its results.

    Parameters
    ----------
    tube : Tube, path, YAML text or dict
    runner : {'sync', 'threads', 'processes'}
    n : int, optional
        Epochs to run. None: until every source has ended; one epoch for a tube without sources.
    inputs : dict, optional
        Values of inputs of both scopes, by name.
    seed : int
        Of all randomness in the run.
    max_workers : int, optional
        Threads or processes; None: one per core.
    task_timeout : float
        Seconds a task may take in a worker process.
    resources : dict, optional
        What there is for nodes that ask for some: ``cpu`` (cores), ``io`` (slots), ``memory`` (bytes, or
        a text such as ``"8GiB"``). The machine's, where nothing is said.
    tags : iterable of str
        What this place is called, for nodes that say ``where`` they may run.
    report : path, optional
        Write a page about the run there, while it runs.
    history : bool
        Record the run and its results for ``penstock history`` and ``penstock show``; the environment
        variable ``PENSTOCK_NO_HISTORY`` turns it off. Runner objects record nothing.
    cache : bool
        Use results that nodes have kept, and keep them (docs/guide/never-twice.md); the environment
        variable ``PENSTOCK_CACHE=off`` turns it off.
    backend : {'native', 'reference', 'auto'}, optional
        What runs the tube (docs/guide/backends.md); None: what ``PENSTOCK_BACKEND`` says.
    strict : bool
        An error, in place of a warning, where another backend than the wanted one would run it.

    Raises
    ------
    penstock.LoadError
        The tube cannot be loaded.
    penstock.NodeError
        A node raised; the error names node and epoch and carries the original traceback.
    """
    asked = _backend.wanted() if backend is None else _backend.check(backend, "backend")
    if asked == "reference" or _backend.core is None:
        from penstock.reference import running

        options: dict[str, Any] = {"runner": runner, "n": n, "inputs": inputs, "seed": seed}
        options |= {"max_workers": max_workers, "task_timeout": task_timeout}
        options |= {"resources": resources, "tags": tags, "report": report}
        missing = running.lacks(tube, **options)
        what = f"a run with {missing}" if missing else "penstock.run"
        if _backend.choose(what, twin=not missing, backend=asked, strict=strict) == "reference":
            return running.run(tube, history=history, cache=cache, **options)
    from penstock._runners import RUNNERS
    from penstock._tube import Tube, _warn_about_extra

    inputs = dict(inputs or {})
    if not isinstance(tube, Tube):
        tube = Tube._load(tube, inputs)  # which of them are tube-scoped is known after a look
    process_inputs = {k: v for k, v in inputs.items() if tube.inputs.get(k) == "process"}
    _warn_about_extra(inputs, set(tube.inputs), "the tube's inputs")
    if runner not in RUNNERS:
        _backend.core.check_runner(runner)
    options = {"seed": seed, "cache": cache, "resources": resources, "tags": tags}
    if runner != "sync":
        options["max_workers"] = max_workers
    if runner == "processes":
        options["task_timeout"] = task_timeout
    if n is None and not tube._plan.has_source:
        n = 1
    active = RUNNERS[runner](tube, **options)
    if history and "PENSTOCK_NO_HISTORY" not in os.environ:
        active._runner.add_history(inputs)
    if report is not None:
        active._runner.add_report(os.fspath(report), inputs)
    if n == 1:
        active._runner.skip_known(process_inputs)
    with active:
        results = active._run(n, process_inputs)
        metrics = active.metrics
    result = results[-1] if results else None
    return Run(results, result, address(result) if results else "", metrics)


def address(result: Any) -> str:
    """The result's content address. A result without one is still the result of a good run."""
    from penstock import cid

    try:
        return cid(result)
    except ValueError as error:
        if getattr(error, "id", "") != "PS0403":
            raise
        import warnings

        warnings.warn(f"the result has no content address: {error} [PS0403]", stacklevel=3)
        return ""
