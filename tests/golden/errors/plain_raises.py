def total():
    return LIMIT


LIMIT = int("many")
