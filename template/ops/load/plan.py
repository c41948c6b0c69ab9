"""`load.yaml`: what is sent, how often, by how many users, and what must hold."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ops.smoke import plan as smoke
from ops.smoke.masking import Masks
from ops.smoke.outcome import BadInput
from ops.smoke.plan import Request
from ops.smoke.reading import headers, keys, typed

NAME: Final = "load.yaml"
MOST_USERS: Final = 5000
MOST_SECONDS: Final = 4 * 3600
_TOP: Final = ("requests", "headers", "pause_seconds", "profiles", "thresholds")
_THRESHOLDS: Final = ("failed_percent", "p50_ms", "p95_ms", "p99_ms", "requests_per_second")


@dataclass(frozen=True, slots=True)
class Weighted:
    """A request, and how often it is sent in proportion to the others."""

    request: Request
    weight: float


class Turns:
    """Whose turn it is: each request gets its share by weight, evenly spread, in the shortest run, too.

    Drawn at random a rare request could be missing from a short run, and its wrong answers with it. The rule is the
    smooth weighted round robin of nginx: everyone gains its weight, the richest goes and pays the sum.
    """

    def __init__(self, requests: Sequence[Weighted]) -> None:
        """Take at least one request."""
        self._requests = requests
        self._credits = [0.0] * len(requests)
        self._sum = sum(each.weight for each in requests)

    def next(self) -> Request:
        """The request that is sent now."""
        self._credits = [credit + each.weight for credit, each in zip(self._credits, self._requests, strict=True)]
        richest = max(range(len(self._credits)), key=self._credits.__getitem__)
        self._credits[richest] -= self._sum
        return self._requests[richest].request


@dataclass(frozen=True, slots=True)
class Stage:
    """For `seconds`, the number of users goes evenly from that of the stage before to `users`."""

    seconds: float
    users: int


@dataclass(frozen=True, slots=True)
class Plan:
    """All of `load.yaml`.

    Attributes:
        requests: at least one.
        pause_seconds: how long a user waits after an answer: at least, and at most.
        profiles: stages by name; the first is run unless another is named.
        thresholds: what must hold over a run: `failed_percent` and `p…_ms` at most, `requests_per_second` at least.
    """

    requests: tuple[Weighted, ...]
    pause_seconds: tuple[float, float]
    profiles: Mapping[str, tuple[Stage, ...]]
    thresholds: Mapping[str, float]


def read(file: Path, masks: Masks) -> Plan:
    """Read the file; values of headers that come from the environment are masked from now on.

    Raises:
        BadInput: it can't be read, or something in it is wrong.
    """
    given, where = smoke.loaded(file), str(file)
    keys(given, _TOP, where)
    common = headers(given, where, masks, os.environ)
    requests = typed(given, "requests", list, "a list", [], where)
    if not requests:
        raise BadInput(f"{where}: requests: there is none; write - request: GET /v1/things")
    return Plan(
        tuple(_weighted(each, f"{where}: requests[{index}]", common, masks) for index, each in enumerate(requests)),
        _pause(given, where),
        _profiles(given, where),
        _thresholds(given, where),
    )


def _weighted(given: Any, where: str, common: Mapping[str, str], masks: Masks) -> Weighted:
    if not isinstance(given, dict):
        raise BadInput(f"{where}: {given!r} is no request; write - request: GET /v1/things")
    weight = _number(given, "weight", 0.001, 1e6, 1.0, where)
    parsed = smoke.request({key: value for key, value in given.items() if key != "weight"}, where, masks, os.environ)
    merged = Request(
        parsed.name, parsed.method, parsed.path, {**common, **parsed.headers}, parsed.body, parsed.status, parsed.json
    )
    return Weighted(merged, weight)


def _number(given: Mapping[str, Any], key: str, low: float, high: float, default: float | None, where: str) -> Any:
    value = given.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise BadInput(f"{where}: {key}: {value!r} is no number from {low:g} to {high:g}")
    return float(value)


def _pause(given: Mapping[str, Any], where: str) -> tuple[float, float]:
    pause = given.get("pause_seconds", [0.5, 1.5])
    numbers = isinstance(pause, list) and len(pause) == 2 and all(type(each) in (int, float) for each in pause)
    if not numbers or not 0 <= pause[0] <= pause[1] <= 3600:
        raise BadInput(f"{where}: pause_seconds: {pause!r}; write two numbers of seconds, as [0.5, 1.5]")
    return float(pause[0]), float(pause[1])


def _profiles(given: Mapping[str, Any], where: str) -> dict[str, tuple[Stage, ...]]:
    profiles = typed(given, "profiles", dict, "name: stages", {}, where)
    if not profiles:
        raise BadInput(f"{where}: profiles: there is none; write short: [{{seconds: 30, users: 10}}]")
    return {str(name): _stages(stages, f"{where}: profiles: {name}") for name, stages in profiles.items()}


def _stages(given: Any, where: str) -> tuple[Stage, ...]:
    if not isinstance(given, list) or not given or not all(isinstance(each, dict) for each in given):
        raise BadInput(f"{where}: write a list of stages, as - {{seconds: 30, users: 10}}")
    found = []
    for index, each in enumerate(given):
        at = f"{where}[{index}]"
        keys(each, ("seconds", "users"), at)
        if type(each.get("users")) is not int:
            raise BadInput(f"{at}: users: {each.get('users')!r} is no whole number from 0 to {MOST_USERS}")
        seconds, users = (
            _number(each, "seconds", 1, MOST_SECONDS, None, at),
            _number(each, "users", 0, MOST_USERS, None, at),
        )
        found.append(Stage(seconds, int(users)))
    if sum(stage.seconds for stage in found) > MOST_SECONDS:
        raise BadInput(f"{where}: its stages take more than {MOST_SECONDS} seconds together; shorten them")
    if not any(stage.users for stage in found):
        raise BadInput(f"{where}: nobody sends anything; give a stage users")
    return tuple(found)


def _thresholds(given: Mapping[str, Any], where: str) -> dict[str, float]:
    thresholds = typed(given, "thresholds", dict, "name: number", {}, where)
    keys(thresholds, _THRESHOLDS, f"{where}: thresholds")
    if not thresholds:
        raise BadInput(
            f"{where}: thresholds: there is none, so that nothing could fail; there are {', '.join(_THRESHOLDS)}"
        )
    return {name: _number(thresholds, name, 0, 1e9, None, f"{where}: thresholds") for name in thresholds}
