"""Faults of a release, each one thing that a proxy in front of the real service changes."""

from collections.abc import Callable

from tests.services import TOKEN
from tests.smoke.faulty import Exchange, Fault

# The checks that pass at a healthy service's own address, over http.
GREEN = {
    "livez",
    "readyz",
    "version",
    "status-closed",
    "status",
    "metrics",
    "metrics-count",
    "request: the VAT rate of a country",
    "request: a quote",
    "unknown-path",
    "request-id",
    "documentation",
    "protecting-headers",
    "body-limit",
    "leaking-headers",
    "stack-traces",
}


def on(*paths: str, method: str = "GET") -> Callable[[Fault], Fault]:
    """Make a fault of these paths alone."""

    def limit(fault: Fault) -> Fault:
        def limited(exchange: Exchange) -> None:
            if exchange.method == method and exchange.path in paths:
                fault(exchange)

        return limited

    return limit


def answering(status: int, body: str, kind: str = "application/json") -> Fault:
    return lambda exchange: exchange.set(status, body.encode(), kind)


def with_header(name: str, value: str) -> Fault:
    return lambda exchange: exchange.headers.update({name: value})


def without_header(name: str) -> Fault:
    return lambda exchange: (exchange.headers.pop(name, None), None)[1]


def replacing(old: str, new: str) -> Fault:
    def replace(exchange: Exchange) -> None:
        assert old.encode() in exchange.body
        exchange.body = exchange.body.replace(old.encode(), new.encode())

    return replace


class SecondConnection:
    """Who answers on the second connection, and on no other, is another one."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.connections: list[object] = []

    def __call__(self, exchange: Exchange) -> None:
        if exchange.connection not in self.connections:
            self.connections.append(exchange.connection)
        if self.connections.index(exchange.connection) == 1:
            self.fault(exchange)


class Cached:
    """The first answer, again and again."""

    def __init__(self) -> None:
        self.body: bytes | None = None

    def __call__(self, exchange: Exchange) -> None:
        self.body = exchange.body = self.body or exchange.body


def bad_id_sent_back(exchange: Exchange) -> None:
    exchange.headers["x-request-id"] = exchange.sent.get("x-request-id", "none")


def id_of_its_own(exchange: Exchange) -> None:
    exchange.sent["x-request-id"] = "made-by-the-gateway"


def status_without_token(exchange: Exchange) -> None:
    if "authorization" not in exchange.sent:
        exchange.set(200, b'{"status":"pass"}')


def status_for_everybody(exchange: Exchange) -> None:
    exchange.sent["authorization"] = f"Bearer {TOKEN}"


def status_for_any_token(exchange: Exchange) -> None:
    if "authorization" in exchange.sent:
        exchange.sent["authorization"] = f"Bearer {TOKEN}"


def status_for_nobody(exchange: Exchange) -> None:
    exchange.sent["authorization"] = "Bearer another-token-entirely"


def swallowing(exchange: Exchange) -> None:
    if exchange.sent.get("expect"):
        exchange.set(404, b"{}")


TRACE = 'Traceback (most recent call last):\n  File "/app/shop.py", line 7, in quote\nKeyError: 1'
IN_DETAIL = replacing('"status":404', '"status":404,"detail":"in /app/.venv/lib/python3.13/site-packages/x.py"')
UNKNOWN = on("/v1/no-such-path")
STATUS = on("/status", "/status/log-levels")

# Each: the check that turns red, what it tells, and the fault, in the answer or ("before") in the request.
FAULTS: dict[str, tuple[str, str, Fault]] = {
    "it does not live": ("livez", "GET /livez answered 500", on("/livez")(answering(500, "{}"))),
    "it is not ready": ("readyz", '503: {"status":"fail"}', on("/readyz")(answering(503, '{"status":"fail"}'))),
    "another version": ("version", "is '9.9.9'", on("/version")(replacing('"0.1.0"', '"9.9.9"'))),
    "another service": ("version", "name is 'shop'", on("/version")(answering(200, '{"name": "shop"}'))),
    "an old instance": ("version", "instances differ", on("/version")(SecondConnection(replacing("0.1.0", "0.0.9")))),
    "open status": ("status-closed", "GET /status answered 200", on("/status")(status_without_token)),
    "open log levels": ("status-closed", "/log-levels answered 200", on("/status/log-levels")(answering(200, "{}"))),
    "metrics are gone": ("metrics", "GET /metrics answered 404", on("/metrics")(answering(404, "{}"))),
    "metrics of another": ("metrics", "tells of shop 0.1.0", on("/metrics")(replacing('"orders"', '"shop"'))),
    "metrics of another version": ("metrics", "tells of orders 7", on("/metrics")(replacing('"0.1.0"', '"7"'))),
    "no service_info": ("metrics", "service_info is there 0 times", on("/metrics")(replacing("service_info{", "x{"))),
    "no histogram": ("metrics", "no histogram", on("/metrics")(replacing("server_request_duration", "x"))),
    "metrics are a page": ("metrics", "GET /metrics answered", on("/metrics")(answering(200, "<html>", "text/html"))),
    "metrics are text": ("metrics", "no metrics: 'hello'", on("/metrics")(answering(200, "hello", "text/plain"))),
    "stale metrics": ("metrics-count", "the count stayed at", on("/metrics")(Cached())),
    "another rate": (
        "request: the VAT rate of a country",
        "the answer.percent is 26, and 25 is wanted",
        on("/v1/vat-rates/NO")(replacing(":25", ":26")),
    ),
    "no quotes": ("request: a quote", "502", on("/v1/quotes", method="POST")(answering(502, "<html>"))),
    "bare errors": ("unknown-path", "as text/plain", UNKNOWN(answering(404, "not found", "text/plain"))),
    "errors of another": ("unknown-path", "request id", UNKNOWN(replacing('"request_id":"', '"request_id":"x'))),
    "bad ids come back": ("request-id", "which is not allowed, came back", bad_id_sent_back),
    "no documentation": ("documentation", "answered 404", on("/openapi.json")(answering(404, "{}"))),
    "it documents itself": ("documentation", "tells of /livez", on("/openapi.json")(replacing("/v1/quotes", "/livez"))),
    "answers are stored": ("protecting-headers", "GET /status may be stored", STATUS(without_header("cache-control"))),
    "no body limit": ("body-limit", "was answered 'HTTP/1.1 404", swallowing),
    "a version in Server": ("leaking-headers", "server: x/1.2", with_header("server", "x/1.2")),
    "uvicorn in Server": ("leaking-headers", "server: uvicorn", UNKNOWN(with_header("server", "uvicorn"))),
    "X-Powered-By": ("leaking-headers", "x-powered-by: Express", with_header("x-powered-by", "Express")),
    "a stack trace": ("stack-traces", "Traceback", on("/v1/no-such-path", method="PATCH")(answering(500, TRACE))),
    "a path of the inside": ("stack-traces", "/site-packages/", UNKNOWN(IN_DETAIL)),
}
FAULTS_BEFORE: dict[str, tuple[str, str, Fault]] = {
    "status for everybody": ("status-closed", "GET /status answered 200", STATUS(status_for_everybody)),
    "status for any token": ("status-closed", "GET /status answered 200", STATUS(status_for_any_token)),
    "status for nobody": ("status", "GET /status answered 401", STATUS(status_for_nobody)),
    "ids of the gateway's": ("request-id", "came back as ['made-by-the-gateway']", id_of_its_own),
}
