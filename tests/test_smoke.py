"""Smoke tests pass at a healthy service, and for each planted fault exactly the check turns red that is about it."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services import TOKEN, Running, serving
from tests.smoke.faults import FAULTS, FAULTS_BEFORE, GREEN, TRACE, answering, on, replacing
from tests.smoke.faulty import Exchange, proxy
from tests.smoke.smoking import Smoked, smoke, smoke_here, smoke_without_service

pytestmark = pytest.mark.slow
COMMIT = "0123456789abcdef0123456789abcdef01234567"
DEPLOYED = ("--version", "0.1.0", "--commit", COMMIT[:12])
HTTPS_ONLY = {"tls-certificate", "tls-version", "hsts"}
INSIDE_ONLY = {"livez", "readyz", "version", "status-closed", "status", "metrics", "metrics-count"}


@pytest.fixture(scope="module")
def service(orders: Path) -> Iterator[Running]:
    with serving(orders, env={"APP_BUILD__COMMIT": COMMIT}) as running:
        yield running


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_healthy_service_that_nobody_has_asked_anything_passes(orders: Path, workers: str) -> None:
    with serving(orders, "--workers", workers, env={"APP_BUILD__COMMIT": COMMIT}) as service:
        done = smoke(orders, *DEPLOYED, service.url)

    assert (done.status, done.stderr) == (0, "")
    assert (done.ids("pass"), done.ids("fail")) == (GREEN, set())
    assert done.ids("skip") == HTTPS_ONLY | {"not-published"}
    assert done.evidence("version") == f"orders 0.1.0, commit {COMMIT}; compared: name, version, commit"
    assert done.stdout.splitlines()[-1].startswith("smoke tests passed: 16 pass, 0 fail, 4 skip, in ")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--version", "0.2.0"), "version is '0.1.0', and '0.2.0' is wanted"),
        (("--commit", "ffffffffffff"), f"commit is '{COMMIT}', and 'ffffffffffff' is wanted"),
        (("--commit", "012345"), f"commit is '{COMMIT}', and '012345' is wanted"),
    ],
)
def test_a_release_that_did_not_arrive_fails_the_version_alone(
    orders: Path, service: Running, given: tuple[str, str], told: str
) -> None:
    done = smoke_here(orders, *given, service.url)

    assert (done.status, done.ids("fail")) == (1, {"version"})
    assert done.evidence("version") == told


def only(done: Smoked, check: str, told: str) -> None:
    """Exactly this check has failed, has told this and a remedy, and all others are as they were."""
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("fail")]
    without = {"metrics-count"} if "nothing to count with" in done.stdout else set()

    assert (done.status, done.ids("fail")) == (1, {check})
    assert done.ids("pass") == GREEN - {check} - without
    assert told in line
    assert ". Remedy: " in line


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_answers_turns_exactly_its_check_red(orders: Path, service: Running, name: str) -> None:
    check, told, fault = FAULTS[name]
    with proxy(service.port, fault) as faulty:
        done = smoke_here(orders, *DEPLOYED, faulty.url)

    only(done, check, told)


@pytest.mark.parametrize("name", FAULTS_BEFORE)
def test_a_fault_on_the_way_in_turns_exactly_its_check_red(orders: Path, service: Running, name: str) -> None:
    check, told, fault = FAULTS_BEFORE[name]
    with proxy(service.port, before=fault) as faulty:
        done = smoke_here(orders, *DEPLOYED, faulty.url)

    only(done, check, told)


def test_an_api_that_fails_with_its_stack_trace_turns_both_checks_red(orders: Path, service: Running) -> None:
    with proxy(service.port, on("/v1/vat-rates/NO")(answering(500, TRACE, "text/plain"))) as faulty:
        done = smoke_here(orders, *DEPLOYED, faulty.url)

    assert done.ids("fail") == {"request: the VAT rate of a country", "stack-traces"}


def test_a_proxy_without_a_fault_changes_no_outcome(orders: Path, service: Running) -> None:
    with proxy(service.port) as faultless:
        done = smoke_here(orders, *DEPLOYED, faultless.url)

    assert (done.status, done.ids("pass")) == (0, GREEN)


def test_without_a_token_for_the_service_or_for_the_tests_the_status_is_still_checked(orders: Path) -> None:
    with serving(orders, env={"APP_STATUS__TOKENS": "[]"}) as service:
        without = smoke(orders, service.url, env={})
        with_one = smoke(orders, service.url)

    assert (without.status, without.evidence("status-closed")[-18:]) == (0, "403, 403, 403, 403")
    assert "no token was given" in without.evidence("status")
    assert with_one.ids("fail") == {"status"}
    assert "No status token is configured" in with_one.evidence("status")


def gateway(exchange: Exchange) -> None:
    """Answer for what is not published."""
    if not exchange.path.startswith("/v1/") and exchange.path not in ("/docs", "/redoc", "/openapi.json"):
        exchange.set(404, b"<html>no such page</html>", "text/html")


def test_at_a_gateway_that_publishes_the_api_alone_all_that_can_be_seen_there_passes(
    orders: Path, service: Running
) -> None:
    with proxy(service.port, gateway) as published:
        done = smoke_here(orders, "--published", *DEPLOYED, published.url)
        sent = [exchange.sent for exchange in published.requests]

    assert (done.status, done.ids("fail")) == (0, set())
    assert done.ids("pass") == GREEN - INSIDE_ONLY - {"protecting-headers"} | {"not-published"}
    assert not [headers for headers in sent if TOKEN in headers.get("authorization", "")]


@pytest.mark.parametrize("route", ["/livez", "/version", "/metrics", "/status", "/status/log-levels"])
def test_an_operational_route_at_the_gateway_is_found(orders: Path, service: Running, route: str) -> None:
    def open_one(exchange: Exchange) -> None:
        if exchange.path != route:
            gateway(exchange)

    with proxy(service.port, open_one) as published:
        done = smoke_here(orders, "--published", published.url)

    assert (done.status, done.ids("fail")) == (1, {"not-published"})
    assert f"GET {route} answered" in done.evidence("not-published")


def test_a_status_that_is_refused_by_the_service_itself_is_reached_all_the_same(orders: Path) -> None:
    def open_status(exchange: Exchange) -> None:
        if exchange.path != "/status":
            gateway(exchange)

    with serving(orders, env={"APP_STATUS__TOKENS": "[]"}) as service, proxy(service.port, open_status) as published:
        done = smoke_here(orders, "--published", published.url)

    assert done.ids("fail") == {"not-published"}


def test_the_service_behind_a_path_prefix_passes(orders: Path) -> None:
    def strip(exchange: Exchange) -> None:
        assert exchange.path.startswith("/shop/")
        exchange.path = exchange.path.removeprefix("/shop")

    with serving(orders, env={"APP_ROOT_PATH": "/shop"}) as service, proxy(service.port, before=strip) as gateway:
        done = smoke_here(orders, gateway.url + "/shop/")

    assert (done.status, done.ids("pass")) == (0, GREEN)


def test_an_ipv6_address_passes_once_the_service_has_started(orders: Path) -> None:
    with serving(orders, ready=False, env={"APP_HOST": "::1"}) as service:
        done = smoke(orders, "--wait", "20", f"http://[::1]:{service.port}")

    assert (done.status, done.ids("pass")) == (0, GREEN)
    assert done.stdout.startswith("ready after ")


def test_waiting_ends_when_the_new_version_answers(orders: Path, service: Running) -> None:
    old = [replacing("0.1.0", "0.0.9")] * 2

    def rollout(exchange: Exchange) -> None:
        if exchange.path == "/version" and old:
            old.pop()(exchange)

    with proxy(service.port, rollout) as rolling:
        done = smoke_here(orders, "--wait", "20", *DEPLOYED, rolling.url)

    assert (done.status, old) == (0, [])


def test_waiting_in_vain_says_what_for_and_then_checks(orders: Path, service: Running) -> None:
    with proxy(service.port, on("/readyz")(answering(503, '{"status":"fail"}'))) as never:
        done = smoke_here(orders, "--wait", "1", never.url)

    assert (done.status, done.ids("fail")) == (1, {"readyz"})
    assert done.stdout.startswith("not ready after 1.")
    assert ' s: GET /readyz answered 503: {"status":"fail"} (request id ' in done.stdout


def owners(folder: Path, text: str) -> tuple[str, str]:
    """The option that names a `smoke.yaml` with this text."""
    (folder / "owners.yaml").write_text(text)
    return "--config", str(folder / "owners.yaml")


def test_an_owner_lists_requests_headers_and_what_can_not_hold_here(
    orders: Path, service: Running, tmp_path: Path
) -> None:
    def protected(exchange: Exchange) -> None:
        if exchange.sent.get("x-api-key") == "a-secret-of-the-api":
            exchange.headers["x-frame-options"] = "DENY"

    text = """
        requests:
          - {name: with a key, request: GET /v1/vat-rates/SE, headers: {X-API-Key: {env: KEY}}, json: {percent: 25}}
          - {request: "GET /v1/vat-rates/XX?a=1", status: 404, json: {title: Not Found}}
        headers: {X-Frame-Options: DENY}
        documentation: closed
        skip: {documentation: it is open until the pilot ends}
        """
    with proxy(service.port, protected) as api:
        done = smoke_here(orders, *owners(tmp_path, text), api.url, env={"KEY": "a-secret-of-the-api"})

    assert done.status == 0
    assert {"request: with a key", "request: GET /v1/vat-rates/XX?a=1", "protecting-headers"} <= done.ids("pass")
    assert done.evidence("documentation") == "by smoke.yaml: it is open until the pilot ends"


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("{net: '59.7'}", "the answer.net is '59.70', and '59.7' is wanted"),
        ("{gross: 1}", "the answer has no 'gross'"),
        ("[]", "and [] is wanted"),
        ("{currency: NO}", "the answer.currency is 'EUR', and False is wanted; in YAML, NO"),
        ("null", "and None is wanted"),
    ],
)
def test_what_an_answer_does_not_hold_is_told_with_its_place(
    orders: Path, service: Running, tmp_path: Path, wanted: str, told: str
) -> None:
    body = "{country: 'NO', lines: [{quantity: 3, unit_price: '19.90'}]}"
    request = f"requests: [{{name: a quote, request: POST /v1/quotes, body: {body}, json: {wanted}}}]"

    done = smoke_here(orders, *owners(tmp_path, request), service.url)
    assert done.ids("fail") == {"request: a quote"}
    assert told in done.evidence("request: a quote")


def test_documentation_that_should_be_closed_and_a_missing_header_are_found(
    orders: Path, service: Running, tmp_path: Path
) -> None:
    text = "{documentation: closed, headers: {X-Content-Type-Options: nosniff}}"

    done = smoke_here(orders, *owners(tmp_path, text), service.url)
    assert done.ids("fail") == {"documentation", "protecting-headers"}
    assert "GET /docs answered 200" in done.evidence("documentation")
    assert "X-Content-Type-Options is None, and 'nosniff' is wanted" in done.evidence("protecting-headers")


def test_requests_on_the_command_line_take_the_place_of_the_owners(orders: Path, service: Running) -> None:
    requests = ("--request", "GET /v1/vat-rates/SE", "--request", "GET /v1/vat-rates/XX")

    done = smoke_here(orders, *requests, service.url)
    assert done.ids("fail") == {"request: GET /v1/vat-rates/XX"}
    assert done.ids("pass") == {each for each in GREEN if ": " not in each} | {"request: GET /v1/vat-rates/SE"}


def test_it_runs_from_a_folder_that_has_none_of_the_services_code(service: Running, tmp_path: Path) -> None:
    done = smoke_without_service(tmp_path, *DEPLOYED, "--request", "GET /v1/vat-rates/NO", service.url)

    assert (done.status, done.ids("fail")) == (0, set())
    assert done.evidence("documentation") == "smoke.yaml does not say whether it should be open or closed"


def test_a_token_that_the_service_sends_back_is_shown_nowhere(orders: Path, service: Running, tmp_path: Path) -> None:
    def echo(exchange: Exchange) -> None:
        given = exchange.sent.get("authorization", "")
        exchange.set(500, json.dumps({"a": "x" * 120, "you sent": given}).encode())
        exchange.headers["location"] = exchange.headers["server"] = f"https://elsewhere/{given.split()[-1]}/1.0"

    (tmp_path / "token").write_text(TOKEN + "\n")
    with proxy(service.port, on("/status")(echo)) as leaky:
        arguments = ("--status-token-file", str(tmp_path / "token"), "--junit", str(tmp_path / "junit.xml"))
        done = smoke_here(orders, *arguments, leaky.url, env={})
    told = done.stdout + done.stderr + json.dumps(done.json) + (tmp_path / "junit.xml").read_text()

    assert {"status", "leaking-headers"} <= done.ids("fail")
    assert "https://elsewhere/***/1.0" in told
    assert TOKEN not in told
    assert TOKEN[:10] not in told


def test_the_reports_say_the_same_and_a_junit_reader_takes_them(orders: Path, service: Running, tmp_path: Path) -> None:
    odd = "<b>&\x1b[31m\"']]>"
    with proxy(service.port, on("/livez")(answering(500, odd))) as faulty:
        done = smoke(orders, "--junit", str(tmp_path / "new" / "junit.xml"), faulty.url)
    script = (
        "import json; from junitparser import JUnitXml; x = JUnitXml.fromfile('new/junit.xml');"
        "print(json.dumps([[c.name, [r.message for r in c.result]] for s in x for c in s]));"
        "print(x.tests, x.failures, x.errors, [s.skipped for s in x])"
    )
    uv = ("run", "--quiet", "--isolated", "--no-project", "--with", "junitparser==5.0.3", "python", "-c", script)
    read = subprocess.run([orders / ".venv/bin/uv", *uv], cwd=tmp_path, check=True, capture_output=True, text=True)
    cases, counts = read.stdout.splitlines()

    assert counts == "20 1 0 [4]"
    assert json.loads(cases) == [
        [each["id"], [] if each["outcome"] == "pass" else [each["evidence"]]] for each in done.json["checks"]
    ]
    assert r"500: <b>&\x1b[31m" in done.evidence("livez")
    assert done.json["passed"] is False


def test_make_smoke_passes_what_it_is_given(orders: Path, service: Running, tmp_path: Path) -> None:
    report = tmp_path / "it's $x.xml"
    given = [f"URL={service.url}", "VERSION=0.1.0", "COMMIT=", "WAIT=5", f"JUNIT={report}"]
    done = subprocess.run(["make", "smoke", *given], cwd=orders, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "compared: name, version\n" in done.stdout
    assert report.stat().st_size > 1000
