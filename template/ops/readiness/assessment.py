"""Puts together what a check saw, what people have signed, and what does not concern the service: one result a row."""

from collections.abc import Callable, Mapping
from datetime import date

import yaml

from . import documents
from .outcome import BadInput, Failed, Result, State
from .registry import Check
from .rows import Row
from .runner import SECONDS, Looked, run
from .service import Service
from .statements import FILE, Statements

_WORST_FIRST: tuple[State, ...] = ("fail", "cannot tell", "open", "pass")
Part = tuple[State, str]


def assess(
    wanted: list[Row],
    checks: Mapping[str, Check],
    statements: Statements,
    service: Service,
    today: date,
    limit: float = SECONDS,
    told: Callable[[str, bool], None] = lambda *_: None,
) -> list[Result]:
    """The state of each of these rows; what was started for it has ended afterwards."""
    aside = {row.id: reason for row in wanted if (reason := beside_the_point(row, statements, service))}
    try:
        with service.ending:
            looked = run(
                [checks[row.id] for row in wanted if row.id in checks and row.id not in aside], service, limit, told
            )
    except ValueError as error:
        raise BadInput(str(error)) from None
    return [
        Result(row.id, "not applicable", aside[row.id], "", 0.0)
        if row.id in aside
        else _result(row, looked.get(row.id), statements, service, today)
        for row in wanted
    ]


def beside_the_point(row: Row, statements: Statements, service: Service) -> str:
    """Why a row does not concern this service; empty if it does."""
    if waiver := statements.not_applicable.get(row.id):
        return f"{waiver.by} says in {FILE}: {waiver.reason}"
    for answer, value in row.only_if:
        if (given := answers(service).get(answer)) != value:
            return f"the answer {answer} is {given}, and the row concerns services whose is {value}"
    target = availability(service)
    if row.from_availability and target < row.from_availability:
        return f"the availability target is {target:g} %, and the row concerns targets from {row.from_availability:g} %"
    return ""


def availability(service: Service) -> float:
    """The target in percent: the answer, or the objective `availability` in slo.yaml if that is higher.

    A lower objective takes no row away: the row `availability-target` says so. Where nothing tells it, it is 100, and
    every row concerns the service: none may be left out because a file is damaged.
    """
    answered = _percent(answers(service).get("availability_target"))
    try:
        objectives = service.mapping("slo.yaml").get("slos")
    except Failed:
        objectives = None
    for each in objectives if isinstance(objectives, list) else []:
        if isinstance(each, dict) and each.get("name") == "availability":
            return max(_percent(each.get("objective")), answered)
    return answered


def answers(service: Service) -> dict[str, object]:
    """The answers that the service was made with; none where they can't be read."""
    try:
        return service.answers
    except (Failed, yaml.YAMLError):
        return {}


def _percent(value: object) -> float:
    try:
        found = float(str(value))
    except ValueError:
        return 100.0
    return found if 0 < found < 100 else 100.0


def _result(row: Row, looked: Looked | None, statements: Statements, service: Service, today: date) -> Result:
    seconds = looked.seconds if looked else 0.0
    if looked and looked.state == "not applicable":
        return Result(row.id, looked.state, looked.evidence, "", seconds)
    parts: list[Part] = []
    if looked:
        parts.append((looked.state, looked.evidence))
    elif {"static", "live"} & set(row.evidence):
        parts.append(("cannot tell", "nothing checks it: no check is declared for this row"))
    if "signed" in row.evidence:
        parts.append(_signed(row, statements, service, today))
    # What holds already goes last: the reader looks for what does not.
    parts.sort(key=lambda part: _WORST_FIRST.index(part[0]))
    state, _ = parts[0]
    evidence = "; ".join(_told(part, state) for part in parts)
    return Result(row.id, state, evidence, "" if state == "pass" else remedy(row), seconds)


def _told(part: Part, of: State) -> str:
    """A part's evidence; of one that holds in a row that does not, that it does."""
    return f"{'what holds already: ' if part[0] == 'pass' != of else ''}{part[1].rstrip('.')}"


def _signed(row: Row, statements: Statements, service: Service, today: date) -> Part:
    """Whether a person has signed, and all that they must have read first is written."""
    left = [line.rstrip(".") for path in row.documents for line in documents.state(service.root, path, today)]
    signature = statements.signed.get(row.id)
    if signature is None:
        left.append(f"nobody has signed it: {FILE} has no valid entry {row.id} under signed")
    elif signature.expires <= today:
        left.append(
            f"what {signature.by} signed on {signature.on} expired on {signature.expires}: have it done again, "
            f"and write it into {FILE} under signed: {row.id}"
        )
    if left or signature is None:
        return "open", "; ".join(left)
    return "pass", f"signed by {signature.by} on {signature.on}, until {signature.expires}: {signature.evidence}"


def remedy(row: Row) -> str:
    """What to do, in one line: the sentence, the file, the command."""
    where = [f"`{row.remedy.command}`"] if row.remedy.command else []
    where = ([row.remedy.file] if row.remedy.file else []) + where
    return f"{row.remedy.do.rstrip('.')} ({', '.join(where)})" if where else row.remedy.do.rstrip(".")
