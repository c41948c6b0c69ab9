"""Sends the load, with Locust. Importing this makes sockets and threads gevent's: a process of its own must do it."""

# ruff: noqa: E402 - nothing may be imported before the patch
from gevent import monkey

monkey.patch_all()

import logging
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from locust import FastHttpUser, LoadTestShape, constant, events, task
from locust.env import Environment
from locust.html import get_html_report
from locust.stats import StatsEntry, stats_history
from ops.smoke.masking import Masks
from ops.smoke.matching import difference
from ops.smoke.plan import ANYTHING, Request

from .figures import Figures, Outcome, missed
from .plan import Plan, Stage, Turns

_MOST_FAILURES = 10
_WAIT_SECONDS = 10.0


def run(plan: Plan, profile: str, url: str, masks: Masks, html: Path | None = None) -> Outcome:
    """Send a profile's load to a base address, and measure. `html`: where Locust's own report goes."""
    logging.getLogger("locust").setLevel(logging.ERROR)
    stages = plan.profiles[profile]
    environment = Environment(user_classes=[_user(plan, url, masks)], shape_class=_shape(stages), events=events)
    environment.stop_timeout = _WAIT_SECONDS
    runner = environment.create_local_runner()
    history = runner.greenlet.spawn(stats_history, runner)
    began = time.monotonic()
    runner.start_shape()
    runner.shape_greenlet.join(timeout=sum(stage.seconds for stage in stages) + 3 * _WAIT_SECONDS)
    runner.quit()
    seconds = time.monotonic() - began
    history.kill()
    if html is not None:
        html.write_text(masks.hidden(get_html_report(environment)), "utf-8")
    stats = environment.stats
    total = _figures(stats.total, "all")
    failures = {
        masks.excerpt(f"{each.method} {each.name}: {each.error}"): each.occurrences
        for each in sorted(stats.errors.values(), key=lambda each: -each.occurrences)[:_MOST_FAILURES]
    }
    each = [_figures(entry, entry.name) for entry in sorted(stats.entries.values(), key=lambda entry: entry.name)]
    return Outcome(url, profile, seconds, total, each, failures, missed(total, plan.thresholds))


def _figures(entry: StatsEntry, name: str) -> Figures:
    percentiles = {f"p{share}_ms": float(entry.get_response_time_percentile(share / 100)) for share in (50, 95, 99)}
    return Figures(name, entry.num_requests, entry.num_failures, round(entry.total_rps, 3), percentiles)


def _user(plan: Plan, url: str, masks: Masks) -> type[FastHttpUser]:
    turns = Turns(plan.requests)
    low, high = plan.pause_seconds

    class User(FastHttpUser):  # type: ignore[misc] # Locust tells mypy nothing
        """Sends one request after the other, all users in turns by weight, with a pause in between."""

        host = url
        wait_time = constant(0) if high == 0 else lambda _: random.uniform(low, high)  # noqa: S311 - no secret
        connection_timeout = network_timeout = _WAIT_SECONDS

        @task  # type: ignore[untyped-decorator]
        def send(self) -> None:
            """Send one."""
            _send(self, turns.next(), masks)

    return User


def _send(user: FastHttpUser, request: Request, masks: Masks) -> None:
    given: Mapping[str, Any] = {} if request.body is None else {"json": request.body}
    with user.client.request(
        request.method,
        request.path,
        name=request.name,
        headers=dict(request.headers),
        allow_redirects=False,
        catch_response=True,
        **given,
    ) as answer:
        status = answer.status_code
        right = 200 <= status < 300 if request.status is None else status == request.status
        if not right:
            answer.failure(f"answered {status}" if status else masks.excerpt(f"no answer: {answer.error}"))
        elif request.json is not ANYTHING and (different := _different(request, answer)):
            answer.failure(masks.excerpt(different))
        else:
            answer.success()


def _different(request: Request, answer: Any) -> str | None:
    try:
        return difference(request.json, answer.json())
    except ValueError:
        return "the answer is no JSON"


def _shape(stages: tuple[Stage, ...]) -> LoadTestShape:
    class Shape(LoadTestShape):  # type: ignore[misc]
        """The stages, one after the other."""

        def tick(self) -> tuple[int, float] | None:
            """Users now, and how many of them may start a second; None at the end."""
            return users(stages, self.get_run_time())

    return Shape()


def users(stages: tuple[Stage, ...], seconds: float) -> tuple[int, float] | None:
    """How many users there are after so many seconds, and how many may start in one; None after the last stage."""
    before = 0
    for stage in stages:
        if seconds < stage.seconds:
            now = before + (stage.users - before) * seconds / stage.seconds
            return max(1, round(now)), max(1.0, abs(stage.users - before) / stage.seconds)
        seconds, before = seconds - stage.seconds, stage.users
    return None
