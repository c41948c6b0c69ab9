"""The runbook's commands and queries, executed on services that run, with the real Prometheus and the real kubectl."""

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from ops.slo import alerts, rules, text

from tests.conftest import installed
from tests.debian import program
from tests.services import TOKEN, Running, clean_environment, serving, until
from tests.slo.history import DAY, Past, Writer, recalled
from tests.slo.prometheus import Prometheus, alertmanager, prometheus
from tests.slo.specs import parsed
from tests.slo.test_runbook import EXPORTED, fences, selectors

pytestmark = pytest.mark.slow

OWNER = Path(__file__).parents[1] / "owners" / "watched"
# What the reader has found before: names of pods, nodes and the like.
FOUND = {
    name: f"some-{name.lower()}"
    for name in ("NAMESPACE", "POD", "NODE", "JOB", "CRONJOB", "CLAIM", "CERTIFICATE", "SECRET", "DEPENDENCY_HOST")
}
# What each command under "Commands" says, or a part of it.
SAYS = {
    "app health": "/livez: 200\n",
    "app health --ready": "/readyz: 200\n",
    "app version": "orders 0.1.0 (commit ",
    'curl -sS "$URL/version"': '"name":"orders","version":"0.1.0"',
    'curl -sS -H "Authorization: Bearer $TOKEN" "$URL/status"': '"phase":"serving"',
    'curl -sS "$URL/metrics" | grep -E '
    "'^(http_server_active_requests|process_resident_memory_bytes|process_open_fds)'": "active_requests_limit 256.0\n",
    'curl -sS -X PUT -H "Authorization: Bearer $TOKEN" -d \'{"logger": "httpx2", "level": "DEBUG", "seconds": 300}\' '
    '"$URL/status/log-levels"': '{"log_levels":{"httpx2":{"level":"DEBUG","seconds_left":',
    'curl -sS -H "Authorization: Bearer $TOKEN" "$URL/status/log-levels"': '"httpx2"',
    'curl -sS -X DELETE -H "Authorization: Bearer $TOKEN" "$URL/status/log-levels"': '{"log_levels":{}}',
    "app config": "status.tokens",
    "app config --check": "",
    "app config --reference markdown": "| `APP_LIMITS__CONCURRENT_REQUESTS` | `limits.concurrent_requests` |",
    "app personal-data": "| Settings | status.tokens | secret |",
    'NEW=$(python3 -c "import secrets; print(secrets.token_urlsafe(32))")': "",
    'echo "$NEW"': "",
    "printf 'sha256:%s\\n' \"$(printf %s \"$NEW\" | sha256sum | cut -d ' ' -f 1)\"": "sha256:",
    'make smoke URL="$URL"': "passed",
    'make slo-report PROMETHEUS="$PROMETHEUS"': "slo-report.md",
    'make silence ALERTMANAGER="$ALERTMANAGER" MINUTES=20': "-",
}


SPARED = 5  # queries about what a service in the tests is spared, or is too young for
# The real kubectl, which finds no server, and what a cluster might say, so that what follows in a pipe goes on.
KUBECTL = """#!/bin/bash
out=$("$REAL" --kubeconfig /dev/null --server http://127.0.0.1:9 --request-timeout 1s "$@" 2>"$SAID.$$")
echo "$* -> $? $(tail -n 1 "$SAID.$$")" >>"$SAID"
echo "${out:-some-name}"
"""


@dataclass(frozen=True)
class Seen:
    """What was seen of a service in trouble: its log, and Prometheus, which has scraped it."""

    page: str
    log: Path
    prometheus: Prometheus
    exported: set[str]
    until: float  # Unix time, in seconds, until which it ran


def bash(command: str, cwd: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", "-uc", command],
        cwd=cwd,
        env=clean_environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def queries(text: str) -> list[str]:
    """Those of a runbook that exporters do not answer."""
    exporters = {re.split("[{ ]", series)[0] for series in EXPORTED}
    return [query for query in fences(text, "promql") if not exporters & {one.name for one in selectors(query)}]


def silent(server: Prometheus, asked: list[str]) -> list[str]:
    """Queries without data."""
    return [query for query in asked if not server.query(query)]


def page(project: Path) -> str:
    return (project / "docs/runbook.md").read_text("utf-8")


@pytest.fixture(scope="module")
def watched(shared: Path, source: Path) -> Path:
    """A service with dependencies, one up and one down, and routes that fail, are slow, block and call others."""
    return installed(shared / "watched", source, owner=OWNER)


@pytest.fixture(scope="module")
def seen(watched: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """A service that fails, times out, blocks and loses a worker, watched for some seconds."""
    folder = tmp_path_factory.mktemp("seen")
    known = parsed((watched / "slo.yaml").read_text("utf-8"))
    groups = [*(group for each in known.objectives for group in rules.groups(known, each)), alerts.group(known)]
    limit, files = (
        {"APP_LIMITS__REQUEST_SECONDS": "1", "APP_BUILD__COMMIT": "c" * 40},
        {"rules.yaml": text.dump({"groups": groups})},
    )
    with prometheus(folder, {"watched": []}, files) as server, serving(watched, "--workers", "2", env=limit) as service:
        server.scrape("watched", [f"127.0.0.1:{service.port}"])
        with calling(service, "orders/1", "checkout", "search?seconds=5", "block", "ask"):
            until(lambda: server.query('http_server_active_requests{job="watched"}'), "a scrape", 20)
            os.kill(next(iter(service.workers().values())), signal.SIGKILL)
            until(lambda: service.logged(event="request timed out"), "a time-out", 20)
            with suppress(AssertionError):  # a test tells what is still missing
                until(lambda: len(silent(server, queries(page(watched)))) <= SPARED, "data for each query", 60)
        exported = set(re.findall(r"^# TYPE (\S+) ", service.get("/metrics").text, re.MULTILINE))
        exported |= set(server.label_values("__name__", '{job="watched"}'))
        ended = time.time()
        service.stop()
        (folder / "log").write_bytes(b"".join(service.lines))
        yield Seen(page(watched), folder / "log", server, exported, ended)


@contextmanager
def calling(service: Running, *paths: str) -> Iterator[None]:
    """Ask for these again and again."""
    stopped = threading.Event()

    def call(url: str) -> None:
        while not stopped.wait(0.2):
            with suppress(httpx2.TransportError):
                httpx2.get(url, timeout=10)

    callers = [threading.Thread(target=call, args=(f"{service.url}/v1/{path}",)) for path in paths]
    for caller in callers:
        caller.start()
    try:
        yield
    finally:
        stopped.set()
        for caller in callers:
            caller.join()


@pytest.fixture(scope="module")
def yesterday(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prometheus that remembers two hours of yesterday."""
    past, midnight = Past(), int(time.time()) // DAY * DAY
    writer = Writer(past)
    for objective in ("availability", "latency"):
        past.record(objective, midnight - 7200, midnight - 60, total=10, error=0.01)
    for minute in range(midnight - 7200, midnight, 60):
        writer.serve(100, errors=0.01, slow=0.01)
        writer.scrape(minute, "0.1.0")
    with recalled(past, tmp_path_factory.mktemp("yesterday") / "prometheus") as url:
        yield url


def test_the_management_commands_do_what_they_are_for(orders: Path, yesterday: str, tmp_path: Path) -> None:
    """Executed one after the other in one shell, as somebody would."""
    commands = page(orders).partition("\n## Commands\n")[2].partition("\n### On the cluster\n")[0]
    lines = [line for block in fences(commands, "console") for line in block.splitlines()]
    script = "\n".join(f"{{ {line}; }} >{tmp_path}/{number} || exit {number}" for number, line in enumerate(lines, 1))
    nobody = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"
    with serving(orders) as service, alertmanager(tmp_path / "alertmanager", nobody) as manager:
        done = bash(
            script,
            orders,
            PATH=f"{orders}/.venv/bin:{os.environ['PATH']}",
            APP_HOST="127.0.0.1",
            APP_PORT=str(service.port),
            APP_STATUS__TOKENS=json.dumps([TOKEN]),
            URL=service.url,
            TOKEN=TOKEN,
            PROMETHEUS=yesterday,
            ALERTMANAGER=manager.url,
        )
        silences = [each["matchers"] for each in manager.silences()]
    reports = [(orders / f"slo-report.{form}").read_text("utf-8") for form in ("md", "html")]
    for form in ("md", "html"):
        (orders / f"slo-report.{form}").unlink()  # the service is other tests', too
    said = [(tmp_path / str(number)).read_text("utf-8") for number in range(1, len(lines) + 1)]

    assert lines == list(SAYS)
    assert done.returncode == 0, f"{lines[done.returncode - 1]}: {done.stderr}"
    assert [line for line, text in zip(lines, said, strict=True) if SAYS[line] not in text] == []
    assert re.fullmatch(r"sha256:[0-9a-f]{64}\n", said[15])
    assert {one["name"]: one["value"] for one in silences[0]} == {"service": "orders", "muted_by_deployment": "true"}
    assert [each.splitlines()[0] for each in reports] == ["# orders: service level objectives", "<!doctype html>"]


def test_a_new_token_is_one_that_the_service_takes(orders: Path) -> None:
    """As the runbook's commands make it: the first line for callers, the second for the service."""
    block = next(each for each in fences(page(orders), "console") if each.startswith("NEW="))
    token, digest = bash(block, orders).stdout.splitlines()
    with serving(orders, env={"APP_STATUS__TOKENS": json.dumps([digest])}) as service:
        answer = service.get("/status", headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 200


def test_every_command_for_the_cluster_is_one_that_kubectl_takes(orders: Path, tmp_path: Path) -> None:
    """The real kubectl reads each, and fails only because no server answers it."""
    for name in ("kubectl", "curl", "openssl", "cmctl", "sleep", "xargs"):
        (tmp_path / name).write_text(KUBECTL if name == "kubectl" else "#!/bin/sh\n", "utf-8")
        (tmp_path / name).chmod(0o755)
    blocks = {block for block in fences(page(orders), "console") if "kubectl" in block}
    variables = {**FOUND, "DEPENDENCY_PORT": "5432", "REQUEST_ID": "1", "TOKEN": "t", "PUBLIC_URL": "http://127.0.0.1"}
    variables |= {"REAL": str(program("kubectl", "kubectl")), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    make = "openssl req -x509 -newkey ed25519 -nodes -subj /CN=a -keyout tls.key -out tls.crt"
    subprocess.run(make.split(), cwd=tmp_path, check=True, capture_output=True)
    for block in sorted(blocks):
        done = bash(block, tmp_path, **variables, SAID=str(tmp_path / "said"))

        assert "unbound variable" not in done.stderr, block
    said = (tmp_path / "said").read_text("utf-8").splitlines()

    assert len(said) > 75
    assert [each for each in said if not re.search(r"-> (0 |.*connection refused|.*was refused)", each)] == []


def test_every_search_of_the_log_finds_what_it_is_for(seen: Seen, tmp_path: Path) -> None:
    """In the log of a service that has failed in all these ways."""
    searches = [line for block in fences(seen.page, "console") for line in block.splitlines() if " logs " in line]
    piped = sorted({line for line in searches if "| grep" in line})
    request = re.search(r'"request_id":"(\w+)"', seen.log.read_text("utf-8"))
    assert request

    prelude = f"kubectl() {{ cat {seen.log}; }}\n"
    found = {line: bash(prelude + line, tmp_path, **FOUND, REQUEST_ID=request[1]).stdout for line in piped}
    together = "".join(found.values())

    assert len(found) == 10
    assert [line for line, text in found.items() if not text.strip()] == []
    events = {name for each in re.findall(r'"event":"\(?([a-z |]+)\)?"', "".join(piped)) for name in each.split("|")}
    assert events == {"service started", "draining", "dependency check changed"}
    for event in (*events, "unhandled exception", "request timed out"):
        assert f'"event":"{event}"' in together, event
    assert "was sent SIGKILL! Perhaps out of memory?" in together
    assert re.search(r"^[0-9.]+ /v1/search [0-9a-f]{32}$", together, re.MULTILINE)


def test_every_query_is_answered_and_those_about_the_service_with_data(seen: Seen) -> None:
    """But for those about what the service was spared, or was too young for."""
    answers = {query: seen.prometheus.query(query, seen.until) for query in queries(seen.page)}
    missing = [query for query, found in answers.items() if not found]
    spared = re.compile(r"offset 1w|log_records_dropped_total.* > 0|=~\"401\|403\"")

    assert len(answers) >= 36
    assert len(missing) == SPARED
    assert [query for query in missing if not spared.search(query)] == []
    for query, found in answers.items():
        named = {name for labels in re.findall(r"by \(([^)]+)\)", query) for name in labels.split(", ")} - {"le"}

        assert not found or named <= {label for each in found for label in each.labels}, query


def test_every_metric_is_one_that_the_service_its_rules_or_a_named_exporter_has(seen: Seen) -> None:
    exporters = {re.split("[{ ]", series)[0] for series in EXPORTED}
    records = set(seen.prometheus.label_values("__name__", '{sloth_service="watched"}'))
    named = {one.name for query in fences(seen.page, "promql") for one in selectors(query)}

    assert len(named) > 40
    assert named - exporters - records - seen.exported == set()
