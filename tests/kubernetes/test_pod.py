"""The manifests run: production's Deployment with its settings, as a real pod of the real image."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
import yaml

from tests import images, services
from tests.containers import done, podman
from tests.images import Release
from tests.kubernetes.manifests import build, objects, only
from tests.services import Ended, free_port, until
from tests.smoke.smoking import smoke_here

pytestmark = pytest.mark.slow
NAME = "pod-of-orders"
APP = f"{NAME}-pod-0-app"
TOKEN_FILE = "/run/secrets/app/APP_STATUS__TOKENS"


@pytest.fixture(scope="module")
def release(orders: Path, shared: Path) -> Release:
    return images.first_release(orders, shared)


@dataclass(frozen=True)
class Pod:
    """A pod on this machine, with one container."""

    url: str

    def python(self, code: str) -> Ended:
        """Run Python in its container."""
        return podman("exec", APP, "python3", "-c", code)


@contextmanager
def playing(text: str, image: str, folder: Path) -> Iterator[Pod]:
    """Run the Deployment of these manifests; changed are its name, its image, and where its port is reached."""
    given = objects(text)
    deployment, settings, port = only(given, "Deployment"), only(given, "ConfigMap"), free_port()
    deployment["metadata"]["name"] = NAME
    pod = deployment["spec"]["template"]["spec"]
    container = pod["containers"][0]
    container["image"] = image
    container["ports"][0].update(hostIP="127.0.0.1", hostPort=port)
    name = pod["volumes"][0]["secret"]["secretName"] = f"{NAME}-secrets"
    values = {"APP_STATUS__TOKENS": base64.b64encode(b"a-token-for-the-tests").decode()}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": values}
    (folder / "pod.yaml").write_text(yaml.safe_dump_all([secret, settings, deployment]), "utf-8")
    try:
        done("kube", "play", "--replace", "--network=bridge", folder / "pod.yaml")
        yield Pod(f"http://127.0.0.1:{port}")
    finally:
        podman("kube", "play", "--down", folder / "pod.yaml")
        podman("volume", "rm", "--force", name)
        podman("secret", "rm", name)


def test_production_s_deployment_runs_hardened_passes_smoke_and_stops_in_its_grace(
    release: Release, source: Path, tmp_path: Path
) -> None:
    project = services.render(source, tmp_path / "orders")
    with playing(build(project, "production"), release.image, tmp_path) as pod:
        until(lambda: httpx2.get(f"{pod.url}/readyz", timeout=10).status_code == 200, "readiness", 20)
        token = pod.python(f"print(open({TOKEN_FILE!r}).read())").stdout.strip()  # podman 4 leaves it in base64
        smoked = smoke_here(project, "--version", "1.2.3", pod.url, env={"SMOKE_STATUS_TOKEN": token})
        inspected = json.loads(done("inspect", APP))[0]
        written = pod.python("import os; open('/tmp/x', 'w'); print(os.getuid(), os.getgid())")
        refused = pod.python("open('/app/x', 'w')")
        done("pod", "stop", "--time=40", f"{NAME}-pod-0")
        status = done("inspect", "--format={{.State.ExitCode}}", APP)

    assert (smoked.status, smoked.ids("fail")) == (0, set())
    assert "APP_ERRORS__ENVIRONMENT=production" in inspected["Config"]["Env"]
    assert (inspected["HostConfig"]["ReadonlyRootfs"], inspected["HostConfig"]["Memory"]) == (True, 256 * 2**20)
    assert (inspected["EffectiveCaps"], inspected["HostConfig"]["SecurityOpt"]) == (None, ["no-new-privileges"])
    assert written.stdout.split() == ["10001", "10001"]
    assert "Read-only file system" in refused.stderr
    assert status == "0"
