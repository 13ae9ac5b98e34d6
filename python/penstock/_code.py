"""What a Python function computes, in pieces that can be compared: for nodes with ``cache: true``.

A function counts by its syntax tree, so comments, formatting, docstrings and its own name do not matter;
so do the functions and classes of the user's that it refers to, and theirs. Objects it reads from its
module, its closure or its defaults count by value, libraries by their version.

What it cannot see: names that are looked up by a text (``getattr``, ``globals()``), objects that tell
nothing of themselves (a lock, an open file: they count by their type), and the world outside.
"""

from __future__ import annotations

import ast
import copyreg
import dis
import functools
import hashlib
import importlib
import importlib.util
import inspect
import os
import sys
import sysconfig
import textwrap
import types

from penstock import _core, _nodes
from penstock._errors import InvalidArgumentError

_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_SCALARS = (type(None), bool, int, float, complex, str, bytes, type(...))
_SHOWN = 60  # longer texts are known by their digest
_MAX_OBJECTS = 100_000  # in what a node reads from its module
_CACHED = type(functools.lru_cache(len))
# This package, also where it is not installed.
_LIBRARIES += (os.path.dirname(_nodes.__file__) + os.sep,)


def parts(type_name: str) -> list[tuple[str, str]]:
    """``(name, short text or hex digest)`` of all that the node type's results depend on."""
    found = _Parts()
    found.add(_nodes.find(type_name), "", None)
    return sorted(found.parts.items())


class _Parts:
    def __init__(self) -> None:
        self.parts: dict[str, str] = {}
        self._labels: dict[tuple[str, int], str] = {}
        self._codes: dict[int, str] = {}  # digests of what has been looked at, by id
        self._alive: list[object] = []  # or an id could come back as another object
        self._left = _MAX_OBJECTS

    def _put(self, label: str, scope: object, value: str) -> None:
        """One name may mean different things in two modules: each has its own part."""
        key = (label, id(scope))
        if key not in self._labels:
            self._alive.append(scope)
            count = sum(base == label for base, _ in self._labels)
            self._labels[key] = f"{label} ({count + 1})" if count else label
        self.parts[self._labels[key]] = value

    def add(self, thing: object, name: str, scope: object) -> None:
        """``name``: how the code in ``scope`` calls it; '' for the node's own function."""
        if isinstance(thing, types.ModuleType):
            self._add_library(thing.__name__)
        elif isinstance(thing, (types.FunctionType, type)):
            self._add_code(thing, name, scope)
        elif isinstance(thing, _CACHED):
            self.add(thing.__wrapped__, name, scope)
        else:
            text = self._text(thing, name, set())
            label = f"global {name}" if name else "function"
            self._put(label, scope, text if len(text) <= _SHOWN else _hash(text))

    def _add_code(self, thing: types.FunctionType | type, name: str, scope: object) -> None:
        module = _module_of(thing)
        if _is_of_library(thing):
            self._add_library(module)
            label = f"global {name}" if name else "function"
            self._put(label, scope, f"{module}.{thing.__qualname__}")
            return
        is_new = id(thing) not in self._codes
        tree = _tree_of(thing) if is_new else None
        if is_new:
            self._alive.append(thing)
            # Only what the top itself is called does not matter: whoever refers to it uses another name.
            if isinstance(tree, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                tree.name = ""
            self._codes[id(thing)] = _compiled(thing) if tree is None else _hash(ast.dump(tree))
        self._put(f"code of {name}" if name else "code", scope, self._codes[id(thing)])
        if is_new:
            self._add_what_it_reads(thing, tree)

    def _add_what_it_reads(self, thing: types.FunctionType | type, tree: ast.AST | None) -> None:
        functions = _functions_of(thing)
        for function in functions:
            if tree is None or not _is_made(function):
                self._add_references(function)
        if isinstance(thing, type):
            variables = vars(sys.modules[thing.__module__]) if thing.__module__ in sys.modules else {}
            for base in thing.__bases__:
                if base is not object:
                    self.add(base, base.__name__, thing)
            self._add_chains(_tree_chains(tree), variables)
        else:
            for decorator in getattr(tree, "decorator_list", ()):
                self._add_chains(_tree_chains(decorator), thing.__globals__)

    def _add_references(self, function: types.FunctionType) -> None:
        code = function.__code__
        chains, imports = _code_names(code)
        self._add_chains(chains, function.__globals__)
        for name, level, members in imports:
            self._add_import(name, level, members, function)
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            try:
                self.add(cell.cell_contents, name, cell)
            except ValueError:  # an empty cell: it holds nothing yet
                self._put(f"global {name}", cell, "nothing yet")
        defaults = dict(enumerate(function.__defaults__ or ())) | (function.__kwdefaults__ or {})
        for name, value in defaults.items():
            self.add(value, f"default {name}", function)

    def _add_chains(self, chains: set[tuple[str, ...]], variables: dict) -> None:
        for first, *rest in sorted(chains):
            if first not in variables:
                continue
            thing, name = variables[first], first
            while rest and isinstance(thing, types.ModuleType):
                self.add(thing, name, variables)
                owner, name = thing, f"{name}.{rest[0]}"
                thing = getattr(thing, rest.pop(0), None)
                if _is_library(owner.__name__) and not isinstance(thing, types.ModuleType):
                    # Its version says what it holds; os.environ or sys.argv is the world outside.
                    self._put(f"global {name}", variables, f"{owner.__name__}.{name.rpartition('.')[2]}")
                    break
            else:
                self.add(thing, name, variables)

    def _add_import(self, name: str, level: int, members: set[str], function: types.FunctionType) -> None:
        """An import in a function's body. Libraries are not imported to ask for their version."""
        if level:
            name = "." * level + name
            package = function.__globals__.get("__package__") or ""
            try:
                name = importlib.util.resolve_name(name, package)
            except ImportError:
                return  # so does the function
        if name.partition(".")[0] not in sys.modules and _is_library(name.partition(".")[0]):
            self._add_library(name)
            return
        try:
            module = importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - the user's code may raise anything
            self._put(f"import {name}", function, f"fails: {type(error).__name__}")
            return
        self._add_library(module.__name__)
        if not _is_library(module.__name__):
            self._add_members(module, name, members)

    def _add_members(self, module: types.ModuleType, name: str, members: set[str]) -> None:
        for member in sorted(members):
            inner = f"{module.__name__}.{member}"
            if member in vars(module):
                thing = getattr(module, member)
            elif hasattr(module, "__path__") and importlib.util.find_spec(inner) is not None:
                try:
                    thing = importlib.import_module(inner)
                except Exception as error:  # noqa: BLE001 - the user's code may raise anything
                    self._put(f"import {name}.{member}", module, f"fails: {type(error).__name__}")
                    continue
            else:
                continue
            if isinstance(thing, types.ModuleType) and thing.__name__ == inner:
                self._add_members(thing, f"{name}.{member}", members - {member})
            else:
                self.add(thing, f"{name}.{member}", module)

    def _add_library(self, module_name: str) -> None:
        top = module_name.partition(".")[0]
        if top == "builtins" or not _is_library(top):
            return
        if top in sys.stdlib_module_names:
            self.parts["library python"] = f"{sys.version_info.major}.{sys.version_info.minor}"
            return
        version = getattr(sys.modules.get(top), "__version__", None)
        if not isinstance(version, str):
            from importlib import metadata

            try:
                version = metadata.version(top)
            except metadata.PackageNotFoundError:
                version = "of no version"
        self.parts[f"library {top}"] = version

    def _text(self, value: object, name: str, above: set[int]) -> str:
        """The same for equal values, another for others; ``above``: the containers around it."""
        if type(value) in _SCALARS:
            return repr(value)
        if id(value) in above:
            return "..."
        self._left -= 1
        if self._left < 0 or len(above) > 100:
            raise _too_much(name)
        above = above | {id(value)}
        if type(value) in (list, tuple):
            inner = ", ".join(self._text(item, name, above) for item in value)
            return f"[{inner}]" if type(value) is list else f"({inner},)"
        if type(value) is dict:
            items = ((self._text(k, name, above), self._text(v, name, above)) for k, v in value.items())
            return "{" + ", ".join(f"{key}: {item}" for key, item in items) + "}"
        if type(value) in (set, frozenset):
            return "set(" + ", ".join(sorted(self._text(item, name, above) for item in value)) + ")"
        if isinstance(value, (types.FunctionType, type)):
            if _is_of_library(value):
                self._add_library(_module_of(value))
                return f"{_module_of(value)}.{value.__qualname__}"
            self._add_code(value, f"{name}: {value.__qualname__}", value)
            return f"{value.__qualname__} {self._codes[id(value)]}"
        if isinstance(value, types.ModuleType):
            self._add_library(value.__name__)
            return value.__name__
        if value is os.environ:
            return "os.environ"
        return self._object_text(value, name, above)

    def _object_text(self, value: object, name: str, above: set[int]) -> str:
        if isinstance(value, functools.partial):
            return self._text(("partial", value.func, value.args, value.keywords), name, above)
        if isinstance(value, (staticmethod, classmethod, _CACHED)):
            return self._text(value.__wrapped__, name, above)
        owner = getattr(value, "__self__", None)
        if owner is not None and not isinstance(owner, types.ModuleType):  # a bound method
            return self._text((getattr(value, "__func__", value.__name__), owner), name, above)
        kind = self._text(type(value), name, above)
        if not isinstance(value, (list, tuple, dict)):
            try:
                return f"{kind} {_core.digest(value)}"  # an array, a table, what has a codec
            except Exception:  # noqa: BLE001, S110 - it has no encoding
                pass
        self._add_library(str(getattr(value, "__module__", "")))
        try:  # what pickle would write
            reduce = copyreg.dispatch_table.get(type(value))
            reduced = value.__reduce_ex__(4) if reduce is None else reduce(value)
        except Exception:  # noqa: BLE001 - it tells nothing of itself
            return f"an object of type {kind}"
        if isinstance(reduced, str):
            return f"{kind} {getattr(value, '__module__', '')}.{reduced}"
        state = [list(part) if hasattr(part, "__next__") else part for part in reduced]
        return f"{kind} {self._text(state, name, above)}"


def _too_much(name: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"'{name}', which it reads, holds too much to tell when it changes (over {_MAX_OBJECTS} objects)",
        help="give it to the node as an input or a parameter",
    )


def _module_of(thing: types.FunctionType | type) -> str:
    """Where it was defined: a wrapper may go by the name of another module."""
    if isinstance(thing, types.FunctionType):
        return str(thing.__globals__.get("__name__", ""))
    return str(thing.__module__)


def _is_of_library(thing: types.FunctionType | type) -> bool:
    file = thing.__code__.co_filename if isinstance(thing, types.FunctionType) else "<"
    return _is_library(_module_of(thing)) if file.startswith("<") else _is_library_file(file)


def _is_library(module_name: str) -> bool:
    module = sys.modules.get(module_name)
    try:
        spec = getattr(module, "__spec__", None) if module else importlib.util.find_spec(module_name)
    except (ImportError, ValueError):
        return False
    file = getattr(module, "__file__", None) or getattr(spec, "origin", None)
    # A module without a file may be the user's own (a REPL).
    return module_name in sys.builtin_module_names or (file is not None and _is_library_file(file))


def _is_library_file(file: str) -> bool:
    return file.startswith(_LIBRARIES) or file in ("built-in", "frozen")


def _is_made(function: types.FunctionType) -> bool:
    """By a dataclass or a named tuple, out of what stands in the class."""
    return function.__code__.co_filename.startswith(("<string>", "<namedtuple"))


def _tree_of(thing: types.FunctionType | type) -> ast.AST | None:
    try:
        # By its code: getsource(function) would follow __wrapped__ to another.
        source = inspect.getsource(thing.__code__ if isinstance(thing, types.FunctionType) else thing)
        tree = ast.parse(textwrap.dedent(source)).body[0]
        if not all(_has_source(function.__code__) for function in _functions_of(thing) if _is_own(function, thing)):
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


def _is_own(function: types.FunctionType, thing: types.FunctionType | type) -> bool:
    """Not what another class lends to this one, nor made for it."""
    return not _is_made(function) and function.__qualname__.startswith(thing.__qualname__)


def _has_source(code: types.CodeType) -> bool:
    """False when the file has changed since it was imported: what runs is what was imported."""
    lines, _ = inspect.findsource(code)
    return _codes_in("".join(lines)).get((code.co_qualname, code.co_firstlineno)) == _code_texts(code)


@functools.lru_cache(maxsize=16)
def _codes_in(source: str) -> dict[tuple[str, int], list[str]]:
    """By name and line. A whole file: in a piece of it, imported names would be compiled otherwise."""
    found = {}
    waiting = [compile(source, "", "exec", dont_inherit=True)]
    while waiting:
        code = waiting.pop()
        found[code.co_qualname, code.co_firstlineno] = _code_texts(code)
        waiting += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return found


def _compiled(thing: types.FunctionType | type) -> str:
    """Of a function without source: what it was compiled to, by this version of Python."""
    digests = [sys.version]
    for function in _functions_of(thing):
        digests += _code_texts(function.__code__)
    return _hash("\0".join(digests))


def _code_texts(code: types.CodeType) -> list[str]:
    texts = [code.co_code.hex(), repr(code.co_names), repr(code.co_varnames)]
    for constant in code.co_consts:
        texts += _code_texts(constant) if isinstance(constant, types.CodeType) else [repr(constant)]
    return texts


def _functions_of(thing: types.FunctionType | type) -> list[types.FunctionType]:
    """The function itself, or those that make up a class."""
    if isinstance(thing, types.FunctionType):
        return [thing]
    found = []
    for member in vars(thing).values():
        names = ("__func__", "fget", "fset", "fdel", "func", "__wrapped__")
        for function in (member, *(getattr(member, name, None) for name in names)):
            if isinstance(function, types.FunctionType) and function not in found:
                found.append(function)
    return found


def _code_names(code: types.CodeType) -> tuple[set[tuple[str, ...]], list[tuple[str, int, set[str]]]]:
    """Dotted names read from the module (``np.linalg.norm`` is ('np', 'linalg', 'norm')); imports as
    (name, level, what may be looked up in it)."""
    chains, imports = set(), []
    chain: tuple[str, ...] = ()
    level = 0
    for instruction in dis.get_instructions(code):
        name, value = instruction.opname, instruction.argval
        is_link = bool(chain) and name in ("LOAD_ATTR", "LOAD_METHOD")
        if chain and not is_link:
            chains.add(chain)
        if name.startswith("LOAD_") and ("GLOBAL" in name or name == "LOAD_NAME"):
            chain = (value,)
        else:
            chain = (*chain, value) if is_link else ()
        if name == "LOAD_CONST" and isinstance(value, int):
            level = value
        elif name == "IMPORT_NAME":
            imports.append((value, level, set(code.co_names)))
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            inner_chains, inner_imports = _code_names(constant)
            chains |= inner_chains
            imports += inner_imports
    for _, _, members in imports:  # a module imported outside may be used inside
        members |= {name for chain in chains for name in chain}
    return chains, imports


def _tree_chains(tree: ast.AST | None) -> set[tuple[str, ...]]:
    found = set()
    for node in ast.walk(tree) if tree is not None else ():
        names: list[str] = []
        while isinstance(node, ast.Attribute):
            names.insert(0, node.attr)
            node = node.value
        if isinstance(node, ast.Name):
            found.add((node.id, *names))
    return found


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
