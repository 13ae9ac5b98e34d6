"""How a Python object becomes a node: its slots, signals and state.

The rules are those of docs/formats/tube.md. The extension calls :func:`describe` once per node when a
plan is compiled; calls at run time go straight to the object.
"""

from __future__ import annotations

import builtins
import contextvars
import functools
import importlib
import inspect
import sys
import types
import typing
import weakref

from penstock import _kinds
from penstock._errors import InvalidArgumentError, NotFoundError

# Introspection of plain functions is the same each time: keyed by the function itself, as long as it lives (a
# notebook makes them anew).
_functions: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()

# The same for a node of a plain function without parameters: what describe() says but the function itself, which
# would live as long as its own entry.
_plain: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()

# Looks at what describe() found, (node id, type, params, tuple), and may change the tuple: penstock.compat.noob
# reads its tubes this way.
watch: contextvars.ContextVar = contextvars.ContextVar("penstock_watch", default=None)


def describe(type_name: str, params: dict, node_id: str):
    """None when ``type_name`` is no Python name, else what the extension needs to know (a tuple)."""
    described = _describe(type_name, params, node_id)
    watching = watch.get()
    if described is not None and watching is not None:
        return watching(node_id, type_name, params, described)
    return described


def _describe(type_name: str, params: dict, node_id: str):
    target = find(type_name)
    if target is None:
        return None
    is_plain = type(target) is types.FunctionType and not params
    known = _plain.get(target) if is_plain else None
    if known is not None:
        return (known[0], target, {}, *known[1:])
    if inspect.isclass(target):
        instance = _make_instance(target, type_name, params, node_id)
        described = _describe_class(target, instance, type_name, params)
        return _kinds.complete(described, instance, type_name)
    if inspect.isgeneratorfunction(target):
        return _kinds.complete(_describe_generator(target, type_name, params), None, type_name)
    if not callable(target):
        raise InvalidArgumentError(
            f"'{type_name}' is a {type(target).__name__}, wanted a function, generator or class",
            id="PS0206",
        )
    _kinds.check_no_async_generator(target, type_name)
    described = _kinds.complete(_describe_function(target, type_name, params), None, type_name)
    if is_plain:
        _plain[target] = (described[0], *described[3:])
    return described


def find(type_name: str):
    module_name, _, attribute = type_name.rpartition(".")
    if not module_name:
        return getattr(builtins, type_name, None)
    module = _opened(module_name) or sys.modules.get(module_name)
    if module is None:
        module = _import(module_name, type_name)
    try:
        return getattr(module, attribute)
    except AttributeError:
        help = _did_you_mean(attribute, [n for n in dir(module) if not n.startswith("__")])
        raise NotFoundError(
            f"module '{module_name}' has no '{attribute}'", id="PS0206", help=help
        ) from None


def _opened(module_name: str):
    """The file of plain functions that is being loaded, if it goes by this name."""
    files = sys.modules.get("penstock._pipeline_file")
    return files.find(module_name) if files is not None else None


def _import(module_name: str, type_name: str):
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        if module_name.partition(".")[0] == "noob" and missing.partition(".")[0] == "noob":
            root = "penstock" if module_name.startswith("noob.testing") else "penstock.compat.noob"
            return _import(root + module_name[4:], type_name)
        if not (module_name == missing or module_name.startswith(missing + ".")):
            # The module exists; something it imports does not.
            raise InvalidArgumentError(
                f"importing '{module_name}' failed: {type(error).__name__}: {error}", id="PS0206"
            ) from error
        parent, _, name = missing.rpartition(".")
        is_class = isinstance(getattr(sys.modules.get(parent), name, None), type)
        raise NotFoundError(
            f"cannot import '{type_name}': no module named '{missing}'",
            id="PS0206",
            help=f"'{missing}' is a class, and its methods are no nodes; write a function that calls one"
            if is_class
            else "check the name, and that the module is installed or on sys.path",
        ) from None
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        raise InvalidArgumentError(
            f"importing '{module_name}' failed: {type(error).__name__}: {error}", id="PS0206"
        ) from error


def _did_you_mean(name: str, candidates: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, candidates, n=1)
    return f"did you mean '{close[0]}'?" if close else ""


def _hints(function) -> dict:
    """Annotations with text resolved where it can be; a name that cannot be is left out."""
    try:
        return typing.get_type_hints(function, include_extras=True)
    except Exception:  # noqa: BLE001 - an unresolvable annotation must not stop a load
        return {
            name: hint
            for name, hint in getattr(function, "__annotations__", {}).items()
            if not isinstance(hint, str)
        }


def _is_union(hint) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


def _admits_none(hint) -> bool:
    if typing.get_origin(hint) is typing.Annotated:
        hint = typing.get_args(hint)[0]
    return hint is type(None) or hint is None or (
        _is_union(hint) and any(_admits_none(arg) for arg in typing.get_args(hint))
    )


def _type_text(hint) -> str:
    if hint is inspect.Parameter.empty:
        return "any"
    if typing.get_origin(hint) is typing.Annotated:
        bare, *extras = typing.get_args(hint)
        unit = next((extra for extra in extras if isinstance(extra, str)), "")
        # What has a blank is a remark, no unit.
        return f"{_type_text(bare)} [{unit}]" if unit and " " not in unit else _type_text(bare)
    return inspect.formatannotation(hint).removeprefix("typing.")


def _signal_names(hint) -> list[str]:
    """Names given by ``Annotated[..., Name("x")]`` in a return annotation, in order."""
    if typing.get_origin(hint) is typing.Annotated:
        for extra in typing.get_args(hint)[1:]:
            name = getattr(extra, "name", None)
            if isinstance(name, str):
                return [name]
        return _signal_names(typing.get_args(hint)[0])
    if _is_union(hint) or typing.get_origin(hint) is tuple:
        return [name for arg in typing.get_args(hint) for name in _signal_names(arg)]
    return []


def _emitted(hint, is_generator: bool):
    """What one event is, of what a function or a generator says to return."""
    if is_generator:
        return typing.get_args(hint)[0] if typing.get_args(hint) else inspect.Parameter.empty
    return hint


def _signals(hint, is_generator: bool) -> tuple[str, ...]:
    hint = _emitted(hint, is_generator)
    names = _signal_names(hint) if hint is not None else []
    return tuple(dict.fromkeys(names)) or ("value",)


def _signal_types(hints: dict, is_generator: bool, signals: tuple[str, ...]) -> tuple[str, ...]:
    """The type text of each signal; 'any' where the annotation does not say it plainly."""
    hint = _emitted(hints.get("return", inspect.Parameter.empty), is_generator)
    if len(signals) == 1:
        return (_type_text(hint),)
    members = typing.get_args(hint) if typing.get_origin(hint) is tuple else ()
    named = {_signal_names(member)[0]: member for member in members if len(_signal_names(member)) == 1}
    return tuple(_type_text(named.get(signal, inspect.Parameter.empty)) for signal in signals)


class _Face(typing.NamedTuple):
    slots: tuple
    any_positional: bool
    any_keyword: bool
    signals: tuple[str, ...]
    signal_types: tuple[str, ...]


def _face(function, type_name: str) -> _Face:
    if not isinstance(function, types.FunctionType):
        return _look_at(function)
    face = _functions.get(function)
    if face is None:
        face = _functions[function] = _look_at(function)
    return face


def _look_at(function) -> _Face:
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):
        # A builtin without a signature (max): anything goes by position.
        return _Face((), True, False, ("value",), ())
    hints = _hints(function)
    slots = []
    any_positional = any_keyword = False
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            any_positional = True
            continue
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            any_keyword = True
            continue
        hint = hints.get(parameter.name, inspect.Parameter.empty)
        has_default = parameter.default is not inspect.Parameter.empty
        optional = has_default and parameter.default is None and _admits_none(hint)
        positional = parameter.kind is not inspect.Parameter.KEYWORD_ONLY
        slots.append((parameter.name, not optional, has_default, positional, _type_text(hint)))
    signals = _signals(hints.get("return"), False)
    return _Face(
        tuple(slots), any_positional, any_keyword, signals, _signal_types(hints, False, signals)
    )


def _check_params(function, type_name: str, params: dict, face: _Face) -> None:
    names = [slot[0] for slot in face.slots]
    for name in params:
        if name not in names and not face.any_keyword:
            raise InvalidArgumentError(
                f"unknown parameter '{name}' of '{type_name}'; it takes: {', '.join(names) or 'none'}",
                id="PS0202",
                help=_did_you_mean(name, names),
            )


def _with_params(slots: tuple, params: dict) -> tuple:
    """A slot that a parameter fills need not be connected."""
    if not params:
        return slots
    return tuple((s[0], s[1], s[2] or s[0] in params, s[3], s[4]) for s in slots)


def _describe_function(function, type_name: str, params: dict):
    face = _face(function, type_name)
    _check_params(function, type_name, params, face)
    return (
        "function",
        function,
        dict(params),
        _with_params(face.slots, params),
        face.any_positional,
        face.any_keyword,
        face.signals,
        False,
        face.signal_types,
    )


_generators: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def _generated(function) -> tuple:
    """(signals, whether they are a generator's, their types) of a generator function."""
    known = _generators.get(function)
    if known is None:
        hints = _hints(function)
        signals = _signals(hints.get("return"), True)
        known = _generators[function] = (signals, True, _signal_types(hints, True, signals))
    return known


def _describe_generator(function, type_name: str, params: dict):
    face = _face(function, type_name)
    _check_params(function, type_name, params, face)
    generator = _construct(function, type_name, params)
    return ("generator", generator, None, (), False, False, *_generated(function))


def _process_method_of(cls: type) -> str:
    if _kinds.is_noob_node(cls):
        return "process"
    return next(
        (
            name
            for name, member in inspect.getmembers(cls, callable)
            if getattr(member, "__penstock_process__", False)
            or getattr(member, "__is_process_method__", False)  # noob's mark
        ),
        "process",
    )


def _make_instance(cls: type, type_name: str, params: dict, node_id: str):
    method = getattr(cls, _process_method_of(cls), None)
    if not callable(method) or method is _kinds.Node.process:
        raise InvalidArgumentError(
            f"class '{type_name}' has no method 'process', and none is marked with @process_method",
            id="PS0206",
        )
    _kinds.check_no_async_generator(method, f"{type_name}.{method.__name__}")
    if _kinds.is_noob_node(cls):
        return _construct(functools.partial(cls, id=node_id), type_name, params)
    return _construct(cls, type_name, params)


def _describe_class(cls: type, instance: object, type_name: str, params: dict):
    method_name = _process_method_of(cls)
    method = getattr(instance, method_name)
    function = method.__func__ if inspect.ismethod(method) else method
    # noob's own Node has begun the generator and put a plain function in place of its method.
    begun = getattr(instance, "_gen", None) if _kinds.is_noob_node(cls) else None
    if begun is not None:
        function = cls.process
    if inspect.isgeneratorfunction(function):
        return ("generator", begun or method(), None, (), False, False, *_generated(function))
    face = _face(function, type_name)
    slots = face.slots[1:] if inspect.ismethod(method) else face.slots
    dynamic_signals, dynamic_slots = _kinds.dynamic_face(cls, params)
    if dynamic_slots is not None:
        slots = tuple((name, True, False, False, "any") for name in dynamic_slots)
    return (
        "function",
        method,
        None,
        slots,
        face.any_positional,
        face.any_keyword and dynamic_slots is None,
        tuple(dynamic_signals or face.signals),
        bool(getattr(instance, "stateful", True)) if _kinds.is_node(instance) else True,
        () if dynamic_signals else face.signal_types,
    )


def _construct(make, type_name: str, params: dict):
    try:
        return make(**params)
    except TypeError as error:
        raise InvalidArgumentError(f"cannot make '{type_name}': {error}", id="PS0202") from error
    except Exception as error:
        raise InvalidArgumentError(
            f"making '{type_name}' failed: {type(error).__name__}: {error}", id="PS0206"
        ) from error
