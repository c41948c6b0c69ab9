"""A stand-in for kubectl that runs real containers: what is applied is rolled out behind HAProxy (`tests.rollout`).

The program hands each call to the test process, which answers as kubectl would.
"""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from tests.rollout import Deployment, RefusedError, deployment

PROGRAM = """#!{python}
import json, os, socket, sys, time
call = {{"arguments": sys.argv[1:], "stdin": "" if sys.stdin.isatty() or "-" not in sys.argv else sys.stdin.read()}}
connection = socket.socket(socket.AF_UNIX)
connection.connect({address!r})
connection.sendall(json.dumps(call).encode() + b"\\n")
answer = json.loads(connection.makefile().readline())
sys.stdout.write(answer["stdout"]); sys.stdout.flush()
sys.stderr.write(answer["stderr"])
if answer.get("stay"):
    time.sleep(600)
sys.exit(answer["status"])
"""


REVISION = "deployment.kubernetes.io/revision"
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Cluster:
    """One namespace with one Deployment, whose revisions are images that run in containers."""

    def __init__(self, deployed: Deployment, address: Path) -> None:
        self.deployed, self.address = deployed, address
        self.calls: list[list[str]] = []
        self.revisions: list[str] = []  # images; the last one is wanted
        self.applied: dict[str, Any] = {"kind": "Deployment", "metadata": {"name": "orders"}, "spec": {}}
        self.taken_back: list[int] = []
        self.refused = ""
        self.refuse_apply = False

    def program(self, python: str) -> str:
        """The text of the stand-in."""
        return PROGRAM.format(python=python, address=str(self.address))

    def answer(self, arguments: list[str], stdin: str) -> dict[str, Any]:
        """What kubectl does and says."""
        self.calls.append(arguments)
        words = [word for word in arguments if not word.startswith("--")]
        if "apply" in words:
            return self._apply(stdin)
        if "get" in words:
            return said(json.dumps(self._got(words[words.index("get") + 1])))
        if "annotate" in words:
            self.taken_back.append(int(words[words.index("annotate") + 1].rpartition("-")[2]))
            return said("annotated")
        if "status" in words:
            return said(stderr=f"error: {self.refused}", status=1) if self.refused else said("rolled out")
        if "port-forward" in words:
            port = self.deployed.containers[-1].port
            return {**said(f"Forwarding from 127.0.0.1:{port} -> 8000\n"), "stay": True}
        return said(stderr=f"error: unknown command {words}", status=1)

    def _got(self, what: str) -> dict[str, Any]:
        """What `kubectl get` answers: an object, or a list of them."""
        if what.startswith("service/"):
            named = {"app.kubernetes.io/name": "orders"}
            return {"spec": {"selector": named, "ports": [{"port": 80, "targetPort": "http"}]}}
        if what == "pods":
            return {"items": [self._pod()]}
        if what == "replicasets":
            return {"items": [self._replicaset(number) for number in sorted(self._numbers())]}
        if not self.revisions:
            return {}
        annotations = {REVISION: str(len(self.revisions)), APPLIED: json.dumps(self.applied)}
        metadata: dict[str, Any] = {"name": "orders", "annotations": annotations}
        selector = {"matchLabels": {"app.kubernetes.io/name": "orders"}}
        spec = {"selector": selector, "template": self._template(self.revisions[-1])}
        return {"kind": "Deployment", "metadata": metadata, "spec": spec}

    def _numbers(self) -> set[int]:
        """A revision that comes again has a new number, and no longer its old one."""
        return set({image: number for number, image in enumerate(self.revisions, 1)}.values())

    def _replicaset(self, number: int) -> dict[str, Any]:
        marks = {"delivery.ops/taken-back": "true"} if number in self.taken_back else {}
        owner = {"kind": "Deployment", "name": "orders"}
        metadata = {
            "name": f"orders-{number}",
            "annotations": {REVISION: str(number), **marks},
            "ownerReferences": [owner],
        }
        return {"metadata": metadata, "spec": {"template": self._template(self.revisions[number - 1])}}

    def _template(self, image: str) -> dict[str, Any]:
        labels = {"app.kubernetes.io/name": "orders", "pod-template-hash": "5d4f"}
        return {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": image}]}}

    def _pod(self) -> dict[str, Any]:
        """One for all: the way to it leads to the container that was started last."""
        metadata = {"name": "orders-pod", "creationTimestamp": "2026-11-30T10:00:00Z"}
        containers = [{"name": "app", "ports": [{"name": "http", "containerPort": 8000}]}]
        status = {"conditions": [{"type": "Ready", "status": "True"}]}
        return {"metadata": metadata, "spec": {"containers": containers}, "status": status}

    def _apply(self, text: str) -> dict[str, Any]:
        if self.refuse_apply:
            return said(stderr="error: the server does not allow it", status=1)
        [self.applied] = [each for each in yaml.safe_load_all(text) if each["kind"] == "Deployment"]
        image = self.applied["spec"]["template"]["spec"]["containers"][0]["image"]
        if not self.revisions or self.revisions[-1] != image:
            self.revisions.append(image)
            self._roll_out(image)
        return said("applied")

    def _roll_out(self, image: str) -> None:
        self.refused = ""
        try:
            if not self.deployed.runs(image):
                self.deployed.roll_out(image)
        except RefusedError as error:
            self.refused = f"deployment exceeded its progress deadline: {str(error)[:200]}"


def said(stdout: str = "", *, stderr: str = "", status: int = 0) -> dict[str, Any]:
    """An answer."""
    return {"stdout": stdout, "stderr": stderr, "status": status}


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A cluster in which nothing runs yet."""
    # A socket's path must be short.
    with deployment() as deployed, socket.socket(socket.AF_UNIX) as listener, TemporaryDirectory() as folder:
        found = Cluster(deployed, Path(folder) / "kubectl.sock")
        listener.bind(str(found.address))
        listener.listen()
        thread = threading.Thread(target=_serve, args=(listener, found), daemon=True)
        thread.start()
        try:
            yield found
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def _serve(listener: socket.socket, found: Cluster) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection, suppress(OSError, ValueError):
            call = json.loads(connection.makefile().readline())
            try:
                answer = found.answer(call["arguments"], call["stdin"])
            except Exception as error:  # noqa: BLE001 - told where it is seen
                answer = said(stderr=f"the stand-in failed: {type(error).__name__}: {error}", status=99)
            connection.sendall(json.dumps(answer).encode() + b"\n")
