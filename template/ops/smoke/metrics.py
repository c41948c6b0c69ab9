"""Checks of the metrics."""

import re

from .client import Answer
from .outcome import Failed, Skipped
from .target import Target

HISTOGRAM = "http_server_request_duration_seconds"
_SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? (\S+)').match
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_MOST = 2**24
_TRIES = 5

Sample = tuple[str, dict[str, str], float]


def present(target: Target) -> str:
    """Metrics name this service, and have the histogram that rate, errors and latency come from."""
    target.get(target.plan.unknown_path)  # a service that nobody has asked anything has no series yet
    answer, samples = _scraped(target)
    _info_is_right(target, samples)
    ends = sum(value for name, labels, value in samples if name == f"{HISTOGRAM}_bucket" and labels.get("le") == "+Inf")
    if f"# TYPE {HISTOGRAM} histogram" not in answer.text or not ends:
        raise Failed(f"there is no histogram {HISTOGRAM}, or nothing in it")
    if ends != _count(samples):
        raise Failed(f"{HISTOGRAM}: {ends:g} requests in buckets, {_count(samples):g} counted")
    return f"{len(samples)} samples; {HISTOGRAM} has {ends:g} requests"


def counted(target: Target) -> str:
    """A request is counted as soon as it is answered."""
    for _ in range(_TRIES):
        before, asked, after = _around(target)
        if _instance(before) == _instance(after):
            grown = _count(after) - _count(before)
            if grown < 1:
                raise Failed(f"{asked.asked} was answered {asked.status}, and the count stayed at {_count(after):g}")
            return f"{_count(before):g} requests, and {_count(after):g} after one more"
    raise Skipped("each scrape was answered by another instance; ask one instance by its own address")


def _around(target: Target) -> tuple[list[Sample], Answer, list[Sample]]:
    """A request, and the samples before and after it."""
    try:
        before, asked = _scraped(target)[1], target.get(target.plan.unknown_path)
        after = _scraped(target)[1]
    except Failed as failed:
        raise Skipped(f"there is nothing to count with: {failed}") from None
    if not any(name == f"{HISTOGRAM}_count" for name, _, _ in after):
        raise Skipped(f"there is nothing to count with: no {HISTOGRAM}")
    return before, asked, after


def _scraped(target: Target) -> tuple[Answer, list[Sample]]:
    answer = target.client.ask("GET", "/metrics", most=_MOST)
    if answer.status != 200 or answer.media_type not in ("text/plain", "application/openmetrics-text"):
        raise Failed(answer.told)
    if not answer.whole:
        raise Failed(f"more than {_MOST:,} bytes: too many series")
    lines = (line for line in answer.text.splitlines() if line and not line.startswith("#"))
    try:
        return answer, [_sample(line) for line in lines]
    except ValueError as error:
        raise Failed(f"no metrics: {error}") from None


def _sample(line: str) -> Sample:
    match = _SAMPLE(line)
    if match is None:
        raise ValueError(repr(line[:80]))
    return match[1], dict(_LABEL.findall(match[2] or "")), float(match[3])


def _info_is_right(target: Target, samples: list[Sample]) -> None:
    infos = [labels for name, labels, _ in samples if name == "service_info"]
    if len(infos) != 1:
        raise Failed(f"service_info is there {len(infos)} times, and must be once")
    found = (infos[0].get("service_name"), infos[0].get("service_version"))
    deployed = target.get("/version").document()
    # Either will do: that the deployed version is not the wanted one is for another check to say.
    versions = {str(deployed.get("version")), target.wanted.version or str(deployed.get("version"))}
    if found[0] not in {deployed.get("name"), target.plan.service} or found[1] not in versions:
        raise Failed(f"service_info tells of {found[0]} {found[1]}, and /version of {deployed.get('name')} {versions}")


def _count(samples: list[Sample]) -> float:
    return sum(value for name, _, value in samples if name == f"{HISTOGRAM}_count")


def _instance(samples: list[Sample]) -> list[Sample]:
    """What tells one instance from others: when its processes began."""
    return sorted((s for s in samples if s[0] == "process_start_time_seconds"), key=lambda s: s[1].get("worker", ""))
