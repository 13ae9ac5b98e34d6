"""Nodes that return what nests deeply, for test_deep.py."""


def deep(kind, n):
    value = None
    for _ in range(n):
        value = {"list": [value], "tuple": (value,), "dict": {"a": value}}[kind]
    return value


def cycle():
    value = []
    value.append(value)
    return value


def same(x):
    return x


def recurse(x):
    return recurse(x)


def raise_deep(x):
    raise ValueError(deep("list", 100_000))
