"""Who answers at an https address: the certificate, its chain, host and dates, and the versions of TLS."""

import socket
import ssl
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from .address import Address
from .outcome import BadInput

_NO_CHECK_TIME: Final = 0x200000  # OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python has no name for
_OF_TIME: Final = (9, 10)  # X509_V_ERR_CERT_NOT_YET_VALID and …_HAS_EXPIRED


@dataclass(frozen=True, slots=True)
class Trust:
    """What a handshake told.

    Attributes:
        context: for further connections; None for plain http.
        flaw: why the certificate is not accepted; None if it is.
        known: whether the host at the other end is the right one, so that something may be sent to it. A certificate
            with no flaw but its dates still proves that.
        ends: the end of the certificate's time.
        version: of TLS, as spoken.
    """

    context: ssl.SSLContext | None = None
    flaw: str | None = None
    known: bool = True
    ends: datetime | None = None
    version: str = ""


def context_for(address: Address, ca: Path | None) -> ssl.SSLContext | None:
    """A context that verifies chain, host and dates against `ca` (PEM), or the system's; None for plain http.

    Raises:
        BadInput: `ca` can't be read.
    """
    if ca is None and not address.tls:
        return None
    try:
        context = ssl.create_default_context(cafile=None if ca is None else str(ca))
    except OSError as error:
        reason = "there is no certificate in it" if isinstance(error, ssl.SSLError) else error.strerror
        raise BadInput(f"--ca {ca}: {reason}; name a file of certificates in PEM form") from None
    # From Python 3.13 on it refuses what callers accept (a CA without key identifiers): one verdict on all versions.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def examine(address: Address, ca: Path | None, seconds: float) -> Trust:
    """Shake hands, and look at the certificate. Each step of it may take `seconds`."""
    context = context_for(address, ca)
    if context is None or not address.tls:
        return Trust()
    try:
        return _shaken(address, context, None, seconds)
    except ssl.SSLCertVerificationError as error:
        if error.verify_code not in _OF_TIME:
            return Trust(context, error.verify_message, known=False)
        flaw = error.verify_message
    except OSError as error:
        return Trust(context, _text(error), known=False)
    # All but the dates is still to be verified: only then may the other checks send anything.
    context.verify_flags |= _NO_CHECK_TIME
    try:
        return _shaken(address, context, flaw, seconds)
    except ssl.SSLCertVerificationError as error:
        return Trust(context, f"{flaw}; {error.verify_message}", known=False)
    except OSError as error:
        return Trust(context, f"{flaw}; {_text(error)}", known=False)


def speaks_old_tls(address: Address, seconds: float) -> str | None:
    """The version older than TLS 1.2 that the server agrees to; None if it refuses. Nothing is sent.

    Raises:
        NotImplementedError: the TLS library of this machine has no such version to offer.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with _encrypted(address, context, seconds) as connection:
            return connection.version()
    except ssl.SSLError as error:
        if error.reason in ("NO_PROTOCOLS_AVAILABLE", "NO_CIPHERS_AVAILABLE", "NO_CIPHER_MATCH"):
            raise NotImplementedError(error.reason) from None
        return None
    except OSError:
        return None  # closed without an alert: refused, too
    except ValueError as error:
        raise NotImplementedError(str(error)) from None


def connected(address: Address, context: ssl.SSLContext | None, seconds: float) -> socket.socket:
    """An open connection, encrypted if there is a context."""
    return _plain(address, seconds) if context is None else _encrypted(address, context, seconds)


def _plain(address: Address, seconds: float) -> socket.socket:
    return socket.create_connection((address.host, address.port), timeout=seconds)


def _encrypted(address: Address, context: ssl.SSLContext, seconds: float) -> ssl.SSLSocket:
    plain = _plain(address, seconds)
    try:
        return context.wrap_socket(plain, server_hostname=address.host)
    except BaseException:
        plain.close()
        raise


def _shaken(address: Address, context: ssl.SSLContext, flaw: str | None, seconds: float) -> Trust:
    with _encrypted(address, context, seconds) as connection:
        certificate = connection.getpeercert() or {}
        ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
        return Trust(context, flaw, ends=ends, version=str(connection.version()))


def _text(error: OSError) -> str:
    reason = error.reason if isinstance(error, ssl.SSLError) else None
    return f"no TLS there: {reason or error.strerror or type(error).__name__}"
