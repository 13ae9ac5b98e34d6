"""The mutated source: every chosen site asks whether its mutant is the one of this run."""

from bisect import bisect_right
from dataclasses import dataclass, field

from .sites import SITE_NUMBER, Site

# The mutated source keeps the line numbers of its origin.
PREAMBLE = b'#include "penstock_mutant.h"\n#line 1\n'


@dataclass
class Mutated:
    """A mutated file; `lines` says for each site the lines its text takes, counted as the compiler does."""

    text: bytes
    places: list[tuple[int, int, int]] = field(default_factory=list)  # first byte, last byte, site number

    def sites_at(self, line: int, column: int) -> list[int]:
        """Numbers of the sites whose text covers a place the compiler named, innermost last."""
        begins = [0]
        for at, byte in enumerate(self.text[len(PREAMBLE) :], len(PREAMBLE)):
            if byte == 0x0A:
                begins.append(at + 1)
        begins[0] = len(PREAMBLE)
        if not 0 < line <= len(begins):
            return []
        at = begins[line - 1] + column - 1
        exact = [number for first, last, number in self.places if first <= at < last]
        if exact:
            return exact
        on_line = [number for first, last, number in self.places if bisect_right(begins, first) <= line <= bisect_right(begins, last)]
        return on_line


def mutate(source: bytes, numbered: dict[int, Site]) -> Mutated:
    """`numbered`: the sites of this file by their numbers. Nested sites are written at each copy of their place."""
    order = sorted(numbered.items(), key=lambda item: (item[1].start, -item[1].end, item[1].outer))
    writer = Writer(source)
    writer.out += PREAMBLE
    writer.write(0, len(source), order)
    return Mutated(bytes(writer.out), writer.places)


class Writer:
    def __init__(self, source: bytes):
        self.source = source
        self.out = bytearray()
        self.places: list[tuple[int, int, int]] = []

    def write(self, start: int, end: int, sites: list[tuple[int, Site]]) -> None:
        at = start
        index = 0
        while index < len(sites):
            number, site = sites[index]
            index += 1
            inner = []
            while index < len(sites) and sites[index][1].start < site.end:
                inner.append(sites[index])
                index += 1
            self.out += self.source[at : site.start]
            self.write_site(number, site, inner)
            at = site.end
        self.out += self.source[at:end]

    def write_site(self, number: int, site: Site, inner: list[tuple[int, Site]]) -> None:
        first = len(self.out)
        for piece in site.pieces:
            if piece is SITE_NUMBER:
                self.out += str(number).encode()
            elif isinstance(piece, str):
                self.out += piece.encode()
            else:
                begin, end = piece
                self.write(begin, end, [item for item in inner if begin <= item[1].start and item[1].end <= end])
        self.places.append((first, len(self.out), number))
