"""The pipelines of GitHub and GitLab as jobs: what starts each, what it waits for, where it deploys, and what it runs.

A workflow that is called is opened: its jobs have the caller's inputs, and wait for what the caller waits for.
"""

import fnmatch
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .outcome import Failed
from .service import Service

FOLDER: Final = ".github/workflows"
GITLAB: Final = ".gitlab-ci.yml"
# The branch that is delivered, by the names that it has in the field.
_MAIN: Final = ("main", "master", "trunk")
# What a push is to: that branch, a branch of a hotfix, a release's tag.
_PUSHED: Final = {
    "main": ("branches", _MAIN),
    "hotfix": ("branches", ("hotfix/1.4.1",)),
    "tag": ("tags", ("v1.4.1",)),
}
_INPUT: Final = re.compile(r"\$\{\{\s*inputs\.([\w-]+)\s*\}\}")
# What lets a failure pass, or leaves most of the suite out.
_FORGIVEN: Final = re.compile(r"\|\|\s*(true|:)\s*$|\bTESTS=")


@dataclass(frozen=True)
class Job:
    """One job of a pipeline.

    Attributes:
        place: the file that starts it, and its name there; of a called workflow, after the caller's.
        events: what starts it: `pull_request`, `schedule`, `main` (the delivered branch), `hotfix`, `tag`, `manual`.
        needs: names of the jobs that have to succeed first, and those that they need.
        environment: where it deploys; empty if it does not.
        lines: what its steps run, a line each; those that may fail are left out.
        given: its steps' and its own environment variables, with the inputs of the call in them.
        after_failure: the lines of steps that run because another has failed.
        choices: what somebody who starts it by hand can choose.
        signed_off: a person has to let it start.
    """

    place: str
    name: str
    events: frozenset[str]
    needs: frozenset[str]
    environment: str
    lines: tuple[str, ...]
    given: Mapping[str, str] = field(default_factory=dict)
    after_failure: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    signed_off: bool = False

    def runs(self, verb: str) -> bool:
        """Whether it runs `make <verb>`, and its failure counts."""
        return self.first(verb) >= 0

    def first(self, verb: str) -> int:
        """The place of `make <verb>` among its lines; -1 if it is not there."""
        pattern = re.compile(rf"(^|[\s;&(\"'])make\s+(-\S+\s+)*([\w-]+\s+)*{re.escape(verb)}(?=$|[\s;&)\"'])")
        found = (
            number for number, line in enumerate(self.lines) if pattern.search(line) and not _FORGIVEN.search(line)
        )
        return next(found, -1)


@dataclass(frozen=True)
class Platform:
    """The pipelines of one platform."""

    name: str
    jobs: tuple[Job, ...]

    def on(self, event: str) -> list[Job]:
        """The jobs that an event starts."""
        return [job for job in self.jobs if event in job.events]


def platforms(service: Service) -> list[Platform]:
    """Those that the service has.

    Raises:
        Failed: it has none, or a file can't be read.
    """
    return service.once("pipelines", lambda: _platforms(service))


def _platforms(service: Service) -> list[Platform]:
    found = [Platform("GitHub", tuple(_of_github(service))), Platform("GitLab", tuple(_of_gitlab(service)))]
    # A workflow that nothing pushed starts, such as the one that renews the template, is no pipeline.
    started = [each for each in found if any(each.on(event) for event in ("pull_request", *_PUSHED))]
    if not started:
        raise Failed(f"neither {FOLDER}/ nor {GITLAB} has a job that a push or a pull request starts")
    return started


# --- GitHub


def _of_github(service: Service) -> Iterator[Job]:
    files = sorted((service.root / FOLDER).glob("*.y*ml"))
    known = {f"{FOLDER}/{file.name}": service.mapping(f"{FOLDER}/{file.name}") for file in files}
    for path, document in known.items():
        triggers = _triggers(document)
        if events := frozenset(_events(triggers)):
            yield from _workflow(path, document, known, events, _choices(triggers))


def _triggers(document: Mapping[Any, Any]) -> dict[str, Any]:
    given = document.get("on", document.get(True))  # YAML 1.1 reads `on` as true
    if isinstance(given, dict):
        return {str(name): value or {} for name, value in given.items()}
    return {str(name): {} for name in ([given] if isinstance(given, str) else given or ())}


def _events(triggers: Mapping[str, Any]) -> Iterator[str]:
    yield from {"pull_request", "schedule"} & triggers.keys()
    if "workflow_dispatch" in triggers:
        yield "manual"
    if "push" in triggers:
        filters = triggers["push"] if isinstance(triggers["push"], dict) else {}
        for event, (kind, names) in _PUSHED.items():
            patterns = [str(pattern) for pattern in filters.get(kind) or ()]
            if not {"branches", "tags"} & filters.keys() or any(
                fnmatch.fnmatchcase(name, pattern) for name in names for pattern in patterns
            ):
                yield event


def _choices(triggers: Mapping[str, Any]) -> tuple[str, ...]:
    inputs = (triggers.get("workflow_dispatch") or {}).get("inputs") or {}
    return tuple(str(one) for each in inputs.values() if isinstance(each, dict) for one in each.get("options") or ())


def _workflow(
    path: str, document: Mapping[str, Any], known: Mapping[str, Any], events: frozenset[str], choices: tuple[str, ...]
) -> Iterator[Job]:
    jobs = {str(name): job for name, job in (document.get("jobs") or {}).items() if isinstance(job, dict)}
    needed = {name: _needs(job) for name, job in jobs.items()}
    for name, job in jobs.items():
        before = _closed(needed, name)
        used = str(job.get("uses") or "")
        if not _active(job.get("if"), {}) or job.get("continue-on-error"):
            continue
        if used.startswith("./"):
            called = known.get(used.removeprefix("./").partition("@")[0], {})
            inputs = {**_defaults(called), **(job.get("with") or {})}
            yield from _called(f"{path}: {name}", name, called, inputs, (events, before, choices))
        else:
            yield _job(f"{path}: {name}", name, job, {}, (events, before, choices))


Started = tuple[frozenset[str], frozenset[str], tuple[str, ...]]


def _called(
    place: str, name: str, document: Mapping[str, Any], inputs: Mapping[str, Any], started: Started
) -> Iterator[Job]:
    for inner, job in (document.get("jobs") or {}).items():
        if isinstance(job, dict) and _active(job.get("if"), inputs) and not job.get("continue-on-error"):
            yield _job(f"{place}: {inner}", name, job, inputs, started)


def _job(place: str, name: str, job: Mapping[str, Any], inputs: Mapping[str, Any], started: Started) -> Job:
    events, needs, choices = started
    steps = [each for each in job.get("steps") or () if isinstance(each, dict)]
    counted = [each for each in steps if _active(each.get("if"), inputs) and not each.get("continue-on-error")]
    mending = [each for each in counted if "failure()" in str(each.get("if", ""))]
    environment = job.get("environment")
    named = environment.get("name") if isinstance(environment, dict) else environment
    return Job(
        place,
        name,
        events,
        needs,
        _filled(str(named or ""), inputs),
        tuple(line for each in counted if each not in mending for line in _lines(each)),
        {
            str(key): _filled(str(value), inputs)
            for of in (*counted, job)
            for key, value in (of.get("env") or {}).items()
        },
        tuple(line for each in mending for line in _lines(each)),
        choices,
        bool(named),
    )


def _lines(step: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(step.get("uses"), str):
        yield f"uses {step['uses']}"
    text = re.sub(r"\\\n\s*", "", str(step.get("run") or ""))
    yield from (line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#"))


def _needs(job: Mapping[str, Any]) -> list[str]:
    given = job.get("needs") or []
    return [given] if isinstance(given, str) else [str(each) for each in given]


def _closed(needed: Mapping[str, list[str]], name: str) -> frozenset[str]:
    """All that a job waits for, and what that waits for."""
    found: set[str] = set()
    waiting = list(needed.get(name, ()))
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting += needed.get(each, ())
    return frozenset(found)


def _defaults(document: Mapping[Any, Any]) -> dict[str, Any]:
    inputs = (_triggers(document).get("workflow_call") or {}).get("inputs") or {}
    return {str(name): each.get("default", "") for name, each in inputs.items() if isinstance(each, dict)}


def _filled(text: str, inputs: Mapping[str, Any]) -> str:
    return _INPUT.sub(lambda found: str(inputs.get(found[1], found[0])), text)


def _active(condition: Any, inputs: Mapping[str, Any]) -> bool:
    """Whether a condition may hold, by the literal inputs in it; what is not known here may."""
    text = re.sub(r"^\s*\$\{\{(.*)\}\}\s*$", r"\1", str("" if condition is None else condition)).strip()
    if "||" in text:
        return True
    return all(_may_hold(term.strip(), inputs) for term in text.split("&&"))


def _may_hold(term: str, inputs: Mapping[str, Any]) -> bool:
    if term.lower() == "false":
        return False
    found = re.fullmatch(r"(!?)\s*inputs\.([\w-]+)", term)
    if not found or found[2] not in inputs or isinstance(inputs[found[2]], str):
        return True
    return bool(inputs[found[2]]) is (found[1] == "")


# --- GitLab


def _of_gitlab(service: Service) -> Iterator[Job]:
    if not (service.root / GITLAB).is_file():
        return
    document = service.mapping(GITLAB)
    stages = [str(each) for each in document.get("stages") or ("build", "test", "deploy")]
    jobs = {
        str(name): _extended(document, each)
        for name, each in document.items()
        if isinstance(each, dict) and not str(name).startswith(".") and ("script" in each or "extends" in each)
    }
    needed = {name: list(_gitlab_needs(name, job, jobs, stages)) for name, job in jobs.items()}
    for name, job in jobs.items():
        rules = [each for each in job.get("rules") or [{}] if isinstance(each, dict)]
        manual = job.get("when") == "manual" or any(each.get("when") == "manual" for each in rules)
        forgiven = job.get("allow_failure") or any(each.get("allow_failure") for each in rules)
        environment = job.get("environment")
        named = str(environment.get("name") if isinstance(environment, dict) else environment or "")
        lines = tuple(line for part in ("before_script", "script") for line in _flat(job.get(part) or ()))
        yield Job(
            f"{GITLAB}: {name}",
            name,
            frozenset({"manual"}) if manual and forgiven else frozenset(_gitlab_events(rules)),
            _closed(needed, name),
            named,
            lines,
            {str(key): str(value) for key, value in (job.get("variables") or {}).items()},
            lines if any("trap " in line for line in lines) else (),
            (named,) if manual and named else (),
            manual,
        )


def _extended(document: Mapping[str, Any], job: Mapping[str, Any]) -> dict[str, Any]:
    given = job.get("extends") or []
    whole: dict[str, Any] = {}
    for name in [given] if isinstance(given, str) else given:
        parent = document.get(name)
        if isinstance(parent, dict):
            whole |= _extended(document, parent)
    variables = {**(whole.get("variables") or {}), **(job.get("variables") or {})}
    return {**whole, **job, "variables": variables}


def _gitlab_needs(name: str, job: Mapping[str, Any], jobs: Mapping[str, Any], stages: list[str]) -> Iterator[str]:
    if "needs" in job:
        yield from (str(each.get("job") if isinstance(each, dict) else each) for each in job["needs"])
        return
    own = _stage(job, stages)
    yield from (other for other, each in jobs.items() if other != name and _stage(each, stages) < own)


def _stage(job: Mapping[str, Any], stages: list[str]) -> int:
    stage = str(job.get("stage", "test"))
    return stages.index(stage) if stage in stages else 0


def _gitlab_events(rules: list[dict[str, Any]]) -> Iterator[str]:
    """What starts a job; a rule without a condition lets all in that the rules before it have not kept out."""
    left = {"pull_request", "schedule", *_PUSHED}
    for rule in rules:
        meant = {event for event in left if _gitlab_means(str(rule.get("if", "")), event)}
        left -= meant
        if rule.get("when") != "never":
            yield from meant


def _gitlab_means(condition: str, event: str) -> bool:
    if not condition:
        return True
    signs = {
        "pull_request": ("merge_request_event",),
        "schedule": ('"schedule"',),
        "main": ("CI_DEFAULT_BRANCH", *(f'"{name}"' for name in _MAIN)),
        "hotfix": ("hotfix",),
        "tag": ("CI_COMMIT_TAG",),
    }[event]
    return any(sign in condition for sign in signs)


def _flat(script: Any) -> Iterator[str]:
    """The lines of a script; lists that anchors have brought are opened."""
    if isinstance(script, list):
        for each in script:
            yield from _flat(each)
    else:
        lines = re.sub(r"\\\n\s*", "", str(script)).splitlines()
        yield from (line.strip() for line in lines if line.strip() and not line.strip().startswith("#"))
