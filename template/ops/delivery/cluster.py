"""What is asked of a cluster, by kubectl with whatever access the caller has."""

import json
import os
import shutil
import subprocess
import time
from typing import Final

from .objects import Object, at, each, main_container
from .reading import DeliveryError

_ROLLOUT: Final = "Rollout"
_POLL_SECONDS: Final = 2.0
_SHOWN: Final = 2000


class ClusterError(Exception):
    """The cluster did not do what was asked; the text says what was, and what kubectl answered."""


def applied(text: str, seconds: float) -> None:
    """Bring these manifests into the cluster.

    Raises:
        ClusterError: it refuses one.
    """
    kubectl("apply", "--filename", "-", stdin=text, seconds=seconds)


def workload(kind: str, namespace: str, name: str) -> Object:
    """A workload as the cluster has it; empty where there is no such workload yet.

    Raises:
        ClusterError: the cluster doesn't tell.
    """
    return fetched(namespace, _typed(kind, name), "--ignore-not-found")


def fetched(namespace: str, *what: str) -> Object:
    """What `kubectl get` tells of something, as JSON; empty if it tells nothing.

    Raises:
        ClusterError: the cluster doesn't tell, or no JSON.
    """
    found = kubectl("--namespace", namespace, "get", *what, "--output", "json")
    try:
        document: Object = json.loads(found) if found.strip() else {}
    except ValueError:
        raise ClusterError(f"kubectl get {' '.join(what)}: answers no JSON") from None
    return document


def listed(namespace: str, what: str, labels: Object) -> list[Object]:
    """The objects of a kind that have these labels.

    Raises:
        ClusterError: the cluster doesn't tell.
    """
    selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    return each(fetched(namespace, what, "--selector", selector), "items")


def running(kind: str, namespace: str, name: str) -> str | None:
    """The image that a workload is to run; None where there is no such workload yet.

    Raises:
        ClusterError: the cluster doesn't tell.
    """
    image = main_container(workload(kind, namespace, name)).get("image")
    return image if isinstance(image, str) else None


def settled(kind: str, namespace: str, name: str, seconds: float, *, paused: bool = False) -> None:
    """Wait until all instances are those of the newest revision, and ready.

    Args:
        kind: of the workload.
        namespace: of the workload.
        name: of the workload.
        seconds: how long at most.
        paused: whether a Rollout that waits for its promotion is as good.

    Raises:
        ClusterError: that was not so in time.
    """
    if kind != _ROLLOUT:
        limit = f"--timeout={seconds:.0f}s"
        kubectl("--namespace", namespace, "rollout", "status", _typed(kind, name), limit, seconds=seconds)
        return
    end, good = time.monotonic() + seconds, ("Healthy", "Paused") if paused else ("Healthy",)
    while not (told := _status(namespace, name)).startswith(good):
        if told.startswith("Degraded") or time.monotonic() > end:
            raise ClusterError(f"rollout/{name} is {told or 'in no known state'}, and was to be {' or '.join(good)}")
        time.sleep(_POLL_SECONDS)


def _status(namespace: str, name: str) -> str:
    """In what phase a Rollout is, and why, as `Degraded - RolloutAborted: …`; empty while that is of an older state."""
    document = workload(_ROLLOUT, namespace, name)
    status, generation = document.get("status") or {}, at(document, "metadata", "generation")
    if str(status.get("observedGeneration")) != str(generation):
        return ""
    return " - ".join(str(status[key]) for key in ("phase", "message") if status.get(key))


def undone(kind: str, namespace: str, name: str, revision: int | None) -> None:
    """Go back as kubectl does, to the revision before or to this one: of a StatefulSet, which has no ReplicaSets.

    Raises:
        ClusterError: there is none.
    """
    to = [f"--to-revision={revision}"] if revision is not None else []
    kubectl("--namespace", namespace, "rollout", "undo", _typed(kind, name), *to)


def promoted(namespace: str, name: str) -> None:
    """Let the preview of a blue/green rollout take over, or a paused canary go on.

    What `kubectl argo rollouts promote` does, which would have to be installed.

    Raises:
        ClusterError: it did not.
    """
    patch = json.dumps({"status": {"pauseConditions": None}})
    how = ("--subresource=status", "--type=merge", "--patch", patch)
    kubectl("--namespace", namespace, "patch", _typed(_ROLLOUT, name), *how)


def _typed(kind: str, name: str) -> str:
    return f"{'rollout.argoproj.io' if kind == _ROLLOUT else kind.lower()}/{name}"


def kubectl(*arguments: str, stdin: str | None = None, seconds: float = 30) -> str:
    """What kubectl prints; `seconds` is how long the cluster may take.

    Raises:
        DeliveryError: kubectl is not installed.
        ClusterError: it failed, or did not end.
    """
    told = f"kubectl {' '.join(arguments)}"
    command = [program(), *arguments]
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=seconds + 30, check=False)
    except subprocess.TimeoutExpired:
        raise ClusterError(f"{told}: did not end within {seconds + 30:.0f} s") from None
    if done.returncode != 0:
        raise ClusterError(f"{told}: {(done.stderr or done.stdout).strip()[-_SHOWN:]}")
    return done.stdout


def program() -> str:
    """Where kubectl is; KUBECTL names another.

    Raises:
        DeliveryError: it is not installed.
    """
    if found := shutil.which(os.environ.get("KUBECTL") or "kubectl"):
        return found
    raise DeliveryError("kubectl is not installed: https://kubernetes.io/docs/tasks/tools/, or name it in KUBECTL")
