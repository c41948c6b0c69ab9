"""Compares a JSON document with what it must at least hold."""

from typing import Any


def difference(wanted: Any, found: Any, at: str = "the answer") -> str | None:
    """The first place where `found` does not hold what is wanted; None if it holds all.

    Objects may have more members. Lists have as many items, in this order; all else is equal, in type, too.
    """
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key, value in wanted.items():
            if key not in found:
                return f"{at} has no {key!r}"
            if different := difference(value, found[key], f"{at}.{key}"):
                return different
        return None
    if isinstance(wanted, list) and isinstance(found, list):
        if len(wanted) != len(found):
            return f"{at} has {len(found)} items, and {len(wanted)} are wanted"
        pairs = zip(wanted, found, strict=True)
        return next((d for i, (w, f) in enumerate(pairs) if (d := difference(w, f, f"{at}[{i}]"))), None)
    if wanted == found and isinstance(wanted, bool) == isinstance(found, bool):
        return None
    hint = "; in YAML, NO, off and the like are false: put them in quotes" if wanted is False and found else ""
    return f"{at} is {found!r}, and {wanted!r} is wanted{hint}"
