"""What is asked of a cluster, by kubectl with whatever access the caller has."""

import json
import os
import shutil
import subprocess
import time
from typing import Final

from .objects import Object, main_container
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


def running(kind: str, namespace: str, name: str) -> str | None:
    """The image that a workload is to run; None where there is no such workload yet.

    Raises:
        ClusterError: the cluster doesn't tell.
    """
    found = kubectl("--namespace", namespace, "get", _typed(kind, name), "--output", "json", "--ignore-not-found")
    try:
        document: Object = json.loads(found) if found.strip() else {}
    except ValueError:
        raise ClusterError(f"kubectl get {_typed(kind, name)}: answers no JSON") from None
    image = main_container(document).get("image")
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
    """In what phase a Rollout is, and why, as `Degraded - RolloutAborted: …`."""
    return kubectl("argo", "rollouts", "--namespace", namespace, "status", name, "--watch=false").strip()


def undone(kind: str, namespace: str, name: str) -> None:
    """Go back to the revision before: its image and its configuration.

    Raises:
        ClusterError: there is none.
    """
    if kind == _ROLLOUT:
        kubectl("argo", "rollouts", "--namespace", namespace, "undo", name)
    else:
        kubectl("--namespace", namespace, "rollout", "undo", _typed(kind, name))


def promoted(namespace: str, name: str) -> None:
    """Let the preview of a blue/green rollout take over, or a paused canary go on.

    Raises:
        ClusterError: it did not.
    """
    kubectl("argo", "rollouts", "--namespace", namespace, "promote", name)


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
