"""Checks of encryption, where the address is https."""

from datetime import UTC, datetime

from .outcome import Failed, Skipped
from .target import Target
from .trust import speaks_old_tls


def certificate(target: Target) -> str:
    """Chain, host and dates are as they must be, and the certificate does not end soon."""
    trust = target.trust
    ends = f"; it ends {trust.ends:%Y-%m-%d %H:%M} UTC" if trust.ends else ""
    if trust.flaw is not None:
        raise Failed(f"{target.client.address.authority}: {trust.flaw}{ends}")
    if trust.ends is None:
        raise Failed("the certificate tells no end of its time")
    days = (trust.ends - datetime.now(UTC)).total_seconds() / 86_400
    if days < target.plan.certificate_days:
        raise Failed(f"valid for {days:.1f} days only, and {target.plan.certificate_days} are wanted{ends}")
    return f"valid for {days:.0f} days{ends}"


def version(target: Target) -> str:
    """TLS 1.2 or newer is spoken, and nothing older."""
    try:
        old = speaks_old_tls(target.client.address, target.client.seconds / 2)
    except NotImplementedError:
        return f"{target.trust.version}; whether older ones are refused, this machine's TLS library can't ask"
    if old is not None:
        raise Failed(f"{old} is spoken, too")
    return f"{target.trust.version}; older than 1.2 refused"


def strict_transport(target: Target) -> str:
    """Browsers are told to stay with https. Information only: the gateway may have its own way."""
    answer = target.get(target.plan.unknown_path)
    value = answer.headers.get("strict-transport-security")
    if value is None:
        raise Skipped("information: no Strict-Transport-Security; an API that browsers call should set it")
    return f"Strict-Transport-Security: {value}"
