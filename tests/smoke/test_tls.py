"""Where the address is https, the certificate is looked at, and nothing is sent to whom it does not prove."""

import ssl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.services import TOKEN, Running, serving
from tests.smoke import authority
from tests.smoke.authority import Authority
from tests.smoke.faults import with_header
from tests.smoke.faulty import Fault, Served, nothing, proxy, raw
from tests.smoke.smoking import smoke_here

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def service(orders: Path) -> Iterator[Running]:
    with serving(orders) as running:
        yield running


@pytest.fixture(scope="module")
def test_ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority.make(tmp_path_factory.mktemp("tls") / "ca")


@contextmanager
def encrypted(service: Running, context: ssl.SSLContext, change: Fault = nothing) -> Iterator[Served]:
    with proxy(service.port, change, tls=context) as served:
        yield served


def test_a_good_certificate_passes_and_its_end_is_told(orders: Path, service: Running, test_ca: Authority) -> None:
    with encrypted(service, test_ca.server("good", days=30)) as server:
        done = smoke_here(orders, "--ca", str(test_ca.certificate), server.url)

    assert (done.status, done.ids("fail"), done.ids("skip")) == (0, set(), {"hsts", "not-published"})
    assert done.evidence("tls-certificate").startswith("valid for 30 days; it ends 20")
    assert done.evidence("tls-version") == "TLSv1.3; older than 1.2 refused"
    assert done.evidence("hsts").startswith("information: no Strict-Transport-Security")


def test_strict_transport_security_is_told(orders: Path, service: Running, test_ca: Authority) -> None:
    strict = with_header("strict-transport-security", "max-age=31536000")
    with encrypted(service, test_ca.server("strict", days=30), strict) as server:
        done = smoke_here(orders, "--ca", str(test_ca.certificate), server.url)

    assert (done.status, done.evidence("hsts")) == (0, "Strict-Transport-Security: max-age=31536000")


@pytest.mark.parametrize(
    ("days", "told"), [(-2.0, "certificate has expired; it ends 20"), (13.5, "valid for 13.5 days only, and 14 are")]
)
def test_a_certificate_that_has_ended_or_ends_soon_turns_exactly_its_check_red(
    orders: Path, service: Running, test_ca: Authority, days: float, told: str
) -> None:
    with encrypted(service, test_ca.server(f"ends{days:.0f}", days=days)) as server:
        done = smoke_here(orders, "--ca", str(test_ca.certificate), server.url)

    assert (done.status, done.ids("fail"), done.ids("skip")) == (1, {"tls-certificate"}, {"hsts", "not-published"})
    assert told in done.evidence("tls-certificate")
    assert "status" in done.ids("pass")


@pytest.mark.parametrize(
    ("name", "host", "days", "ca", "told"),
    [
        ("other", "DNS:elsewhere.example.org", 30, True, "IP address mismatch"),
        ("both", "DNS:elsewhere.example.org", -2, True, "IP address mismatch"),
        ("unknown", "IP:127.0.0.1", 30, False, "unable to get local issuer certificate"),
        ("unknown-and-ended", "IP:127.0.0.1", -2, False, "unable to get local issuer certificate"),
    ],
)
def test_to_whom_the_certificate_does_not_prove_nothing_is_sent(
    orders: Path, service: Running, test_ca: Authority, name: str, host: str, days: int, ca: bool, told: str
) -> None:
    with encrypted(service, test_ca.server(name, days=days, host=host)) as server:
        done = smoke_here(orders, *(("--ca", str(test_ca.certificate)) if ca else ()), server.url)
        asked = len(server.requests)

    assert (done.status, done.ids("fail"), done.ids("pass"), asked) == (1, {"tls-certificate"}, set(), 0)
    assert told in done.evidence("tls-certificate")
    assert done.evidence("livez") == "nothing was sent: the certificate does not prove who answers"


def test_a_server_that_still_speaks_old_tls_turns_exactly_its_check_red(
    orders: Path, service: Running, test_ca: Authority
) -> None:
    context = test_ca.server("old", days=30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with encrypted(service, context) as server:
        done = smoke_here(orders, "--ca", str(test_ca.certificate), server.url)

    assert (done.status, done.ids("fail")) == (1, {"tls-version"})
    assert done.evidence("tls-version") == "TLSv1.1 is spoken, too"


def test_https_at_a_port_without_tls_is_told_and_no_token_is_sent(orders: Path) -> None:
    with raw(b"HTTP/1.1 400 Bad Request\r\n\r\n") as server:
        done = smoke_here(orders, "--timeout", "2", server.url.replace("http:", "https:"))
        received = b"".join(server.received)

    assert (done.status, done.ids("fail")) == (1, {"tls-certificate"})
    assert "no TLS there: WRONG_VERSION_NUMBER" in done.evidence("tls-certificate")
    assert TOKEN.encode() not in received
