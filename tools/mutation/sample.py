"""The seeded sample: which sites are drawn, in which order, from which room."""

import hashlib
from collections import Counter
from pathlib import Path

from .sites import Site, find_sites

# What of each room is mutated: of core the codec of values and tables, their identity and the store of their blocks.
CORE = [
    "block_store", "block_store_directory", "cbor_reader", "cbor_writer", "cid", "decode", "decode_data", "decode_form",
    "encode", "hash", "identity", "table_arrive", "table_canonical", "table_codec", "table_dictionary", "table_layout",
    "table_restore", "table_transport", "utf8",
]  # fmt: skip


def sources(root: Path) -> dict[str, list[str]]:
    """Paths of the sources of each room, tests and benchmarks left out."""
    rooms = {}
    for room in ("flow", "core", "exec"):
        folder = root / "src" / "penstock" / room
        paths = [path for path in sorted(folder.glob("*.cc")) if not path.stem.endswith(("_test", "_bench"))]
        # What only the tests link.
        paths = [path for path in paths if not path.stem.startswith("process_test_")]
        if room == "core":
            paths = [path for path in paths if path.stem in CORE]
        rooms[room] = [str(path.relative_to(root)) for path in paths]
    if missing := set(CORE) - {Path(path).stem for path in rooms["core"]}:
        raise SystemExit(f"mutate: error: no such sources of core: {' '.join(sorted(missing))}")
    return rooms


def quotas(lines: dict[str, int], count: int) -> dict[str, int]:
    """`count` shared out in proportion to the lines, the largest remainders rounded up."""
    total = sum(lines.values())
    shares = {room: count * number / total for room, number in lines.items()}
    out = {room: int(share) for room, share in shares.items()}
    for room in sorted(shares, key=lambda room: out[room] - shares[room])[: count - sum(out.values())]:
        out[room] += 1
    return out


def drawn(sites: list[Site], seed: int) -> list[tuple[str, Site]]:
    """All sites in the order they are drawn, each under its key.

    The order follows a hash of what the site says and where, not its position: a change of other
    lines leaves the sample as it is.
    """
    seen: Counter = Counter()
    out = []
    for site in sites:
        what = f"{site.path}:{site.operator}:{site.before}:{site.after}"
        seen[what] += 1
        key = hashlib.sha256(f"{seed}:{what}:{seen[what]}".encode()).hexdigest()[:16]
        out.append((key, site))
    return sorted(out, key=lambda item: item[0])


class Drawing:
    """The drawn sites of each room and which of them are in the build."""

    def __init__(self, root: Path, count: int, seed: int):
        self.texts: dict[str, bytes] = {}
        self.order: dict[str, list[tuple[str, Site]]] = {}
        lines = {}
        for room, paths in sources(root).items():
            found = []
            for path in paths:
                self.texts[path] = (root / path).read_bytes()
                found += find_sites(path, self.texts[path])
            lines[room] = sum(self.texts[path].count(b"\n") for path in paths)
            self.order[room] = drawn(found, seed)
        self.lines = lines
        self.quota = quotas(lines, count)
        self.dropped: dict[str, str] = {}  # key -> what the compiler said

    def chosen(self, spare: float = 0.0) -> list[tuple[str, str, Site]]:
        """(room, key, site) of the first of each room that are not dropped; `spare`: this share more."""
        out = []
        for room, order in self.order.items():
            wanted = round(self.quota[room] * (1 + spare))
            left = [(room, key, site) for key, site in order if key not in self.dropped]
            out += left[:wanted]
        return out
