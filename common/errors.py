"""What a script says about input that it cannot use: one line, and no traceback."""


class BadInput(ValueError):
    """Names the file or flag that is wrong, what was expected and what came; ends a script with status 2."""


def some(names, most=10):
    """Joins names for a message, at most `most` of them, and says how many more there are."""
    names = list(names)
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more
