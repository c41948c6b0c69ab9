"""The workflows' jobs that scan: what each runs, and when it does."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from .outcome import Failed
from .service import Service

FOLDER: Final = ".github/workflows"
GITLAB: Final = ".gitlab-ci.yml"
CHANGES: Final = frozenset({"pull_request", "push", "merge_group"})
_EVENTS: Final = {"merge_request_event": "pull_request", "schedule": "schedule"}  # GitLab's, by GitHub's names


@dataclass(frozen=True)
class Job:
    """One job that a trigger reaches.

    Attributes:
        workflow: path of the file that has it.
        name: its key there.
        commands: what its steps run, and the actions that they use, in lines.
        triggers: events that reach it, by calls too.
    """

    workflow: str
    name: str
    commands: str
    triggers: frozenset[str]


def jobs(service: Service) -> list[Job]:
    """All jobs of the pipeline that is used: GitHub's if one there begins with a change, else GitLab's.

    A workflow that is called has the triggers of its callers.

    Raises:
        Failed: a workflow is no YAML, or there is none.
    """
    github = _of_github(service)
    found = github if any(job.triggers & CHANGES for job in github) else list(_of_gitlab(service))
    if not found:
        raise Failed(f"neither {FOLDER}/ nor {GITLAB} has a job that begins with a change")
    return found


def _of_gitlab(service: Service) -> Iterator[Job]:
    if not (service.root / GITLAB).is_file():
        return
    document = service.mapping(GITLAB)
    rules = str((document.get("workflow") or {}).get("rules", "merge_request_event schedule"))
    triggers = {event for sign, event in _EVENTS.items() if sign in rules}
    for name, job in document.items():
        if isinstance(job, dict) and "script" in job and not name.startswith(".") and not job.get("allow_failure"):
            manual = job.get("when") in ("manual", "never")
            yield Job(GITLAB, name, "\n".join(_flat(job["script"])), frozenset() if manual else frozenset(triggers))


def _flat(script: Any) -> Iterator[str]:
    """The lines of a script; lists that anchors have brought are opened."""
    if isinstance(script, list):
        for each in script:
            yield from _flat(each)
    else:
        yield str(script)


def _of_github(service: Service) -> list[Job]:
    files = sorted((service.root / FOLDER).glob("*.y*ml"))
    documents = {f"{FOLDER}/{file.name}": service.mapping(f"{FOLDER}/{file.name}") for file in files}
    triggers = {path: set(_triggers(document)) for path, document in documents.items()}
    for _ in documents:  # a workflow may call one that calls another
        for path, document in documents.items():
            for called in _calls(document):
                triggers.setdefault(called, set()).update(triggers[path] - {"workflow_call"})
    return [
        Job(path, str(name), "\n".join(_commands(job)), frozenset(triggers[path]))
        for path, document in documents.items()
        for name, job in _jobs(document).items()
        if not _is_off(job)
    ]


def _triggers(document: dict[Any, Any]) -> list[str]:
    given = document.get("on", document.get(True))  # YAML 1.1 reads `on` as true
    return [given] if isinstance(given, str) else [str(each) for each in given or ()]


def _jobs(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = document.get("jobs")
    return {name: job for name, job in found.items() if isinstance(job, dict)} if isinstance(found, dict) else {}


def _calls(document: dict[str, Any]) -> Iterator[str]:
    for job in _jobs(document).values():
        if isinstance(used := job.get("uses"), str) and used.startswith("./") and not _is_off(job):
            yield used.removeprefix("./")


def _is_off(job: dict[str, Any]) -> bool:
    return str(job.get("if", "")).strip().lower() in ("false", "${{ false }}")


def _commands(job: dict[str, Any]) -> Iterator[str]:
    for step in job.get("steps") or ():
        if isinstance(step, dict) and not step.get("continue-on-error") and not _is_off(step):
            if isinstance(step.get("uses"), str):
                yield f"uses {step['uses']}"
            if isinstance(step.get("run"), str):
                yield re.sub(r"(?m)^\s*#.*$", "", step["run"])
