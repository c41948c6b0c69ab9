"""Bringing a release into an environment, and taking it back."""

from . import cluster
from .cluster import ClusterError
from .releasing import Image, Release


def deploy(release: Release, seconds: float) -> str | None:
    """Apply a release and wait until all instances run it.

    Args:
        release: what is to run.
        seconds: how long the roll-out may take.

    Returns:
        The image that ran before; None where nothing did.

    Raises:
        ClusterError: the cluster refuses it, or it does not get ready in time. Those of before still serve.
    """
    before = cluster.running(release.kind, release.namespace, release.name)
    cluster.applied(release.text, seconds)
    paused = release.preview is not None
    cluster.settled(release.kind, release.namespace, release.name, seconds, paused=paused)
    return before


def back(release: Release, seconds: float, *, only_from: Image | None) -> tuple[str | None, str | None]:
    """Go back to the revision before this one, configuration included, and wait until all instances run it.

    Args:
        release: of the environment; its image plays no part.
        seconds: how long that may take.
        only_from: the image that must be there for anything to be done: a deployment that was refused before it began
            has changed nothing, and to go back then would take away a release that is good.

    Returns:
        The images before and after; twice the same if nothing was to be done.

    Raises:
        ClusterError: there is no revision before, or it does not get ready in time.
    """
    place = (release.kind, release.namespace, release.name)
    before = cluster.running(*place)
    if before is None:
        raise ClusterError(f"{release.environment}: nothing runs there, so there is nothing to go back from")
    if only_from is not None and before != str(only_from):
        return before, before
    cluster.undone(*place)
    cluster.settled(*place, seconds, paused=release.preview is not None)
    if release.preview is not None:
        cluster.promoted(release.namespace, release.name)
        cluster.settled(*place, seconds)
    return before, cluster.running(*place)
