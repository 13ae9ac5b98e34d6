def total(*rows):
    return sum(rows)


def meta(size=1):
    return size


def twice(size=2):
    yield size


def late(twice, size=3):
    yield twice, size
