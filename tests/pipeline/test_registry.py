"""An image goes to a real registry once, and is found there again by its commit: the same digest, whoever asks."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests import images
from tests.container_host import environment, installed
from tests.containers import podman
from tests.images import Release
from tests.services import free_port, until

pytestmark = pytest.mark.slow

CONFIGURATION = """
version: 0.1
storage: {filesystem: {rootdirectory: FOLDER}}
http: {addr: "127.0.0.1:PORT"}
"""


@contextmanager
def registry(folder: Path) -> Iterator[str]:
    """A registry on this machine; its address."""
    port = free_port()
    (folder / "config.yml").write_text(CONFIGURATION.replace("FOLDER", str(folder)).replace("PORT", str(port)))
    program = installed("docker-registry", "docker-registry")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "serve", folder / "config.yml"], stdout=log, stderr=log)
    try:
        until(lambda: httpx2.get(f"http://127.0.0.1:{port}/v2/").status_code == 200, "the registry")
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@dataclass(frozen=True)
class Pushed:
    """A release whose image lies in a registry."""

    project: Path
    address: str
    commit: str
    reference: str


@pytest.fixture(scope="module")
def pushed(first: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pushed]:
    folder = tmp_path_factory.mktemp("registry")
    with registry(folder) as address:
        project = images.changed(first, folder, "ops/image.env", "registry.example.org", address)
        commit = images.committed(project, "another registry")
        made = images.make_image(project, flags=images.build_flags())
        assert made.status == 0, made.stderr[-2000:]
        done = make(project, "push", f"TAG=sha-{commit}", f"DIGEST_FILE={folder / 'digest'}")
        assert done.returncode == 0, done.stdout + done.stderr
        yield Pushed(project, address, commit, (folder / "digest").read_text().strip())


def make(project: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    flags = ["ENGINE=podman", "PUSH_FLAGS=--tls-verify=false", "PULL_FLAGS=--tls-verify=false"]
    command = ["make", "--no-print-directory", "--silent", *arguments, *flags]
    return subprocess.run(
        command, cwd=project, env=environment(), capture_output=True, text=True, check=False, timeout=120
    )


def test_a_push_tells_the_digest_that_the_registry_has_and_moves_no_other_tag(pushed: Pushed) -> None:
    accept = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
    address = f"http://{pushed.address}/v2/services/orders"
    found = httpx2.get(f"{address}/manifests/sha-{pushed.commit}", headers=accept)

    assert pushed.reference == f"{pushed.address}/services/orders@{found.headers['docker-content-digest']}"
    assert httpx2.get(f"{address}/tags/list").json()["tags"] == [f"sha-{pushed.commit}"]


def test_the_image_of_a_commit_is_found_by_who_has_not_built_it(pushed: Pushed) -> None:
    podman("image", "rm", "--force", pushed.reference, f"{pushed.address}/services/orders:sha-{pushed.commit}")
    podman("image", "rm", "--force", f"{pushed.address}/services/orders:0.1.0")
    found = make(pushed.project, "image-find", f"TAG=sha-{pushed.commit}")

    assert found.returncode == 0, found.stderr
    assert found.stdout.split() == [pushed.reference]


def test_an_image_that_was_never_built_is_told_with_what_to_do(pushed: Pushed) -> None:
    done = make(pushed.project, "image-find", "TAG=sha-0000")

    assert done.returncode != 0
    assert "sha-0000: is not there: push the branch of this commit first, and let its pipeline end" in done.stderr


def test_a_pipeline_is_told_name_registry_and_version(pushed: Pushed) -> None:
    done = make(pushed.project, "image-name")

    assert done.stdout.splitlines() == [
        f"name={pushed.address}/services/orders",
        f"registry={pushed.address}",
        "version=0.1.0",
    ]
