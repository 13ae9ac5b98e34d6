"""What a Python function computes, in pieces that can be compared: for nodes with ``cache: true``.

A function counts by its syntax tree, so comments, formatting, docstrings and its own name do not matter;
so do the functions and classes of the user's that it refers to, and theirs. Constants it reads from its
module count by value, other global objects by their type, libraries by their version.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
import sysconfig
import textwrap
import types

from penstock import _core, _nodes

_LIBRARIES = tuple(
    {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
_CONSTANTS = (type(None), bool, int, float, str, bytes, tuple, list, dict, set, frozenset)


def parts(type_name: str) -> list[tuple[str, str]]:
    """``(name, short text or hex digest)`` of all that the node type's results depend on."""
    target = _nodes.find(type_name)
    found = _Parts()
    found.add(target, "")
    return sorted(found.parts.items())


class _Parts:
    def __init__(self) -> None:
        self.parts: dict[str, str] = {}
        self._seen: set[int] = set()

    def add(self, thing: object, name: str) -> None:
        """``name``: how the code that refers to it calls it; '' for the node's own function."""
        thing = getattr(thing, "__wrapped__", thing)
        if id(thing) in self._seen:
            return
        self._seen.add(id(thing))
        if isinstance(thing, types.MethodType):
            thing = thing.__func__
        if isinstance(thing, (types.FunctionType, type)):
            self._add_code(thing, name)
        elif isinstance(thing, types.ModuleType):
            self._add_library(thing.__name__)
        elif isinstance(thing, _CONSTANTS):
            self.parts[f"global {name}"] = _text_of(thing)
        elif callable(thing) and not name:
            self.parts["function"] = f"{getattr(thing, '__module__', '')}.{thing.__qualname__}"
        else:
            self.parts[f"global {name}"] = f"an object of type {type(thing).__qualname__}"

    def _add_code(self, thing: types.FunctionType | type, name: str) -> None:
        if _is_library(thing):
            self._add_library(thing.__module__)
            if not name:
                self.parts["function"] = f"{thing.__module__}.{thing.__qualname__}"
            return
        label = f"code of {name}" if name else "code"
        tree = _tree_of(thing)
        if tree is None:
            self.parts[label] = _compiled(thing)
            return
        # Only what the top itself is called does not matter: whoever refers to it uses another name.
        if isinstance(tree, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            tree.name = ""
        self.parts[label] = _hash(ast.dump(tree))
        functions = [thing] if isinstance(thing, types.FunctionType) else _methods(thing)
        for function in functions:
            self._add_references(function, tree)

    def _add_references(self, function: types.FunctionType, tree: ast.AST) -> None:
        local = _local_names(function.__code__)
        for chain in sorted(_chains(tree)):
            first, *rest = chain
            if first in function.__globals__ and first not in local:
                thing = function.__globals__[first]
                name = first
                while rest and isinstance(thing, types.ModuleType):
                    self.add(thing, name)
                    name = f"{name}.{rest[0]}"
                    thing = getattr(thing, rest.pop(0), None)
                self.add(thing, name)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            try:
                self.add(cell.cell_contents, name)
            except ValueError:  # an empty cell: it holds nothing yet
                self.parts[f"global {name}"] = "nothing yet"

    def _add_library(self, module_name: str) -> None:
        top = module_name.partition(".")[0]
        module = sys.modules.get(top)
        if module is None or top == "builtins" or not _is_library(module):
            return
        version = getattr(module, "__version__", None)
        if top in sys.stdlib_module_names:
            top, version = "python", f"{sys.version_info.major}.{sys.version_info.minor}"
        if isinstance(version, str):
            self.parts[f"library {top}"] = version


def _is_library(thing: object) -> bool:
    module = thing if isinstance(thing, types.ModuleType) else sys.modules.get(thing.__module__)
    file = getattr(module, "__file__", None)
    if file is None:  # built in; a module without a file may be the user's own (a REPL)
        return getattr(module, "__name__", "") in sys.builtin_module_names
    return file.startswith(_LIBRARIES) or (module.__name__ + ".").startswith("penstock.")


def _tree_of(thing: object) -> ast.AST | None:
    try:
        source = textwrap.dedent(inspect.getsource(thing))
        tree = ast.parse(source).body[0]
        if not _is_source_of(source, thing):
            return None
    except (OSError, TypeError, SyntaxError, ValueError, IndexError):
        return None  # no file (a REPL), or a lambda in the middle of a line
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
            and isinstance(body[0].value.value, str)
        ):
            node.body = body[1:] or [ast.Pass()]
    return tree


def _is_source_of(source: str, thing: types.FunctionType | type) -> bool:
    """False when the file has changed since it was imported: what runs is what was imported."""
    compiled: dict[str, list[str]] = {}
    _collect(compile(source, "", "exec", dont_inherit=True), compiled)
    functions = [thing] if isinstance(thing, types.FunctionType) else _methods(thing)
    return all(
        compiled.get(function.__code__.co_name) == _code_texts(function.__code__)
        for function in functions
        if function.__code__.co_filename != "<string>"  # methods of dataclasses and the like
    )


def _collect(code: types.CodeType, into: dict[str, list[str]]) -> None:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            into[constant.co_name] = _code_texts(constant)
            _collect(constant, into)


def _compiled(thing: types.FunctionType | type) -> str:
    """Of a function without source: what it was compiled to, by this version of Python."""
    functions = [thing] if isinstance(thing, types.FunctionType) else _methods(thing)
    digests = [sys.version, *(text for function in functions for text in _code_texts(function.__code__))]
    return _hash("\0".join(digests))


def _code_texts(code: types.CodeType) -> list[str]:
    texts = [code.co_code.hex(), repr(code.co_names), repr(code.co_varnames)]
    for constant in code.co_consts:
        texts += _code_texts(constant) if isinstance(constant, types.CodeType) else [repr(constant)]
    return texts


def _methods(cls: type) -> list[types.FunctionType]:
    return [member for member in vars(cls).values() if isinstance(member, types.FunctionType)]


def _local_names(code: types.CodeType) -> set[str]:
    names = set(code.co_varnames) | set(code.co_cellvars)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _local_names(constant)
    return names


def _chains(tree: ast.AST) -> set[tuple[str, ...]]:
    """Dotted names that are read: ``np.linalg.norm`` is ('np', 'linalg', 'norm')."""
    found = set()
    for node in ast.walk(tree):
        names: list[str] = []
        while isinstance(node, ast.Attribute):
            names.insert(0, node.attr)
            node = node.value
        if isinstance(node, ast.Name):
            found.add((node.id, *names))
    return found


def _text_of(value: object) -> str:
    text = repr(value)
    if len(text) <= 60 and not isinstance(value, (set, frozenset)):
        return text
    try:
        return _core.digest(value)
    except Exception:  # noqa: BLE001 - a constant may hold anything
        return f"an object of type {type(value).__qualname__}"


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
