"""All checks, in the order in which they are made."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from . import api, certificates, leaks, limits, metrics, probes, status
from .plan import Plan
from .target import Target

Where = Literal["everywhere", "https", "inside", "gateway"]


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        id: how it is called in reports, and under `skip` in smoke.yaml.
        proves: what holds if it passes.
        run: returns the evidence; raises `Failed` with it, or `Skipped` with the reason.
        remedy: what to look at if it fails.
        where: at which addresses it is made; "inside" is the service's own, "gateway" the published one.
    """

    id: str
    proves: str
    run: Callable[[Target], str]
    remedy: str
    where: Where = "everywhere"


REQUEST = "request"

CHECKS = (
    Check(
        "tls-certificate",
        "the certificate's chain, host and dates are right, and it does not end soon",
        certificates.certificate,
        "renew it, or see why cert-manager did not; a CA of your own: --ca FILE",
        "https",
    ),
    Check(
        "tls-version",
        "TLS is 1.2 or newer",
        certificates.version,
        "let the gateway speak TLS 1.2 and 1.3 only",
        "https",
    ),
    Check("hsts", "browsers stay with https", certificates.strict_transport, "", "https"),
    Check(
        "livez",
        "the process answers",
        probes.livez,
        "look at the log and the pods' restarts; is this the service's own address?",
        "inside",
    ),
    Check(
        "readyz",
        "the service takes requests",
        probes.readyz,
        "ask /status with a token, or the log for 'dependency check changed'; --wait SECONDS lets it start",
        "inside",
    ),
    Check(
        "version",
        "what answers is what was deployed, on every instance",
        probes.version,
        "is the rollout complete, and of the right image? --wait SECONDS waits for it",
        "inside",
    ),
    Check(
        "not-published",
        "operational routes are not reachable at the gateway",
        probes.not_published,
        "publish the API's paths only in the gateway's route",
        "gateway",
    ),
    Check(
        "status-closed",
        "nobody reads the status without a valid token",
        status.closed,
        "does something in front answer in the service's place, or add a token?",
        "inside",
    ),
    Check(
        "status",
        "who has the token reads the status",
        status.answers,
        "compare the token with APP_STATUS__TOKENS of this environment; what the status says is in its checks",
        "inside",
    ),
    Check(
        "metrics",
        "metrics name this service, and have the histogram of the SLIs",
        metrics.present,
        "look at /metrics: does the service answer, or something in front of it?",
        "inside",
    ),
    Check(
        "metrics-count",
        "a request is counted as soon as it is answered",
        metrics.counted,
        "does a cache answer /metrics? Is the folder of the workers' metrics (APP_METRICS__DIR) writable?",
        "inside",
    ),
    Check(
        REQUEST,
        "a real request of the API is answered as its owner expects",
        api.no_request,
        "search the log for the request id; if the API has changed, change smoke.yaml",
    ),
    Check(
        "unknown-path",
        "errors are problem documents that name the request",
        api.unknown_path,
        "does the service answer, or something in front? unknown_path in smoke.yaml must be one that passes it",
    ),
    Check(
        "request-id",
        "a caller's request id is kept, one that is not allowed is replaced",
        api.request_id,
        "let the gateway pass X-Request-ID on as it is",
    ),
    Check(
        "documentation",
        "the API's documentation is there, or not, as wanted",
        api.documentation,
        "docs_url, redoc_url and openapi_url in create_app, or documentation in smoke.yaml",
    ),
    Check(
        "protecting-headers",
        "headers that protect are set",
        api.headers,
        "what takes them away in front? Those of smoke.yaml are yours to set, in create_app or the gateway",
    ),
    Check(
        "body-limit",
        "a body that is too large is refused",
        limits.body,
        "limits.request_body_bytes; in front: a limit of the gateway, and no buffering",
    ),
    Check(
        "leaking-headers",
        "headers do not tell which software answers",
        leaks.leaking_headers,
        "let the gateway remove them (Server, X-Powered-By)",
    ),
    Check(
        "stack-traces",
        "errors tell nothing of the code",
        leaks.stack_traces,
        "no debug=True in create_app; search the log for the request id",
    ),
)


def ids() -> list[str]:
    """What may stand under `skip` in smoke.yaml."""
    return [check.id for check in CHECKS]


def checks(plan: Plan) -> list[Check]:
    """All checks, with one for each of the owner's requests."""
    found = []
    for check in CHECKS:
        if check.id == REQUEST and plan.requests:
            found += [
                replace(check, id=f"{REQUEST}: {each.name}", run=partial(api.request, wanted=each))
                for each in plan.requests
            ]
        else:
            found.append(check)
    return found
