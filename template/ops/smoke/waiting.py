"""Finds out whether the service can be reached, and waits until it is ready."""

import socket
from collections.abc import Callable
from dataclasses import replace
from time import monotonic, sleep

from .outcome import BadInput, Failed
from .runner import GRACE_SECONDS, within
from .target import Surroundings, Target
from .trust import Trust, connected, examine

_PAUSE_SECONDS = 0.5


def met(surroundings: Surroundings, wait: float, say: Callable[[str], None]) -> Surroundings:
    """Reach the service, look at its certificate, and wait up to `wait` seconds until it is ready and of the version.

    Returns:
        The surroundings with what the handshake told; the checks say whether it is ready.

    Raises:
        BadInput: nobody is at this address.
    """
    began = monotonic()
    while True:
        left = wait - (monotonic() - began)
        reached, why_not = _look(surroundings)
        if reached is not None and wait and reached.trust.known:
            why_not = _not_ready(reached)
        if why_not is None or left <= 0:
            break
        sleep(min(_PAUSE_SECONDS, left))
    if reached is None:
        raise BadInput(f"{surroundings.address.url()}: {why_not}; is the address right, and the service started?")
    if wait:
        took = f"{monotonic() - began:.1f} s"
        say(f"ready after {took}" if why_not is None else f"not ready after {took}: {surroundings.masks.text(why_not)}")
    return reached


def _look(surroundings: Surroundings) -> tuple[Surroundings | None, str | None]:
    """The surroundings, if somebody answers there, and what is wrong; None if nothing is."""
    seconds, address = surroundings.wanted.seconds, surroundings.address
    try:
        within(seconds, lambda: connected(address, None, seconds).close())
    except TimeoutError:
        return None, f"no connection within {seconds:g} s"
    except socket.gaierror as error:
        return None, f"the name {address.host} is not known ({error.strerror})"
    except (OSError, UnicodeError) as error:
        return None, f"no connection: {getattr(error, 'strerror', None) or error}"
    try:
        trust = within(seconds, lambda: examine(address, surroundings.wanted.ca, seconds / 2))
    except TimeoutError:
        trust = Trust(flaw=f"no handshake within {seconds:g} s", known=False)
    return replace(surroundings, trust=trust), None if trust.known else f"the certificate: {trust.flaw}"


def _not_ready(surroundings: Surroundings) -> str | None:
    """Why the service is not ready; None if it is."""
    seconds = surroundings.wanted.seconds
    target = replace(surroundings, seen=[]).target(seconds)

    def asked() -> str | None:
        try:
            return _missing(target)
        finally:
            target.client.disconnect()

    try:
        return within(seconds + GRACE_SECONDS, asked)
    except TimeoutError:
        return f"no answer within {seconds:g} s"
    except Failed as failed:
        return str(failed)


def _missing(target: Target) -> str | None:
    wanted = target.wanted
    if wanted.published:
        answer = target.get(target.plan.unknown_path)
        return answer.told if answer.status >= 500 else None
    answer = target.get("/readyz")
    if answer.status != 200:
        return answer.told
    deployed = target.get("/version").document().get("version") if wanted.version else None
    return f"version {deployed} answers" if deployed != wanted.version else None
