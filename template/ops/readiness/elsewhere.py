"""What happens to an instance in an empty folder with an empty environment: it starts, is asked, and is stopped.

If it does not start there, another is tried with the service's files around it, so that it can be seen what that one
leaves behind and how it stops.
"""

from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Final

import httpx2

from .running import Ground

_STOP_SECONDS: Final = 15.0
_ASKED: Final = ("/livez", "/readyz", "/metrics", "/readiness-no-such-path")


@dataclass(frozen=True, slots=True)
class Visit:
    """What was seen.

    Attributes:
        alone: whether it answered in the empty folder; if not, `told` is the last thing that it wrote.
        alive: whether it answered at all.
        left: files that it has written into its folder, which is its home, too.
        status, seconds: how it ended after SIGTERM, with nothing to do; None if it did not.
    """

    alone: bool
    alive: bool
    told: str = ""
    left: tuple[str, ...] = ()
    status: int | None = None
    seconds: float = 0.0


def visit(ground: Ground) -> Visit:
    """Pay it once in a run.

    Raises:
        CannotTell: the service does not start in its own folder either.
    """
    return ground.once.get("visit", lambda: _paid(ground))


def _paid(ground: Ground) -> Visit:
    instance, alive, folder = first, alone, _ = ground.elsewhere("elsewhere")
    if not alone:
        instance, alive, folder = ground.elsewhere("linked", linked=True)
    told = "" if alone else ground.told(first)
    if not alive:
        return Visit(alone, alive, told)
    with suppress(httpx2.HTTPError, OSError):
        for path in _ASKED:
            instance.get(path)
    left = tuple(sorted(each.relative_to(folder).as_posix() for each in folder.rglob("*") if not each.is_symlink()))
    began = monotonic()
    instance.signal()
    status = instance.wait(_STOP_SECONDS)
    return Visit(alone, alive, told, left, status, monotonic() - began)
