"""Images of rendered services for the tests, made as people make them: a commit, and `make image`."""

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.container_host import environment
from tests.containers import done, podman
from tests.services import Ended

SECRET = "planted-secret-that-no-layer-may-hold"
_CERTIFICATES = Path(os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"))


def build_flags(certificates: Path = _CERTIFICATES) -> tuple[str, ...]:
    """Flags of a build: the base image is here, and the network may have a CA of its own."""
    return (
        "--pull=never",
        f"--secret=id=ca,src={certificates}",
        "--build-arg=SSL_CERT_FILE=/run/secrets/ca.crt",
    )


def make_image(project: Path, *variables: str, flags: tuple[str, ...] = ()) -> Ended:
    """`make image` in a service's folder, with these variables of make and flags of the build."""
    make = ["make", "--no-print-directory", "image", "ENGINE=podman", f"BUILD_FLAGS={' '.join(flags)}", *variables]
    ran = subprocess.run(make, cwd=project, env=environment(), capture_output=True, text=True, timeout=300, check=False)
    return Ended(ran.returncode, ran.stdout, ran.stderr)


def committed(project: Path, message: str) -> str:
    """Commit all that git sees in a service's folder; the commit."""
    git = ["git", "-c", "user.name=Owner", "-c", "user.email=owner@example.org", "-c", "commit.gpgsign=false"]
    for command in (["add", "--all"], ["commit", "--quiet", "--message", message]):
        subprocess.run([*git, *command], cwd=project, check=True)
    made = subprocess.run(["git", "rev-parse", "HEAD"], cwd=project, check=True, capture_output=True, text=True)
    return made.stdout.strip()


@dataclass(frozen=True)
class Release:
    """A committed state of a service, its image, and what was said while that was made."""

    project: Path
    image: str
    commit: str
    output: str = ""


def released(project: Path, version: str, *variables: str, flags: tuple[str, ...] = ()) -> Release:
    """Commit what is in a service's folder, and make its image."""
    commit = committed(project, version)
    made = make_image(project, f"VERSION={version}", *variables, flags=flags or build_flags())
    assert made.status == 0, made.stdout[-3000:] + made.stderr[-3000:]
    return Release(project, made.stdout.splitlines()[-1].split()[0], commit, made.stdout + made.stderr)


def first_release(orders: Path, shared: Path) -> Release:
    """Version 1.2.3 of the service, built once a session, from a folder that holds what must stay out of the image."""
    project, known = shared / "released" / "orders", shared / "released" / "release.json"
    project.parent.mkdir(exist_ok=True)
    with (project.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not known.exists():
            without = shutil.ignore_patterns(".venv", ".git", "__pycache__", ".*_cache", ".coverage*")
            shutil.copytree(orders, project, ignore=without)
            subprocess.run(["git", "init", "--quiet"], cwd=project, check=True)
            for path in (".env", "src/orders/.env", "src/orders/tls.key", "config/production.yaml", "id_rsa"):
                (project / path).write_text(f"# {SECRET}\n", "utf-8")
            certificates = project.parent / "ca.crt"
            certificates.write_text(f"# {SECRET}\n{_CERTIFICATES.read_text('utf-8')}", "utf-8")
            made = released(project, "1.2.3", "SOURCE=https://example.org/orders", flags=build_flags(certificates))
            known.write_text(json.dumps([made.image, made.commit]))
    image, commit = json.loads(known.read_text())
    return Release(project, image, commit)


def changed(release: Release, folder: Path, path: str, before: str, after: str) -> Path:
    """A copy of a release's repository with one text of one file changed."""
    project = Path(shutil.copytree(release.project, folder / "orders"))
    text = (project / path).read_text("utf-8")
    assert before in text
    (project / path).write_text(text.replace(before, after), "utf-8")
    return project


def layers(image: str) -> list[str]:
    """The digests of an image's layers, from the base on."""
    found: list[str] = json.loads(done("image", "inspect", "--format", "{{json .RootFS.Layers}}", image))
    return found


def size(image: str) -> int:
    """Bytes of an image, its base included."""
    return int(done("image", "inspect", "--format", "{{.Size}}", image))


@contextmanager
def mounted(image: str) -> Iterator[Path]:
    """An image's files, to look at."""
    try:
        yield Path(done("image", "mount", image))
    finally:
        podman("image", "unmount", image)
