"""The pipelines of GitHub and GitLab as jobs: what starts each, what it waits for, where it deploys, and what it runs.

A workflow that is called is opened: its jobs have the caller's inputs, and wait for what the caller waits for.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from . import shell
from .conditions import MAIN, holds, holds_on_gitlab, matches, terms
from .outcome import Failed
from .service import Reference, Service
from .shell import Command

FOLDER: Final = ".github/workflows"
GITLAB: Final = ".gitlab-ci.yml"
# What a push is to: the branch that is delivered, a branch of a hotfix, a release's tag.
_PUSHED: Final = {
    "main": ("branches", MAIN),
    "hotfix": ("branches", ("hotfix/1.4.1",)),
    "tag": ("tags", ("v1.4.1",)),
}
_INPUT: Final = re.compile(r"\$\{\{\s*inputs\.([\w-]+)\s*\}\}")
_NEEDED: Final = re.compile(r"needs\.([\w-]+)\.result\s*==\s*'success'")
# What a condition asks to be run whatever has failed; and what it asks for, to be run only if nothing has.
_REGARDLESS: Final = re.compile(r"\b(always|cancelled|failure)\(\)")
_ALL_PASSED: Final = re.compile(r"success\(\)|!\s*failure\(\)|!\s*contains\(needs\.\*\.result,\s*'failure'\)")


@dataclass(frozen=True)
class Job:
    """One job of a pipeline.

    Attributes:
        place: the file that starts it, and its name there; of a called workflow, after the caller's.
        events: what starts it: `pull_request`, `schedule`, `main` (the delivered branch), `hotfix`, `tag`, `manual`.
        needs: names of the jobs that have to succeed first, and those that they need.
        environment: where it deploys; empty if it does not.
        commands: what its steps run; steps that may fail are left out.
        given: its steps' and its own environment variables, with the inputs of the call in them.
        after_failure: the commands that are run because another has failed.
        choices: what somebody who starts it by hand can choose.
        signed_off: a person has to let it start.
        waits: names of all jobs that it waits for, whatever becomes of them.
    """

    place: str
    name: str
    events: frozenset[str]
    needs: frozenset[str]
    environment: str
    commands: tuple[Command, ...]
    given: Mapping[str, str] = field(default_factory=dict)
    after_failure: tuple[Command, ...] = ()
    choices: tuple[str, ...] = ()
    signed_off: bool = False
    waits: frozenset[str] = frozenset()

    @property
    def file(self) -> str:
        """The file that starts it."""
        return self.place.partition(": ")[0]

    @property
    def lines(self) -> tuple[str, ...]:
        """The texts of its commands."""
        return tuple(each.text for each in self.commands)

    def runs(self, verb: str) -> bool:
        """Whether it runs `make <verb>`, and its failure counts."""
        return self.first(verb) >= 0

    def first(self, verb: str, sure: bool = False) -> int:
        """The place of `make <verb>` among its commands, one that is surely run if asked; -1 if it is not there."""
        if verb == "test" and self.given.get("TESTS"):  # a part of the suite, by the environment
            return -1
        found = (
            number
            for number, each in enumerate(self.commands)
            if each.counts and (each.sure or not sure) and each.makes(verb)
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


def workflows(service: Service) -> dict[str, dict[Any, Any]]:
    """Those of GitHub that can be read, by their paths."""
    return service.once("workflows", lambda: _workflows(service))[0]


def unread(service: Service) -> list[str]:
    """Why the others can't be read: they start nothing."""
    return service.once("workflows", lambda: _workflows(service))[1]


def _workflows(service: Service) -> tuple[dict[str, dict[Any, Any]], list[str]]:
    read: dict[str, dict[Any, Any]] = {}
    problems: list[str] = []
    for file in sorted((service.root / FOLDER).glob("*.y*ml")):
        path = f"{FOLDER}/{file.name}"
        try:
            read[path] = service.mapping(path)
        except Failed as failed:
            problems.append(str(failed))
    return read, problems


def _of_github(service: Service) -> Iterator[Job]:
    known = workflows(service)
    changed = _code(service)
    for path, document in known.items():
        triggers = _triggers(document)
        events = sorted(_events(triggers, changed))
        found: list[Job] = []
        for event in events:
            for job in _jobs(path, document, known, _Start(event, choices=_choices(triggers))):
                same = next((each for each in found if replace(each, events=job.events) == job), None)
                if same is None:
                    found.append(job)
                else:
                    found[found.index(same)] = replace(same, events=same.events | job.events)
        yield from found


def _code(service: Service) -> str:
    """A file of the service's code, as one that a change touches."""
    found = min((service.root / "src").glob("**/*.py"), default=service.root / "src/app/main.py")
    return found.relative_to(service.root).as_posix()


def _mapping(given: object) -> Mapping[Any, Any]:
    """What is written, if it is keys and values: an expression, or a mistake, is none."""
    return given if isinstance(given, Mapping) else {}


def _listed(given: object) -> list[Any]:
    """What is written, one or a list; anything else is none."""
    return given if isinstance(given, list) else [given] if isinstance(given, str) else []


def _triggers(document: Mapping[Any, Any]) -> dict[str, Any]:
    given = document.get("on", document.get(True))  # YAML 1.1 reads `on` as true
    if isinstance(given, dict):
        return {str(name): value or {} for name, value in given.items()}
    return {str(name): {} for name in _listed(given)}


def _events(triggers: Mapping[str, Any], changed: str) -> Iterator[str]:
    if "pull_request" in triggers:
        asked = _mapping(triggers["pull_request"])
        types = {str(each) for each in _listed(asked.get("types"))}
        opened = not types or {"opened", "synchronize"} <= types
        if opened and _lets_in(asked, "branches", MAIN) and _lets_in(asked, "paths", (changed,)):
            yield "pull_request"
    if isinstance(triggers.get("schedule"), list):
        yield "schedule"
    if "workflow_dispatch" in triggers:
        yield "manual"
    if "push" in triggers:
        asked = _mapping(triggers["push"])
        both = {kind: [key for key in (kind, f"{kind}-ignore") if key in asked] for kind in ("branches", "tags")}
        for event, (kind, names) in _PUSHED.items():
            kept_out = not both[kind] and any(both.values())  # who names tags alone means no branch
            touched = event == "tag" or _lets_in(asked, "paths", (changed,))
            if not kept_out and touched and _lets_in(asked, kind, names):
                yield event


def _lets_in(asked: Mapping[Any, Any], kind: str, names: tuple[str, ...]) -> bool:
    """Whether the filters of a trigger let any of these names in."""
    wanted, ignored = (
        [str(each) for each in _listed(given)] for given in (asked.get(kind), asked.get(f"{kind}-ignore"))
    )
    return any(
        (kind not in asked or matches(name, wanted)) and not (ignored and matches(name, ignored)) for name in names
    )


def _choices(triggers: Mapping[str, Any]) -> tuple[str, ...]:
    inputs = _mapping(_mapping(triggers.get("workflow_dispatch")).get("inputs"))
    return tuple(str(one) for each in inputs.values() for one in _listed(_mapping(each).get("options")))


@dataclass(frozen=True)
class _Start:
    """How a workflow's jobs come to be run: by which event, and by which job of the workflow that calls it."""

    event: str
    caller: str = ""
    needs: frozenset[str] = frozenset()
    waits: frozenset[str] = frozenset()
    inputs: Mapping[str, Any] = field(default_factory=dict)
    choices: tuple[str, ...] = ()
    depth: int = 0


_DEEPEST: Final = 10  # GitHub calls no further


def _jobs(path: str, document: Mapping[Any, Any], known: Mapping[str, Any], start: _Start) -> Iterator[Job]:
    jobs = {str(name): job for name, job in _mapping(document.get("jobs")).items() if isinstance(job, dict)}
    needed, awaited = ({name: of(job) for name, job in jobs.items()} for of in (_needs, _awaited))
    for name, job in jobs.items():
        if not _active(job, start) or _forgiven(job, start):
            continue
        place, used = f"{path}: {name}", str(job.get("uses") or "")
        here = start
        if not start.caller:
            here = replace(start, caller=name, needs=_closed(needed, name), waits=_closed(awaited, name))
        if used.startswith("./") and start.depth < _DEEPEST:
            called = known.get(used.removeprefix("./").partition("@")[0], {})
            given = {key: _filled(value, start.inputs) for key, value in _mapping(job.get("with")).items()}
            inputs = {**_defaults(called), **given}
            yield from _jobs(place, called, known, replace(here, inputs=inputs, depth=start.depth + 1))
        else:
            yield _job(place, job, here)


def _job(place: str, job: Mapping[str, Any], start: _Start) -> Job:
    steps = [each for each in _listed(job.get("steps")) if isinstance(each, dict)]
    counted = [each for each in steps if _active(each, start) and not _forgiven(each, start)]
    mending = [each for each in counted if re.search(r"(?<!!)failure\(\)", str(each.get("if", "")))]
    environment = job.get("environment")
    named = environment.get("name") if isinstance(environment, dict) else environment
    return Job(
        place,
        start.caller,
        frozenset({start.event}),
        start.needs,
        str(_filled(str(named or ""), start.inputs)),
        tuple(command for each in counted if each not in mending for command in _commands(each, start)),
        {
            str(key): str(_filled(str(value), start.inputs))
            for of in (*counted, job)
            for key, value in _mapping(of.get("env")).items()
        },
        tuple(command for each in mending for command in _commands(each, start)),
        start.choices,
        bool(named),
        start.waits,
    )


def _commands(step: Mapping[str, Any], start: _Start) -> Iterator[Command]:
    if isinstance(step.get("uses"), str):
        yield Command(f"uses {step['uses']}")
    always = holds(_condition(step), start.inputs, start.event)
    pipefail = str(step.get("shell", "")) == "bash"  # GitHub adds it where the shell is named
    for each in shell.commands(str(step.get("run") or ""), pipefail)[0]:
        yield replace(each, sure=each.sure and always is True)


def _condition(part: Mapping[str, Any]) -> str:
    given = part.get("if")
    return re.sub(r"^\s*\$\{\{(.*)\}\}\s*$", r"\1", "" if given is None else str(given)).strip()


def _active(part: Mapping[str, Any], start: _Start) -> bool:
    """Whether a job or a step may be run; what is not known here may hold."""
    return holds(_condition(part), start.inputs, start.event) is not False


def _forgiven(part: Mapping[str, Any], start: _Start) -> bool:
    """Whether its failure passes; what is not known here may let it."""
    given = part.get("continue-on-error")
    return bool(given) and holds(_condition({"if": given}), start.inputs, start.event) is not False


def _awaited(job: Mapping[str, Any]) -> list[str]:
    return [str(each) for each in _listed(job.get("needs"))]


def _needs(job: Mapping[str, Any]) -> list[str]:
    """What has to succeed before a job: all that it needs, unless it says that it is run whatever becomes of that."""
    named = _awaited(job)
    condition = _condition(job)
    if not _REGARDLESS.search(condition):
        return named
    asked = terms(condition, "&&")
    if any(_ALL_PASSED.match(term) for term in asked):
        return named
    return [found[1] for term in asked if (found := _NEEDED.fullmatch(term)) and found[1] in named]


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
    inputs = _mapping(_mapping(_triggers(document).get("workflow_call")).get("inputs"))
    return {str(name): each.get("default", "") for name, each in inputs.items() if isinstance(each, dict)}


def _filled(given: object, inputs: Mapping[str, Any]) -> object:
    """A value with the inputs in it; one that is nothing but an input is that, of its own type."""
    if not isinstance(given, str):
        return given
    if whole := _INPUT.fullmatch(given.strip()):
        return inputs.get(whole[1], given)
    return _INPUT.sub(lambda found: str(inputs.get(found[1], found[0])), given)


# --- GitLab


def _of_gitlab(service: Service) -> Iterator[Job]:
    if not (service.root / GITLAB).is_file():
        return
    document = service.mapping(GITLAB)
    stages = [str(each) for each in _listed(document.get("stages")) or ("build", "test", "deploy")]
    jobs = {
        str(name): _extended(document, each)
        for name, each in document.items()
        if isinstance(each, dict) and not str(name).startswith(".") and ("script" in each or "extends" in each)
    }
    awaited = {name: list(_gitlab_awaited(name, job, jobs, stages)) for name, job in jobs.items()}
    needed = {name: [] if jobs[name].get("when") == "always" else before for name, before in awaited.items()}
    whole = {event for event, _ in _gitlab_events(_mapping(document.get("workflow")))}
    for name, job in jobs.items():
        started = [(event, by_hand) for event, by_hand in _gitlab_events(job) if event in whole | {"manual"}]
        by_hand = any(by_hand for _, by_hand in started)
        environment = job.get("environment")
        named = str(environment.get("name") if isinstance(environment, dict) else environment or "")
        parts = [_flat(document, job.get(part) or ()) for part in ("before_script", "script")]
        run, at_end = shell.commands("\n".join(line for part in parts for line in part), pipefail=True)
        yield Job(
            f"{GITLAB}: {name}",
            name,
            frozenset(event for event, _ in started),
            _closed(needed, name),
            named,
            tuple(run),
            {str(key): str(value) for key, value in _mapping(job.get("variables")).items()},
            tuple(at_end),
            (named,) if by_hand and named else (),
            by_hand,
            _closed(awaited, name),
        )


def _extended(document: Mapping[str, Any], job: Mapping[str, Any]) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    for name in map(str, _listed(job.get("extends"))):
        parent = document.get(name)
        if isinstance(parent, dict):
            whole |= _extended(document, parent)
    variables = {**_mapping(whole.get("variables")), **_mapping(job.get("variables"))}
    return {**whole, **job, "variables": variables}


def _gitlab_awaited(name: str, job: Mapping[str, Any], jobs: Mapping[str, Any], stages: list[str]) -> Iterator[str]:
    if "needs" in job:
        yield from (str(each.get("job") if isinstance(each, dict) else each) for each in _listed(job["needs"]))
        return
    own = _stage(job, stages)
    yield from (other for other, each in jobs.items() if other != name and _stage(each, stages) < own)


def _stage(job: Mapping[str, Any], stages: list[str]) -> int:
    stage = str(job.get("stage", "test"))
    return stages.index(stage) if stage in stages else 0


def _gitlab_events(job: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """What starts a job so that its failure counts, and whether by hand: the first rule that an event meets decides.

    A manual job that nothing waits for is started by nothing else than a hand.
    """
    left = {"pull_request", "schedule", *_PUSHED}
    rules = [each for each in _listed(job.get("rules")) or [{}] if isinstance(each, dict)]
    # GitLab waits for a manual job only if a rule makes it one.
    passed_over = job.get("allow_failure", job.get("when") == "manual" and not job.get("rules"))
    for rule in rules:
        when, forgiven = rule.get("when", job.get("when")), rule.get("allow_failure", passed_over)
        held = {event: holds_on_gitlab(str(rule.get("if", "")), event) for event in sorted(left)}
        left -= {event for event, known in held.items() if known}
        # What is not known here may start a job, and keeps none from it.
        met = [event for event, known in held.items() if known or (known is None and when != "never")]
        if when == "manual" and forgiven and met:
            yield "manual", True
        elif when not in ("never", "on_failure") and not forgiven:
            yield from ((event, when == "manual") for event in met)


def _flat(document: Mapping[str, Any], script: Any) -> Iterator[str]:
    """The lines of a script; lists that anchors have brought, and references, are opened."""
    if isinstance(script, Reference):
        found: Any = document
        for name in script:
            found = _mapping(found).get(name)
        yield from _flat(document, found or ())
    elif isinstance(script, list | tuple):
        for each in script:
            yield from _flat(document, each)
    else:
        yield str(script)
