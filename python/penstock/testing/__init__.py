"""Nodes for trying things out and for tests: sources, small functions, stateful classes.

They behave like the nodes of the same names in noob's testing module; a tube that names
``noob.testing.X`` gets these when noob is not installed.
"""

from penstock.testing.functions import (
    concat,
    dictify,
    divide,
    error,
    exclaim,
    input_party,
    multi_concat,
    multiply,
    passthrough,
    repeat,
    this_or_that,
)
from penstock.testing.sources import (
    CountSource,
    count_source,
    cycle,
    letter_source,
    multi_words_source,
    sporadic_word,
    sporadic_word_noevent,
    switch,
    word_counts,
    word_source,
)
from penstock.testing.stateful import Multiply, Now, StatefulMultiply, Volume, VolumeProcess

__all__ = [
    "CountSource",
    "Multiply",
    "Now",
    "StatefulMultiply",
    "Volume",
    "VolumeProcess",
    "concat",
    "count_source",
    "cycle",
    "dictify",
    "divide",
    "error",
    "exclaim",
    "input_party",
    "letter_source",
    "multi_concat",
    "multi_words_source",
    "multiply",
    "passthrough",
    "repeat",
    "sporadic_word",
    "sporadic_word_noevent",
    "switch",
    "this_or_that",
    "word_counts",
    "word_source",
]
