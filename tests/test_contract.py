"""The contract's routes, word for word, on a service that runs as in production."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import httpx2
import pytest

from tests.services import TOKEN, Running, serving, until

pytestmark = pytest.mark.slow
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def service(probes: Path) -> Iterator[Running]:
    with serving(probes) as running:
        yield running


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_probes_are_open_and_terse(service: Running, path: str) -> None:
    answer = service.get(path)

    assert (answer.status_code, answer.json()) == (200, {"status": "pass"})


def test_version_tells_name_version_commit_and_build_time(probes: Path) -> None:
    built = {"APP_BUILD__COMMIT": "abc123", "APP_BUILD__TIME": "2026-01-31T12:00:00Z"}
    with serving(probes, env=built) as service:
        answer = service.get("/version")

    assert answer.json() == {
        "name": "probes",
        "version": "0.1.0",
        "commit": "abc123",
        "build_time": "2026-01-31T12:00:00Z",
    }


def test_status_with_a_token_tells_versions_uptime_workers_and_checks(service: Running) -> None:
    answer = service.get("/status", headers=BEARER)
    document = answer.json()

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/health+json"
    assert document["status"] == "pass"
    assert document["serviceId"] == "probes"
    assert document["releaseId"] == "0.1.0"
    assert document["uptime_seconds"] > 0
    assert document["workers"] == [{"worker": "0", "pid": service.process.pid, "ready": True}]
    (check,) = document["checks"]["store"]
    assert check["status"] == "pass"
    assert check["age_seconds"] < 5
    assert check["observedUnit"] == "ms"


@pytest.mark.parametrize("given", [None, "Bearer", "Bearer wrong-token-of-some-length", f"Basic {TOKEN}", TOKEN])
def test_status_without_or_with_a_wrong_token_is_401_with_a_challenge(service: Running, given: str | None) -> None:
    answer = service.get("/status", headers={"Authorization": given} if given else {})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith('Bearer realm="status"')
    assert answer.headers["content-type"] == "application/problem+json"


def test_status_is_403_with_a_reason_when_no_token_is_configured(probes: Path) -> None:
    with serving(probes, env={"APP_STATUS__TOKENS": "[]"}) as service:
        answers = [service.get("/status"), service.get("/status", headers=BEARER)]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert "APP_STATUS__TOKENS" in answers[0].json()["detail"]


def test_two_tokens_are_valid_at_once_and_one_may_be_a_hash(probes: Path) -> None:
    hashed = f"sha256:{sha256(b'the-next-token-1234').hexdigest()}"
    with serving(probes, env={"APP_STATUS__TOKENS": f'["{TOKEN}", "{hashed}"]'}) as service:
        tokens = [TOKEN, "the-next-token-1234", hashed]
        statuses = [service.get("/status", headers={"Authorization": f"Bearer {each}"}).status_code for each in tokens]

    assert statuses == [200, 200, 401]


def test_tokens_may_come_from_a_secret_file_one_a_line(probes: Path, tmp_path: Path) -> None:
    (tmp_path / "APP_STATUS__TOKENS").write_text("first-token-of-the-file\nsecond-token-of-the-file\n")
    with serving(probes, env={"APP_SECRETS_DIR": str(tmp_path)}) as service:  # the variable still wins
        assert service.get("/status", headers=BEARER).status_code == 200
    with serving(probes, env={"APP_SECRETS_DIR": str(tmp_path), "APP_STATUS__TOKENS": ""}, ready=False) as service:
        assert service.wait() == 78


def test_readiness_follows_a_critical_check_and_liveness_does_not(probes: Path, tmp_path: Path) -> None:
    switch = tmp_path / "there"
    switch.touch()
    with serving(probes, env={"PROBE_FILE": str(switch)}) as service:
        switch.unlink()
        until(lambda: service.get("/readyz").status_code == 503, "not ready")
        while_down = service.get("/readyz"), service.get("/livez"), service.get("/status", headers=BEARER)
        metric = service.metric("dependency_up")
        switch.touch()
        until(lambda: service.get("/readyz").status_code == 200, "ready again")

    assert [answer.status_code for answer in while_down] == [503, 200, 503]
    assert while_down[0].json() == {"status": "fail"}
    assert metric == {'dependency_up{dependency="store"}': 0}


def test_a_hanging_dependency_delays_no_probe_and_no_request(probes: Path) -> None:
    with serving(probes, env={"PROBE_HANG": "1"}) as service:
        until(lambda: "output" in service.status()["checks"]["slowpoke"][0], "the check's first failure")
        slowest = max(service.get(path).elapsed.total_seconds() for path in ["/livez", "/readyz", "/v1/items/a"] * 10)
        output = service.status()["checks"]["slowpoke"][0]["output"]

    assert slowest < 0.2
    assert output in ("timed out after 0.2 s", "the last run of the probe has not ended")


def test_operational_routes_are_not_in_the_openapi_document(service: Running) -> None:
    paths = service.get("/openapi.json").json()["paths"]

    assert "/v1/items/{item}" in paths
    assert not set(paths) & {"/livez", "/readyz", "/status", "/metrics", "/version"}


def test_operational_routes_are_neither_in_the_slis_nor_in_the_access_log(probes: Path) -> None:
    with serving(probes) as service:
        for path in ("/livez", "/readyz", "/status", "/metrics", "/version", "/v1/items/a"):
            service.get(path)
        counted = service.metric("http_server_request_duration_seconds_count")
        service.stop()

    assert [value for value in counted.values() if value] == [1]
    assert [line["http_route"] for line in service.logged(event="request")] == ["/v1/items/{item}"]


def test_metrics_come_as_prometheus_text_or_openmetrics(service: Running) -> None:
    plain = service.get("/metrics")
    open_metrics = service.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})

    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert open_metrics.headers["content-type"].startswith("application/openmetrics-text")
    assert open_metrics.text.endswith("# EOF\n")


@pytest.mark.parametrize("path", ["/livez", "/status", "/metrics", "/version"])
def test_only_get_and_head_are_known_to_operational_routes(service: Running, path: str) -> None:
    refused = httpx2.post(service.url + path)
    head = httpx2.head(service.url + path, headers=BEARER)

    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    assert (head.status_code, head.content) == (200, b"")


def test_every_answer_carries_the_request_id(service: Running) -> None:
    paths = ["/livez", "/readyz", "/status", "/metrics", "/version", "/v1/items/a", "/v1/crash", "/nowhere"]
    answers = [service.get(path, headers={"X-Request-ID": "order-4711.A_b"}) for path in paths]

    assert {answer.headers["x-request-id"] for answer in answers} == {"order-4711.A_b"}
