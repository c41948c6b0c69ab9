"""Makes checks, side by side, each within its time."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Final

from .outcome import CannotTell, Failed, NotApplicable, Open, State, line
from .registry import Check
from .service import Service

SECONDS: Final = 60.0  # that one check may take
_SIDE_BY_SIDE: Final = 6  # most of them wait for processes that they started
_WHOLE_RUN: Final = 3  # times what one check may take: if most of them hang, the rest need not be waited for
_STATES: Final[tuple[tuple[type[Exception], State], ...]] = (
    (Failed, "fail"),
    (Open, "open"),
    (NotApplicable, "not applicable"),
    (CannotTell, "cannot tell"),
)


class _TooLongError(Exception):
    """A check did not end; a `TimeoutError` of its own is another thing."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What a check told."""

    state: State
    evidence: str
    seconds: float


def run(
    wanted: Sequence[Check],
    service: Service,
    limit: float = SECONDS,
    told: Callable[[str, bool], None] = lambda *_: None,
) -> dict[str, Looked]:
    """Make these checks; none can keep the others from being made.

    Args:
        wanted: the checks.
        service: that they look at.
        limit: seconds that one may take.
        told: called with a check's row when it begins (False) and when it has ended (True).
    """
    ends = monotonic() + limit * _WHOLE_RUN

    def made(check: Check) -> Looked:
        told(check.id, False)
        began = monotonic()
        state, evidence = _outcome(check, service, min(limit, ends - began))
        told(check.id, True)
        return Looked(state, line(evidence), round(monotonic() - began, 3))

    # Those that start something first: the others fill the time in which they wait.
    order = sorted(wanted, key=lambda check: check.kind != "live")
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        return dict(zip((check.id for check in order), pool.map(made, order), strict=True))


def _outcome(check: Check, service: Service, seconds: float) -> tuple[State, str]:
    if seconds <= 0:
        return "cannot tell", "not looked at: other checks took all the time there is"
    try:
        evidence = _within(seconds, lambda: check.look(service))
    except _TooLongError:
        return "cannot tell", f"its check did not end within {seconds:g} s"
    except Exception as error:  # noqa: BLE001 - of one check; the others are still to be made
        for kind, state in _STATES:
            if isinstance(error, kind):
                return state, str(error) or "its check did not say why"
        return "cannot tell", f"its check itself failed: {type(error).__name__}: {error}"
    if not isinstance(evidence, str) or not evidence.strip():
        return "cannot tell", "its check told no evidence: a check returns what it saw"
    return "pass", evidence


def _within(seconds: float, work: Callable[[], str]) -> str:
    """What `work` returns or raises, unless it takes longer: its thread is left alone then, for nothing ends it."""
    outcome: SimpleQueue[tuple[str, BaseException | None]] = SimpleQueue()

    def called() -> None:
        try:
            outcome.put((work(), None))
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            outcome.put(("", error))

    threading.Thread(target=called, daemon=True).start()
    try:
        value, error = outcome.get(timeout=seconds)
    except Empty:
        raise _TooLongError from None
    if isinstance(error, Exception):
        raise error
    if error is not None:  # SystemExit and the like: a check's mistake, not the end of the run
        raise RuntimeError(f"{type(error).__name__}: {error}")
    return value
