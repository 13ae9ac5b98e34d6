"""A Python file of plain functions as a tube: ``penstock run pipeline.py``.

A function is a node; a parameter is fed by the function of its name, else it is an input. The rules are
those of docs/guide/plain-functions.md. :func:`read` looks at the source only, so that a file can be
checked and drawn without running it; with ``execute`` the file is run once, as an import would.
"""

from __future__ import annotations

import ast
import os
import sys
import threading
import types
from typing import Any, NamedTuple

from penstock._python_source import (
    MISSING,
    NODE_KEYS,
    annotation_text,
    constant,
    first_line,
    is_generator,
    is_overload,
    node_keys,
    same,
    signal_names,
    without_unit,
)

RETURN = "return"  # the id of the return node: a keyword, so no function can have it
_RESERVED = ("assets", "input", "meta", "tube")
_MAX_BYTES = 16 << 20


class _Problem(NamedTuple):
    id: str
    message: str
    line: int
    column: int
    help: str


class _Parameter(NamedTuple):
    name: str
    annotation: ast.expr | None
    default: ast.expr | None
    line: int
    column: int


class _Function(NamedTuple):
    name: str
    line: int
    column: int
    parameters: tuple[_Parameter, ...]
    is_generator: bool
    returns: ast.expr | None
    description: str
    policies: tuple[tuple[str, Any, int, int], ...]


class _Input(NamedTuple):
    type: str
    unit: str
    default: Any
    line: int
    column: int
    owner: str


class _File(NamedTuple):
    source: bytes
    module: types.ModuleType


# Modules made from files, by absolute path: an unchanged file is run once.
_modules: dict[str, _File] = {}
# Absolute paths of the files read, by the name they were given under: the working folder may change.
_paths: dict[str, str] = {}
# .file: (module name, absolute path) of the file whose tube this thread is loading.
_local = threading.local()


def module_name(path: str) -> str:
    """The name under which the functions of the file are nodes: its stem, as an identifier."""
    stem = os.path.splitext(os.path.basename(path))[0]
    name = "".join(c if c.isidentifier() or c.isdigit() else "_" for c in stem)
    return name if name.isidentifier() else f"_{name}"


def find(name: str) -> types.ModuleType | None:
    """The module ``name`` when it is the file that this thread is loading."""
    opened = getattr(_local, "file", None)
    if opened is None or opened[0] != name:
        return None
    made = _modules.get(opened[1])
    return made.module if made is not None else None


def close() -> None:
    """Ends what :func:`read` or :func:`open_module` began: names mean modules again."""
    _local.file = None


def path_of(file: str) -> str:
    """The absolute path of ``file``, as it was when it was read."""
    return _paths.get(file) or os.path.abspath(file)


def open_module(path: str) -> None:
    """Run the file at the absolute ``path`` if need be, and let this thread find its functions."""
    with open(path, "rb") as stream:
        source = stream.read()
    _run(module_name(path), path, source, source)


def _run(name: str, path: str, source: bytes, code: Any) -> None:
    _local.file = (name, path)
    made = _modules.get(path)
    if made is not None and made.source == source:
        return
    folder = os.path.dirname(path)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module = types.ModuleType(name)
    module.__file__ = path
    before = sys.modules.get(name)
    # Classes of the file are found by their module's name; a module of somebody else keeps its own.
    is_ours = any(before is other.module for other in _modules.values())
    ours = is_ours or (before is None and name not in sys.stdlib_module_names)
    if ours:
        sys.modules[name] = module
    _modules[path] = _File(source, module)
    try:
        exec(compile(code, path, "exec", dont_inherit=True), module.__dict__)
    except BaseException:
        del _modules[path]
        if ours:
            sys.modules.pop(name, None)
        raise


def read(path: str, execute: bool) -> dict:
    """What the extension makes a Spec of: nodes, inputs, and everything wrong with the file."""
    reader = _Reader(path)
    _paths[path] = os.path.abspath(path)
    reader.read()
    if execute and not reader.problems:
        reader.execute()
    return {
        "source": reader.text,
        "nodes": reader.nodes,
        "inputs": reader.inputs,
        "problems": [tuple(problem) for problem in reader.problems],
        "description": reader.description,
    }


class _Reader:
    def __init__(self, path: str) -> None:
        self.path = path
        self.source = b""
        self.text = ""
        self.tree: ast.Module | None = None
        self.lines: list[bytes] = []
        self.functions: dict[str, _Function] = {}
        self.constants: dict[str, Any] = {}
        self.nodes: list[tuple] = []
        self.inputs: list[tuple] = []
        self.problems: list[_Problem] = []
        self.description = ""

    def report(self, id: str, message: str, line: int = 0, column: int = 0, help: str = "") -> None:
        self.problems.append(_Problem(id, message, line, column, help))

    # ---- from bytes to functions

    def read(self) -> None:
        if not self._read_text() or not self._parse():
            return
        assert self.tree is not None
        self.description = first_line(ast.get_docstring(self.tree))
        for statement in self.tree.body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                self._take_function(statement)
            else:
                self._take_constant(statement)
        if not self.functions and not self.problems:
            self.report(
                "PS0031",
                f"'{self.path}' has no functions",
                help="each function of the file is a node, unless its name starts with '_'",
            )
        if self.functions:
            self._wire()

    def _read_text(self) -> bool:
        if os.path.isdir(self.path):
            self.report("PS0004", f"tube file '{self.path}' is a folder, wanted a file")
            return False
        try:
            with open(self.path, "rb") as stream:
                self.source = stream.read(_MAX_BYTES + 1)
        except FileNotFoundError:
            self.report("PS0004", f"tube file '{self.path}' does not exist", help=self._nearest_file())
            return False
        except OSError as error:
            self.report("PS0004", f"tube file '{self.path}' cannot be read: {error.strerror}")
            return False
        if len(self.source) > _MAX_BYTES:
            self.report("PS0019", f"the text has more than {_MAX_BYTES} bytes")
            return False
        if b"\0" in self.source:
            self.report("PS0003", f"'{self.path}' is a binary file, wanted Python source")
            return False
        try:
            self.text = self.source.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = self.source.count(b"\n", 0, error.start) + 1
            self.report("PS0002", "the text is not UTF-8", line, help="save it as UTF-8")
            return False
        self.lines = self.text.encode().splitlines()
        return True

    def _nearest_file(self) -> str:
        import difflib

        folder, name = os.path.split(self.path)
        try:
            names = [n for n in os.listdir(folder or ".") if n.endswith((".py", ".yaml", ".yml"))]
        except OSError:
            return ""
        close = difflib.get_close_matches(name, names, n=1)
        return f"did you mean '{os.path.join(folder, close[0])}'?" if close else ""

    def _parse(self) -> bool:
        try:
            self.tree = ast.parse(self.source, self.path)
        except SyntaxError as error:
            self.report("PS0030", f"Python: {error.msg}", error.lineno or 0, error.offset or 0)
            return False
        except (RecursionError, MemoryError):
            self.report("PS0005", "the source is nested too deep for Python")
            return False
        return True

    def _column(self, node: Any) -> int:
        """Columns count characters from 1; the parser counts bytes from 0."""
        line = self.lines[node.lineno - 1] if node.lineno <= len(self.lines) else b""
        return len(line[: node.col_offset].decode(errors="replace")) + 1

    def _take_constant(self, statement: ast.stmt) -> None:
        """Plain values of names: a default may refer to one."""
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target, value = statement.targets[0], statement.value
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            target, value = statement.target, statement.value
        else:
            return
        if isinstance(target, ast.Name):
            self.constants[target.id] = constant(value, self.constants)

    def _take_function(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        name = function.name
        if name.startswith("_") or is_overload(function):
            return
        keyword = "async def " if isinstance(function, ast.AsyncFunctionDef) else "def "
        line, column = function.lineno, self._column(function) + len(keyword)
        if name in self.functions:
            first = self.functions[name].line
            self.report("PS0008", f"function '{name}' is defined twice", line, column, f"the other one is at line {first}")
            return
        if name in _RESERVED:
            self.report(
                "PS0015",
                f"function '{name}' has a reserved name",
                line,
                column,
                f"reserved names: {', '.join(_RESERVED)}; start it with '_' if it is no node",
            )
            return
        self.functions[name] = _Function(
            name,
            line,
            column,
            self._parameters(function),
            is_generator(function),
            function.returns,
            first_line(ast.get_docstring(function)),
            self._policies(function),
        )

    def _policies(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> tuple[tuple[str, Any, int, int], ...]:
        """(key, value, line, column) of each; the extension checks the values as it does those of YAML."""
        found = []
        for key, value in node_keys(function.returns):
            line, column = key.lineno, self._column(key)
            if key.value not in NODE_KEYS:
                self.report(
                    "PS0122",
                    f"function '{function.name}': unknown key '{key.value}' of a node; wanted {', '.join(NODE_KEYS)}",
                    line,
                    column,
                    self._nearest(key.value, NODE_KEYS),
                )
                continue
            plain = constant(value, self.constants)
            if plain is MISSING:
                self.report(
                    "PS0022",
                    f"{key.value} of function '{function.name}' is no plain value; it is read without running the file",
                    value.lineno,
                    self._column(value),
                )
                continue
            found.append((key.value, plain, value.lineno, self._column(value)))
        return tuple(found)

    @staticmethod
    def _nearest(name: str, known: tuple[str, ...]) -> str:
        import difflib

        close = difflib.get_close_matches(name, known, n=1)
        return f"did you mean '{close[0]}'?" if close else ""

    def _parameters(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> tuple[_Parameter, ...]:
        args = function.args
        unnamed = [(arg, "/") for arg in args.posonlyargs]
        unnamed += [(arg, kind) for arg, kind in ((args.vararg, "*"), (args.kwarg, "**")) if arg is not None]
        for arg, kind in unnamed:
            what = f"the positional-only parameter '{arg.arg}'" if kind == "/" else f"'{kind}{arg.arg}'"
            self.report(
                "PS0032",
                f"function '{function.name}' has {what}, wanted parameters that are fed by name",
                arg.lineno,
                self._column(arg),
                "give each parameter a name of its own; start the function's name with '_' if it is no node",
            )
        defaults = [None] * (len(args.args) - len(args.defaults)) + args.defaults
        pairs = list(zip(args.args, defaults[-len(args.args) :] if args.args else [], strict=True))
        pairs += list(zip(args.kwonlyargs, args.kw_defaults, strict=True))
        return tuple(
            _Parameter(arg.arg, arg.annotation, default, arg.lineno, self._column(arg)) for arg, default in pairs
        )

    # ---- from functions to nodes

    def _wire(self) -> None:
        name = module_name(self.path)
        signals = self._signals()
        consumed = {p.name for f in self.functions.values() for p in f.parameters if p.name != f.name}
        consumed |= {signals[name][0] for name in consumed if name in signals}
        inputs: dict[str, _Input] = {}
        tube_scoped: set[str] = set()
        for function in self.functions.values():
            depends, params = [], []
            for parameter in function.parameters:
                source = self._source(function, parameter, signals)
                if source is not None:
                    if function.is_generator:
                        self._refuse_fed_generator(function, parameter)
                    depends.append((parameter.name, *source, parameter.line, parameter.column))
                elif self._take_input(function, parameter, inputs):
                    if function.is_generator:
                        tube_scoped.add(parameter.name)
                        params.append((parameter.name, f"input.{parameter.name}", parameter.line, parameter.column))
                    else:
                        depends.append((parameter.name, "input", parameter.name, parameter.line, parameter.column))
            self.nodes.append(
                (
                    function.name,
                    f"{name}.{function.name}",
                    function.line,
                    function.column,
                    depends,
                    params,
                    function.description,
                    function.policies,
                )
            )
        self._add_return(consumed, signals)
        for id, made in inputs.items():
            type_text = f"{made.type} [{made.unit}]" if made.unit else made.type
            scope = "tube" if id in tube_scoped else "process"
            has_default = made.default is not MISSING
            default = made.default if has_default else None
            self.inputs.append((id, type_text, scope, has_default, default, made.line, made.column))

    def _signals(self) -> dict[str, tuple[str, str]]:
        """What a parameter's name stands for: a function of one signal, or a signal of one of several."""
        out = {}
        named = {}
        for function in self.functions.values():
            names = signal_names(function.returns, function.is_generator)
            if len(names) == 1:
                out[function.name] = (function.name, names[0])
            for signal in names if len(names) > 1 else ():
                named.setdefault(signal, []).append((function.name, signal))
        for signal, owners in named.items():
            if len(owners) == 1 and signal not in self.functions:
                out[signal] = owners[0]
        return out

    def _source(self, function: _Function, parameter: _Parameter, signals: dict) -> tuple[str, str] | None:
        source = signals.get(parameter.name)
        if source is None and parameter.name in self.functions:
            producer = self.functions[parameter.name]
            names = signal_names(producer.returns, producer.is_generator)
            self.report(
                "PS0102",
                f"parameter '{parameter.name}' of function '{function.name}' names a function that gives several "
                f"signals: {', '.join(names)}",
                parameter.line,
                parameter.column,
                "name the parameter after one of them",
            )
            return (parameter.name, names[0])
        return source

    def _refuse_fed_generator(self, function: _Function, parameter: _Parameter) -> None:
        self.report(
            "PS0032",
            f"generator '{function.name}' takes '{parameter.name}' from a function; a generator is a source and takes "
            "inputs only",
            parameter.line,
            parameter.column,
            "return a list instead of yielding, or rename the parameter",
        )

    def _take_input(self, function: _Function, parameter: _Parameter, inputs: dict[str, _Input]) -> bool:
        """False when the parameter keeps a default that no input can have."""
        default = MISSING if parameter.default is None else constant(parameter.default, self.constants)
        if parameter.default is not None and default is MISSING:
            return False
        if parameter.name in _RESERVED:
            self.report(
                "PS0015",
                f"parameter '{parameter.name}' of function '{function.name}' has a reserved name",
                parameter.line,
                parameter.column,
                f"reserved names: {', '.join(_RESERVED)}",
            )
            return False
        annotation, unit = without_unit(parameter.annotation)
        type_text = "any" if annotation is None else annotation_text(annotation)
        seen = inputs.get(parameter.name)
        if seen is None:
            inputs[parameter.name] = _Input(type_text, unit, default, parameter.line, parameter.column, function.name)
            return True
        if default is not MISSING and seen.default is not MISSING and not same(default, seen.default):
            self.report(
                "PS0033",
                f"input '{parameter.name}' has two defaults: {seen.default!r} in '{seen.owner}', {default!r} in "
                f"'{function.name}'",
                parameter.line,
                parameter.column,
                f"one name is one value; the other default is at line {seen.line}",
            )
        inputs[parameter.name] = seen._replace(
            type=type_text if seen.type == "any" else seen.type,
            unit=seen.unit or unit,
            default=default if seen.default is MISSING else seen.default,
        )
        return True

    def _add_return(self, consumed: set[str], signals: dict[str, tuple[str, str]]) -> None:
        chosen = self.functions.get("result")
        ends = [chosen] if chosen is not None else [
            f for f in self.functions.values() if f.name not in consumed and not _gives_nothing(f)
        ]
        if not ends:
            return
        depends = []
        for function in ends:
            names = signal_names(function.returns, function.is_generator)
            for signal in names:
                key = function.name if len(names) == 1 else signal
                depends.append((key, function.name, signal, function.line, function.column))
        if len(depends) == 1:
            depends = [(None, *depends[0][1:])]
        self.nodes.append((RETURN, "return", ends[0].line, ends[0].column, depends, [], "", ()))

    # ---- running it

    def execute(self) -> None:
        path = os.path.abspath(self.path)
        try:
            _run(module_name(path), path, self.source, self.tree)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the user's file raises is its own
            line = _line_in(error, path)
            text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            self.report("PS0034", f"running '{self.path}' failed: {text}", line, 1 if line else 0)


def _line_in(error: BaseException, path: str) -> int:
    """The last line of the file on the way to the error; 0 when the file is not on it."""
    line = 0
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _gives_nothing(function: _Function) -> bool:
    return isinstance(function.returns, ast.Constant) and function.returns.value is None
