"""Who this service is: its name, versions and build, gathered once."""

import json
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .settings import BuildSettings

PACKAGE = __name__.split(".")[0]
ANSWERS = Path(__file__).with_name("answers.json")
OBJECTIVES = Path(__file__).parents[1] / "slo.json"


@dataclass(frozen=True, slots=True)
class About:
    """The identity that logs, metrics, `/version` and `/status` share."""

    name: str
    version: str
    template_version: str
    latency_edges_seconds: tuple[float, ...]
    commit: str | None = None
    build_time: str | None = None

    def built(self, build: "BuildSettings") -> "About":
        """The same service with the commit and time (RFC 3339) that the image was built with."""
        return About(
            self.name,
            self.version,
            self.template_version,
            self.latency_edges_seconds,
            commit=build.commit,
            build_time=build.time,
        )


def read(answers: Path = ANSWERS, objectives: Path = OBJECTIVES) -> About:
    """Read the answers rendered beside this module, what `make slo` made, and the installed distribution's version.

    Without them (the template's own sources, a checkout that is not installed) the package's name and
    `0+unknown` stand in, so that no import ever fails for the want of a name.
    """
    known = json.loads(answers.read_text("utf-8")) if answers.is_file() else {}
    name: str = known.get("service_name", PACKAGE)
    try:
        installed = version(name)
    except PackageNotFoundError:
        installed = "0+unknown"
    edges = (known.get("latency_target_ms", 300) / 1000,)
    if objectives.is_file():  # made by `make slo`: the objectives are what slo.yaml says, and no longer the answer
        edges = tuple(json.loads(objectives.read_text("utf-8"))["latency_edges_seconds"])
    return About(name, installed, known.get("template_version", "unknown"), edges)


ABOUT = read()
