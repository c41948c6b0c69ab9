"""Whether development, tests and production run the same (https://12factor.net/dev-prod-parity)."""

import re
from typing import Any, Final

from ops.readiness import dockerfile, pipelines
from ops.readiness.outcome import CannotTell, Failed
from ops.readiness.registry import static
from ops.readiness.service import Service

_GITLAB: Final = ".gitlab-ci.yml"


@static("twelve-factor-dev-prod-parity")
def parity(service: Service) -> str:
    """The tests run on the Python that production runs on, and every environment gets the same image."""
    image = dockerfile.python(service.text("Dockerfile"))
    tested = _tested_on(service)
    for path, versions in tested.items():
        if image and image not in versions:
            raise Failed(f"the image has Python {image}, and {path} tests on {', '.join(sorted(versions))}")
    names = _image_names(service)
    if len(set(names.values())) > 1:
        raise Failed(f"environments run different images: {', '.join(f'{e}: {n}' for e, n in names.items())}")
    if tested and not image:
        raise CannotTell(
            f"the Dockerfile's base tells no version of Python, as python:3.13 does: whether it is the one that "
            f"{', '.join(sorted(tested))} tests on is not known"
        )
    if not tested and not names:
        raise CannotTell("no workflow that runs the tests, and no deploy/*/kustomization.yaml, could be read")
    return (
        f"Python {image or 'of the base image'} in the image and in {', '.join(sorted(tested)) or 'no pipeline'}; "
        f"{', '.join(names) or 'no environment'} run the same image"
    )


def _tested_on(service: Service) -> dict[str, set[str]]:
    """Versions of Python of each pipeline's jobs that run `make test`, by the pipeline's file."""
    found: dict[str, set[str]] = {}
    for path, document in pipelines.workflows(service).items():
        jobs = document.get("jobs")
        for job in jobs.values() if isinstance(jobs, dict) else ():
            listed = _at(job, "steps")
            steps = [step for step in listed if isinstance(step, dict)] if isinstance(listed, list) else []
            if any("make test" in str(step.get("run", "")) for step in steps):
                found.setdefault(path, set()).update(each for step in steps for each in _versions(step, job, document))
    if (service.root / _GITLAB).is_file():
        document = service.mapping(_GITLAB)
        jobs = [job for job in document.values() if isinstance(job, dict) and "make test" in str(job.get("script", ""))]
        images = [str(job.get("image") or _at(document, "default", "image")) for job in jobs]
        found[_GITLAB] = {each[1] for image in images if (each := re.search(r"python:(\d+\.\d+)", image))}
    return {path: versions for path, versions in found.items() if versions}


def _versions(step: dict[str, Any], job: dict[str, Any], document: dict[Any, Any]) -> list[str]:
    given = str(_at(step, "with", "python-version") or "")
    if name := re.fullmatch(r"\$\{\{\s*(inputs|matrix)\.([\w-]+)\s*\}\}", given):
        if name[1] == "matrix":
            listed = _at(job, "strategy", "matrix", name[2])  # an expression makes what is not known here
            return [".".join(str(each).split(".")[:2]) for each in listed] if isinstance(listed, list) else []
        given = str(_at(document.get(True) or document.get("on"), "workflow_call", "inputs", name[2], "default") or "")
    return [found[1]] if (found := re.fullmatch(r"(\d+\.\d+)(\.\d+)?", given)) else []


def _at(part: Any, *names: str) -> Any:
    """What stands at a path of keys; None if something else than keys and values stands on the way."""
    for name in names:
        part = part.get(name) if isinstance(part, dict) else None
    return part


def _image_names(service: Service) -> dict[str, str]:
    found = {}
    for file in sorted((service.root / "deploy").glob("*/kustomization.yaml")):
        images = service.mapping(file.relative_to(service.root).as_posix()).get("images") or []
        names = [str(each.get("newName")) for each in images if isinstance(each, dict) and each.get("newName")]
        if names:
            found[file.parent.name] = ", ".join(names)
    return found
