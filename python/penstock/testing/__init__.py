"""Nodes for trying things out and for tests: sources, small functions, stateful classes.

They behave like the nodes of the same names in noob's testing module; a tube that names
``noob.testing.X`` gets these when noob is not installed.
"""

from penstock.testing.assets import (
    LifecycleCounter,
    counter,
    counter_cm,
    fast_forward,
    increment,
    jump,
    rewind,
    zip_iter,
)
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
    "LifecycleCounter",
    "Multiply",
    "Now",
    "StatefulMultiply",
    "Volume",
    "VolumeProcess",
    "concat",
    "count_source",
    "counter",
    "counter_cm",
    "cycle",
    "dictify",
    "divide",
    "error",
    "exclaim",
    "fast_forward",
    "increment",
    "input_party",
    "jump",
    "letter_source",
    "multi_concat",
    "multi_words_source",
    "multiply",
    "passthrough",
    "repeat",
    "rewind",
    "sporadic_word",
    "sporadic_word_noevent",
    "switch",
    "this_or_that",
    "word_counts",
    "word_source",
    "zip_iter",
]
