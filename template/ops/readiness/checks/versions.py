"""Whether everything that runs tells which version it is."""

import re
from typing import Any, Final

from ops.readiness import dockerfile, running
from ops.readiness.exposition import samples
from ops.readiness.outcome import Failed
from ops.readiness.registry import live
from ops.readiness.service import Service

_LABELS: Final = {
    "org.opencontainers.image.version": "VERSION",
    "org.opencontainers.image.revision": "COMMIT",
    "org.opencontainers.image.created": "BUILD_TIME",
}
_BUILD: Final = {
    "APP_BUILD__COMMIT": "0f7ab3c25a1e4d7e9d0f3b1f0c2a4e5d6b7c8d9e",
    "APP_BUILD__TIME": "2026-11-30T09:05:07Z",
}


@live("versioning")
def versioning(service: Service) -> str:
    """The routes, the metrics and the logs tell one version; the image carries it with its commit and build time."""
    at = running.ground(service)
    instance = at.main()
    told = _told(instance, at.token)
    if len(set(told.values())) != 1 or "" in told.values():
        raise Failed(
            f"versions differ or are missing: {', '.join(f'{place} tells {one!r}' for place, one in told.items())}"
        )
    version = told["/version"]
    printed = at.command("version", "version", env=_BUILD).stdout
    if lost := [value for value in (version, *_BUILD.values()) if value not in printed]:
        raise Failed(
            f"app version prints {printed.strip()!r}, without {', '.join(lost)}, which the environment gives it"
        )
    if missing := list(_unlabelled(service)):
        raise Failed(f"Dockerfile: the image does not tell {', '.join(missing)}")
    return f"{', '.join(told)} tell version {version}; the image carries it with its commit and build time"


def _told(instance: Any, token: str) -> dict[str, str]:
    """The version by the place that tells it; empty where it does not."""
    status = instance.get("/status", Authorization=f"Bearer {token}").json()
    infos = [each.labels.get("service_version", "") for each in samples(instance.get("/metrics").text, "service_info")]
    lines = [str(line.get("version", "")) for line in instance.logged()[:20] if line]
    return {
        "/version": str(instance.get("/version").json().get("version") or ""),
        "/status": str(status.get("releaseId") or ""),  # `version` there is that of the API
        "service_info": infos[0] if infos else "",
        "log lines": lines[0] if lines and len(set(lines)) == 1 else "",
    }


def _unlabelled(service: Service) -> list[str]:
    """The labels that the image does not get from its build, and the variables that tell it of itself."""
    last = dockerfile.stages(service.text("Dockerfile"))[-1]
    labels = " ".join(rest for name, rest in last.instructions if name == "LABEL")
    lost = [
        label
        for label, argument in _LABELS.items()
        if not re.search(rf"{re.escape(label)}[\"']?=[\"']?\$\{{?{argument}\b", labels)
    ]
    return lost + [name for name in _BUILD if not last.sets(name)]
