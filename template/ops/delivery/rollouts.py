"""Bringing a release into an environment, and taking it back."""

from collections.abc import Callable
from dataclasses import dataclass

from . import cluster, revisions
from .cluster import ClusterError
from .objects import Object, main_container
from .releasing import Image, Release


@dataclass(frozen=True)
class Running:
    """What a workload is to run: image and revision; None of both where there is no such workload yet."""

    image: str | None
    revision: int | None


def _running(workload: Object) -> Running:
    image = main_container(workload).get("image")
    return Running(image if isinstance(image, str) else None, revisions.number(workload))


def deploy(release: Release, seconds: float, tell: Callable[[Running], None]) -> Running:
    """Apply a release and wait until all instances run it.

    Args:
        release: what is to run.
        seconds: how long the roll-out may take.
        tell: is told what runs, before anything is changed.

    Returns:
        What ran before.

    Raises:
        ClusterError: the cluster refuses it, or it does not get ready in time. Those of before still serve.
    """
    before = _running(cluster.workload(release.kind, release.namespace, release.name))
    tell(before)
    cluster.applied(release.text, seconds)
    paused = release.preview is not None
    cluster.settled(release.kind, release.namespace, release.name, seconds, paused=paused)
    return before


def back(
    release: Release,
    seconds: float,
    *,
    only_from: Image | None = None,
    unless: int | None = None,
    to: int | None = None,
) -> tuple[str | None, str | None]:
    """Go back to a revision before this one, pods and all that is configured in them, and wait until all run it.

    Args:
        release: of the environment; its image plays no part.
        seconds: how long that may take.
        only_from: the image that must be there for anything to be done.
        unless: the revision at which nothing is done: a deployment that has changed nothing has left it there, and to
            go back then would take away a release that is good.
        to: the revision to go to; else the newest with another image that was never taken back.

    Returns:
        The images before and after; twice the same if nothing was to be done.

    Raises:
        ClusterError: there is no such revision, or it does not get ready in time.
    """
    place = (release.kind, release.namespace, release.name)
    workload = cluster.workload(*place)
    now = _running(workload)
    if now.image is None:
        raise ClusterError(f"{release.environment}: nothing runs there, so there is nothing to go back from")
    if (only_from is not None and now.image != str(only_from)) or (unless is not None and now.revision == unless):
        return now.image, now.image
    if release.kind == "StatefulSet":
        cluster.undone(*place, to)
    else:
        known = revisions.known(release.namespace, workload)
        wanted = revisions.before(workload, known, to)
        cluster.applied(revisions.manifest(workload, wanted), seconds)
        revisions.mark(release.namespace, known, now.revision)
    cluster.settled(*place, seconds, paused=release.preview is not None)
    if release.preview is not None:
        cluster.promoted(release.namespace, release.name)
        cluster.settled(*place, seconds)
    return now.image, cluster.running(*place)
