"""Metrics in Prometheus form, exact over several workers, with labels that no caller can multiply.

Names are OpenTelemetry's semantic conventions for HTTP as Prometheus writes them. One histogram carries rate, errors
and latency of the API; the template's own routes are not in it.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, cast

from fastapi.routing import APIRoute, iter_route_contexts
from prometheus_client import (
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    PROCESS_COLLECTOR,
    REGISTRY,
    CollectorRegistry,
    Gauge,
    Histogram,
    ProcessCollector,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from . import slots
from .about import ABOUT, About
from .merging import Merged

# https://opentelemetry.io/docs/specs/semconv/http/http-metrics/#metric-httpserverrequestduration
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "QUERY"})
OTHER: Final = "_OTHER"
UNMATCHED: Final = "_UNMATCHED"

# Each latency objective is a bucket's edge, so that the share of requests within it is counted and not guessed.
DURATION = Histogram(
    "http_server_request_duration_seconds",
    "Duration of HTTP server requests, from the first byte of the application's work to the last byte of the answer.",
    ["http_request_method", "http_route", "http_response_status_code"],
    buckets=sorted({*_BUCKETS, *ABOUT.latency_edges_seconds}),
)
ACTIVE = Gauge("http_server_active_requests", "HTTP server requests in flight.", multiprocess_mode="livesum")
LIMIT = Gauge(
    "http_server_active_requests_limit",
    "HTTP server requests in flight past which further ones are refused, in all workers together.",
    multiprocess_mode="livesum",
)


class RequestSeries:
    """Finds the histogram's series of a request; each is looked up by its labels only once."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._routes: dict[tuple[int, int], tuple[str, Any, Any]] = {}
        self._series: dict[tuple[str, str, int], Callable[[float], None]] = {}

    def prepare(self) -> None:
        """Make every route's series of failures before the first failure.

        A counter that begins to exist with its first event shows Prometheus no increase: that event would be missed.
        """
        for route in iter_route_contexts(getattr(self._app, "routes", ())):
            if isinstance(route.original_route, APIRoute):
                for method in METHODS & (route.methods or set()):
                    DURATION.labels(method, str(route.path_format), "500")

    def observe(self, scope: Any, method: str, status: int, seconds: float) -> str:
        """Count one request; returns the route template it was counted under."""
        route = self.route(scope)
        try:
            series = self._series[method, route, status]
        except KeyError:
            series = DURATION.labels(self.method(method), route, str(status)).observe
            if method in METHODS:
                self._series[method, route, status] = series
        series(seconds)
        return route

    @staticmethod
    def method(given: str) -> str:
        """The method's name if it is a known one: callers may make up others."""
        return given if given in METHODS else OTHER

    def route(self, scope: Any) -> str:
        """The full template of the route that was matched, prefixes included; `_UNMATCHED` for none."""
        matched = scope.get("fastapi")
        if matched is not None:
            matched = matched.get("effective_route_context")
        if matched is None:
            matched = scope.get("route")
            if matched is None:
                return UNMATCHED
        app = scope.get("app")
        try:
            return self._routes[id(matched), id(app)][0]
        except KeyError:
            path = getattr(matched, "path_format", None) or getattr(matched, "path", None)
            template = UNMATCHED if path is None else _mount_prefix(self._app, app) + str(path)
            # The objects are kept, so that no other can get the same id.
            self._routes[id(matched), id(app)] = (template, matched, app)
            return template


def _mount_prefix(outer: Any, app: Any) -> str:
    """Template of the path under which `app` is mounted, at any depth, in `outer`; empty for `outer` itself."""
    for route in getattr(outer, "routes", ()):
        mounted = getattr(route, "app", None)
        if mounted is None or not hasattr(mounted, "routes") or not hasattr(route, "path_format"):
            continue
        path = str(route.path_format).removesuffix("/{path}")
        if mounted is app:
            return path
        if deeper := _mount_prefix(mounted, app):
            return path + deeper
    return ""


class _ServiceInfo(Collector):
    def __init__(self, about: About) -> None:
        labels = {
            "service_name": about.name,
            "service_version": about.version,
            "commit": about.commit or "",
            "template_version": about.template_version,
        }
        self._family = GaugeMetricFamily("service_info", "The running service and its versions.", labels=list(labels))
        self._family.add_metric(list(labels.values()), 1)

    def collect(self) -> Iterator[Metric]:
        yield self._family


class _Processes(Collector):
    """The library's process metrics for every living worker, whichever of them is asked."""

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        for worker in slots.living():
            one = ProcessCollector(pid=lambda pid=worker.pid: pid, registry=None)  # type: ignore[misc]
            for metric in one.collect():
                family = families.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
                for sample in metric.samples:
                    family.add_sample(sample.name, {**sample.labels, "worker": worker.slot}, sample.value)
        yield from families.values()


class Exposition:
    """Everything that this service exposes, merged over its workers."""

    def __init__(self, about: About) -> None:
        for builtin in (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
            if builtin in REGISTRY._collector_to_names:  # each would tell of the answering process alone
                REGISTRY.unregister(builtin)
        folder = slots.shared_folder()
        self._merged = Merged(folder) if folder is not None else None
        self._files: MultiProcessCollector | None = None
        if folder is not None:
            self._files = MultiProcessCollector(None, path=str(folder))  # type: ignore[no-untyped-call]
        self._about = _ServiceInfo(about)

    def render(self, accept: str) -> tuple[bytes, str]:
        """The exposition and its content type: Prometheus text, or OpenMetrics if `accept` asks for it."""
        encode, content_type = choose_encoder(accept)
        sums = self._merged.text(openmetrics="openmetrics" in content_type) if self._merged else None
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Together([self._values(all_kinds=sums is None), self._about, _Processes()]))
        return (sums or "").encode() + encode(registry), content_type

    def _values(self, *, all_kinds: bool) -> Collector:
        """The values of this process, or of the workers' files: all of them, or only gauges."""
        folder = slots.shared_folder()
        if self._files is None or folder is None:
            return REGISTRY
        return cast(Collector, self._files) if all_kinds else _Gauges(folder)


class _Gauges(Collector):
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        files = [str(path) for path in self._folder.glob("gauge_*.db")]
        yield from MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]


class _Together(Collector):
    def __init__(self, parts: list[Collector]) -> None:
        self._parts = parts

    def collect(self) -> Iterator[Metric]:
        for part in self._parts:
            yield from part.collect()
