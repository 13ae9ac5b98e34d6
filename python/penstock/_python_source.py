"""What the syntax tree of a Python file says about functions: signals, units, plain values."""

from __future__ import annotations

import ast
from typing import Any


class Missing:
    """No value: None is one."""


MISSING = Missing()


# What a function may say of its node; the rest follows from the function.
NODE_KEYS = ("cache", "resources", "retry", "timeout_ms", "where")


def first_line(text: str | None) -> str:
    return text.strip().partition("\n")[0].strip() if text else ""


def last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def is_overload(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(last_name(decorator) == "overload" for decorator in function.decorator_list)


def is_generator(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Has a yield of its own; those of functions inside do not count."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(node))
    return False


def members(node: ast.expr) -> list[ast.expr]:
    return list(node.elts) if isinstance(node, ast.Tuple) else [node]


def annotated(node: ast.expr | None) -> tuple[ast.expr, list[ast.expr]] | None:
    """(type, metadata) of ``Annotated[type, metadata...]``."""
    if isinstance(node, ast.Subscript) and last_name(node.value) == "Annotated":
        inner = members(node.slice)
        if len(inner) > 1:
            return inner[0], inner[1:]
    return None


def unquoted(node: ast.expr | None) -> ast.expr | None:
    """An annotation given as text, parsed."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return ast.parse(node.value.strip(), mode="eval").body
        except SyntaxError:
            return node
    return node


def without_unit(node: ast.expr | None) -> tuple[ast.expr | None, str]:
    """The type in an annotation, and its unit: the first plain text in ``Annotated``."""
    node = unquoted(node)
    parts = annotated(node)
    if parts is None:
        return node, ""
    unit = next((m.value for m in parts[1] if isinstance(m, ast.Constant) and isinstance(m.value, str)), "")
    return parts[0], unit


def annotation_text(node: ast.expr) -> str:
    text = ast.unparse(unquoted(node) or node)
    return text.removeprefix("typing.")


def signal_names(returns: ast.expr | None, is_generator: bool) -> list[str]:
    """As _nodes._signals() finds them in the live annotation: ``Annotated[..., Name("x")]``."""
    node = unquoted(returns)
    if is_generator and isinstance(node, ast.Subscript):
        node = members(node.slice)[0]
    return list(dict.fromkeys(names_in(node))) or ["value"]


def node_keys(returns: ast.expr | None) -> list[tuple[ast.Constant, ast.expr]]:
    """Keys of the node in the return annotation: the entries of a dict in ``Annotated[T, {...}]``.

    A dict without any key of a node, or one that is close to one, is somebody else's metadata.
    """
    import difflib

    parts = annotated(unquoted(returns))
    for extra in parts[1] if parts is not None else ():
        if isinstance(extra, ast.Dict) and all(
            isinstance(key, ast.Constant) and isinstance(key.value, str) for key in extra.keys
        ):
            names = [key.value for key in extra.keys]
            if any(difflib.get_close_matches(name, NODE_KEYS, n=1, cutoff=0.75) for name in names):
                return list(zip(extra.keys, extra.values, strict=True))
    return []


def names_in(node: ast.expr | None) -> list[str]:
    parts = annotated(node)
    if parts is not None:
        for extra in parts[1]:
            if (
                isinstance(extra, ast.Call)
                and len(extra.args) == 1
                and isinstance(extra.args[0], ast.Constant)
                and isinstance(extra.args[0].value, str)
            ):
                return [extra.args[0].value]
        return names_in(parts[0])
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return names_in(node.left) + names_in(node.right)
    if isinstance(node, ast.Subscript) and last_name(node.value) in ("tuple", "Tuple", "Union", "Optional"):
        return [name for member in members(node.slice) for name in names_in(member)]
    return []


def same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and a == b


_OPERATORS = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.Pow: lambda a, b: a**b,
}


def constant(node: ast.expr, names: dict[str, Any]) -> Any:
    """The plain value of an expression (what YAML can hold), or MISSING."""
    if isinstance(node, ast.Name):
        return names.get(node.id, MISSING)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = constant(node.left, names), constant(node.right, names)
        limit = 64 if isinstance(node.op, ast.Pow) else 1e12  # 10**10**10 must not be worked out
        if all(isinstance(side, int | float) and abs(side) <= limit for side in (left, right)):
            try:
                value = _OPERATORS[type(node.op)](left, right)
            except ArithmeticError:
                return MISSING
            return value if is_plain(value) else MISSING
        return MISSING
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return MISSING
    return value if is_plain(value) else MISSING


def is_plain(value: Any) -> bool:
    if value is None or isinstance(value, bool | int | float | str):
        return True
    if isinstance(value, list):
        return all(is_plain(item) for item in value)
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_plain(item) for key, item in value.items())
    return False
