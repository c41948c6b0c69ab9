"""Makes the checks, one after the other, each within its time."""

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Final, TypeVar

from .outcome import Failed, Outcome, Result, Skipped
from .registry import REQUEST, Check, checks
from .target import Surroundings

T = TypeVar("T")

GRACE_SECONDS: Final = 1.0  # for the client's own time-out to come first, which tells more
_WHOLE_RUN: Final = 6  # times what one check may take: if most of them hang, the rest need not be waited for


def run(surroundings: Surroundings) -> list[Result]:
    """Make all checks; none can keep the others from being made."""
    wanted = checks(surroundings.plan)
    ends = monotonic() + surroundings.wanted.seconds * (_WHOLE_RUN + len(surroundings.plan.requests))
    return [_made(check, surroundings, ends - monotonic()) for check in wanted]


def within(seconds: float, work: Callable[[], T]) -> T:
    """What `work` returns or raises, unless it takes longer.

    It runs in a thread, which is left alone then: nothing else ends a look-up of a name, or an answer that comes
    by drops.

    Raises:
        TimeoutError: it took longer.
    """
    outcome: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()

    def called() -> None:
        try:
            outcome.put((work(), None))
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            outcome.put((None, error))

    threading.Thread(target=called, daemon=True).start()
    try:
        value, error = outcome.get(timeout=max(0.0, seconds))
    except Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return value  # type: ignore[return-value]


def _made(check: Check, surroundings: Surroundings, left: float) -> Result:
    began, masks = monotonic(), surroundings.masks
    outcome, evidence, remedy = _outcome(check, surroundings, left)
    seconds = round(monotonic() - began, 3)
    return Result(check.id, check.proves, outcome, masks.text(evidence), remedy, seconds)


def _outcome(check: Check, surroundings: Surroundings, left: float) -> tuple[Outcome, str, str]:
    if reason := _not_here(check, surroundings):
        return "skip", reason, ""
    seconds = min(surroundings.wanted.seconds, left)
    if seconds <= 0:
        return "fail", "not made: other checks took all the time there is", "mend those first; --timeout gives more"
    target = surroundings.target(seconds)

    def made() -> str:
        try:
            return check.run(target)
        finally:
            target.client.disconnect()

    try:
        return "pass", within(seconds + GRACE_SECONDS, made), ""
    except Skipped as skipped:
        return "skip", str(skipped), ""
    except Failed as failed:
        return "fail", str(failed), check.remedy
    except TimeoutError:
        return "fail", f"no result within {seconds:g} s", check.remedy
    except Exception as error:  # noqa: BLE001 - of one check; the others are still to be made
        return "fail", f"the check itself failed: {type(error).__name__}: {error}", "tell the template's owners"


def _not_here(check: Check, surroundings: Surroundings) -> str | None:
    """Why the check is not made at this address; None if it is."""
    wanted, trust = surroundings.wanted, surroundings.trust
    if reason := surroundings.plan.skip.get(check.id.partition(":")[0] if check.id.startswith(REQUEST) else check.id):
        return f"by smoke.yaml: {reason}"
    if check.where == "https" and not surroundings.address.tls:
        return "the address is not https"
    if check.where == "inside" and wanted.published:
        return "not to be reached at the gateway; run it at the service's own address, too"
    if check.where == "gateway" and not wanted.published:
        return "the address is the service's own; --published for the gateway's"
    if check.id != "tls-certificate" and not trust.known:
        return "nothing was sent: the certificate does not prove who answers"
    return None
