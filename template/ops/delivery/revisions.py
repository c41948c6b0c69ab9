"""The revisions that a workload has had, as its ReplicaSets keep them, and the way back to one."""

import json
import sys
from dataclasses import dataclass
from typing import Any, Final

from . import cluster
from .cluster import ClusterError
from .objects import Object, at, each, main_container, mapping

# Of a ReplicaSet: a deployment of it was taken back, so nobody wants to go back to it.
TAKEN_BACK: Final = "delivery.ops/taken-back"
_NUMBERS: Final = ("deployment.kubernetes.io/revision", "rollout.argoproj.io/revision")
_HASHES: Final = ("pod-template-hash", "rollouts-pod-template-hash")
_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True)
class Revision:
    """One of them: its number, the image of the main container, and the template of its pods."""

    number: int
    image: str
    template: Object
    name: str
    taken_back: bool


def number(thing: Object) -> int | None:
    """The revision that a workload is at, or that a ReplicaSet is of; None if that is not known."""
    annotations = mapping(thing, "metadata", "annotations")
    for key in _NUMBERS:
        if str(annotations.get(key, "")).isdigit():
            return int(annotations[key])
    return None


def known(namespace: str, workload: Object) -> list[Revision]:
    """The revisions of a workload, the newest first.

    Raises:
        ClusterError: the cluster doesn't tell.
    """
    owner = (workload.get("kind"), at(workload, "metadata", "name"))
    labels = mapping(workload, "spec", "selector", "matchLabels")
    found = []
    for one in cluster.listed(namespace, "replicasets", labels):
        owners = {(other.get("kind"), other.get("name")) for other in each(one, "metadata", "ownerReferences")}
        revision = number(one)
        if revision is not None and owner in owners:
            name, image = str(at(one, "metadata", "name")), str(main_container(one).get("image"))
            taken_back = TAKEN_BACK in mapping(one, "metadata", "annotations")
            found.append(Revision(revision, image, mapping(one, "spec", "template"), name, taken_back))
    return sorted(found, key=lambda one: -one.number)


def before(workload: Object, revisions: list[Revision], wanted: int | None = None) -> Revision:
    """The newest revision with another image than now, of which no deployment was taken back; or the one wanted.

    A restart makes a revision of the same image: to go back to that would change nothing.

    Raises:
        ClusterError: there is none.
    """
    now, image = number(workload), main_container(workload).get("image")
    if wanted is not None:
        found = [one for one in revisions if one.number == wanted]
    else:
        found = [one for one in revisions if one.number != now and one.image != image and not one.taken_back]
    if found:
        return found[0]
    there = ", ".join(f"{one.number} ({one.image}{', taken back' * one.taken_back})" for one in revisions)
    asked = f"no revision {wanted}" if wanted is not None else "no revision before with another image"
    raise ClusterError(f"there is {asked} to go back to; there are {there or 'none'}")


def manifest(workload: Object, revision: Revision) -> str:
    """What to apply to go back: the workload as it was applied last, with the pods of that revision.

    `kubectl rollout undo` would leave behind what was applied last: what only the older revision has would then stay
    for ever, since the next `kubectl apply` would not know of it.

    Raises:
        ClusterError: nobody has applied the workload.
    """
    applied = mapping(workload, "metadata", "annotations").get(_APPLIED)
    try:
        document: Any = json.loads(str(applied))
        spec = document["spec"]
    except (ValueError, KeyError, TypeError):
        raise ClusterError("the workload was not brought there by kubectl apply: kubectl rollout undo") from None
    template: Object = json.loads(json.dumps(revision.template))
    labels = mapping(template, "metadata", "labels")
    for key in _HASHES:
        labels.pop(key, None)
    spec["template"] = template
    return json.dumps(document)


def mark(namespace: str, revisions: list[Revision], left: int | None) -> None:
    """Remember that a deployment of this revision was taken back. That it can't be is told, and is no failure."""
    for one in revisions:
        if one.number == left:
            try:
                what = ("--overwrite", f"replicaset/{one.name}", f"{TAKEN_BACK}=true")
                cluster.kubectl("--namespace", namespace, "annotate", *what)
            except ClusterError as error:
                print(f"a later rollback may come back to revision {left}: {error}", file=sys.stderr)
