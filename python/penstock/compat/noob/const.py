"""Names that are taken."""

RESERVED_IDS = ("assets", "input", "meta", "tube")
META_SIGNAL = "__META__"
