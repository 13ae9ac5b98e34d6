def count() -> str:
    return "3"


def twice(count: int, label: str = "x") -> str:
    return label * 2 * count


def end(twice: list | None, label: int) -> int:
    return label
