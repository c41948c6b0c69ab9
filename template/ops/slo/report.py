"""`python -m ops.slo report`: what came of the objectives in a past window, as Markdown, HTML and JSON."""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

from . import report_events, report_html, report_json, report_markdown
from .prometheus import Prometheus, PrometheusError, read_token
from .queries import DURATION
from .report_figures import DAY, Measured, Outcome, Report, Window, moment
from .report_measure import measure
from .report_routes import worst
from .rules import TOTAL
from .spec import Objective, Spec
from .windows import DAYS

_LONGEST = 92
_FORMS = {"markdown": report_markdown.render, "html": report_html.render, "json": report_json.render}


class ReportError(Exception):
    """There can be no report; the text is one line for the user."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `report`."""
    parser.add_argument("--prometheus", required=True, metavar="URL", help="such as http://prometheus:9090")
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE", help="holds a bearer token; else PROMETHEUS_TOKEN, if that is set"
    )
    parser.add_argument("--end", metavar="TIME", help="such as 2026-11-21T00:00:00Z (default: the last midnight, UTC)")
    parser.add_argument("--window", metavar="DAYS", help="such as 7d (default: the window of slo.yaml)")
    for form in _FORMS:
        parser.add_argument(f"--{form}", type=Path, metavar="FILE", help=f"write {form} (default: Markdown to stdout)")


def main(spec: Spec, arguments: Sequence[str]) -> int:
    """Read the options and make the report; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m ops.slo report")
    add_arguments(parser)
    return run(spec, parser.parse_args(arguments))


def run(spec: Spec, given: argparse.Namespace) -> int:
    """Make the report.

    Returns:
        0: it is written. 2: it can't be made, and nothing is written; one line on stderr says why.
    """
    try:
        window = Window(_end(given.end), _days(given.window or spec.window))
        with ExitStack() as held:
            wanted = {form: getattr(given, form) for form in _FORMS if getattr(given, form)}
            files = _Outputs(wanted)
            held.callback(files.clear)
            files.try_out()
            asked = Prometheus(given.prometheus, read_token(given.token_file))
            held.callback(asked.close)
            report = collect(asked, spec, window)
            if wanted:
                files.put({form: _FORMS[form](report) for form in wanted})
            else:
                sys.stdout.write(report_markdown.render(report))
    except (ReportError, PrometheusError) as error:
        sys.stderr.write(f"slo-report: {error}\n")
        return 2
    return 0


def collect(asked: Prometheus, spec: Spec, window: Window) -> Report:
    """All figures.

    Raises:
        ReportError: there is nothing to report on.
        PrometheusError: no answer that can be used.
    """
    measured = [measure(asked, spec, each, window, parts=True) for each in spec.objectives]
    _judge(asked, spec, window, measured)
    outcomes = [_outcome(asked, spec, *each) for each in zip(spec.objectives, measured, strict=True)]
    seen = report_events.versions(asked, spec, window)
    return Report(
        service=spec.service,
        owner=spec.owner,
        window=window,
        own_days=DAYS[spec.window][1],
        outcomes=outcomes,
        alerts=report_events.alerts(asked, spec, window),
        versions=sorted(set().union(*seen.values())),
        changes=report_events.changes(seen, outcomes),
        warnings=asked.warnings,
    )


def _judge(asked: Prometheus, spec: Spec, window: Window, measured: list[Measured]) -> None:
    """Refuse where figures would say nothing."""
    span = f"in the {window.days} days to {moment(window.end):%Y-%m-%d %H:%M} UTC"
    if not any(each.measured for each in measured):
        raise ReportError(
            f'{asked.url}: no data of the objectives of {spec.service} (job="{spec.job}") {span}: '
            "does this Prometheus scrape the service, and did it then?"
        )
    if not any(each.recorded for each in measured):
        raise ReportError(
            f'{asked.url}: no records {TOTAL}{{sloth_service="{spec.service}"}} {span}: '
            "no alert could fire; load the rules that `make slo` writes into this Prometheus"
        )
    if not any(each.total for each in measured):
        raise ReportError(f"{asked.url}: no traffic: {spec.service} was measured, but had not one event {span}")


def _outcome(asked: Prometheus, spec: Spec, objective: Objective, measured: Measured) -> Outcome:
    previous = measure(asked, spec, objective, measured.window.before, parts=False)
    routes, others, routes_bad = worst(asked, objective, measured.window)
    own = all(each.metric.startswith(DURATION) for each in objective.total.selectors)
    events = "samples" if objective.total.unit == "samples" else "events"
    return Outcome(
        name=objective.name,
        description=objective.description,
        objective=float(objective.ratio),
        budget=float(objective.budget),
        noun="requests" if own else events,
        measured=measured,
        previous=previous if previous.total > 0 else None,
        routes=routes,
        other_routes=others,
        routes_bad=routes_bad,
    )


def _end(text: str | None) -> int:
    now = datetime.now(UTC)
    if text is None:
        return int(now.timestamp()) // DAY * DAY
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = now.replace(tzinfo=None)
    if found.tzinfo is None:
        raise ReportError(f"--end {text!r}: no time: write it with its zone, such as 2026-11-21T00:00:00Z")
    if found > now:
        raise ReportError(f"--end {text}: it lies in the future: it is {now:%Y-%m-%dT%H:%M:%SZ} now")
    return int(found.timestamp())


def _days(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d?d", text) or int(text[:-1]) > _LONGEST:
        raise ReportError(f"--window {text!r}: write whole days from 1d to {_LONGEST}d, such as 28d")
    return int(text[:-1])


class _Outputs:
    """The files that are wanted: written beside their places first, so that either all get there, or none."""

    def __init__(self, wanted: dict[str, Path]) -> None:
        self._wanted = wanted
        self._drafts = {form: file.with_name(f".{file.name}.{os.getpid()}") for form, file in wanted.items()}

    def try_out(self) -> None:
        """Refuse at once what could not be written in the end."""
        places = [file.resolve() for file in self._wanted.values()]
        for form, file in self._wanted.items():
            if file.is_dir() or places.count(file.resolve()) > 1:
                reason = "it is a folder" if file.is_dir() else "it is named twice"
                raise ReportError(f"--{form} {file}: can't be written: {reason}: name a file of its own")
            self._write(form, "")

    def put(self, texts: dict[str, str]) -> None:
        """Write all, then move all to their places."""
        for form, text in texts.items():
            self._write(form, text)
        for form, file in self._wanted.items():
            self._drafts[form].replace(file)

    def clear(self) -> None:
        """Leave no draft."""
        for draft in self._drafts.values():
            with suppress(OSError):
                draft.unlink(missing_ok=True)

    def _write(self, form: str, text: str) -> None:
        try:
            self._drafts[form].write_text(text, "utf-8")
        except OSError as error:
            raise ReportError(f"--{form} {self._wanted[form]}: can't be written: {error.strerror}") from None
