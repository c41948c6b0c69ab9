"""What happens to an instance in an empty folder with an empty environment: it starts, is asked, and is stopped."""

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
        alive: whether it answered; if not, `told` is the last thing that it wrote.
        left: files that it has written into its folder, which is its home, too.
        status, seconds: how it ended after SIGTERM, with nothing to do; None if it did not.
    """

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
    instance, alive, folder = ground.elsewhere()
    if not alive:
        return Visit(alive=False, told=ground.told(instance))
    with suppress(httpx2.HTTPError, OSError):
        for path in _ASKED:
            instance.get(path)
    left = tuple(sorted(each.relative_to(folder).as_posix() for each in folder.rglob("*")))
    began = monotonic()
    instance.signal()
    status = instance.wait(_STOP_SECONDS)
    return Visit(alive=True, left=left, status=status, seconds=monotonic() - began)
