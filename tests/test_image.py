"""The image of a rendered service: built by `make image` from its lock file, and run as production runs it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import containers, images
from tests.container_host import BASE
from tests.containers import Container, podman, running
from tests.images import Release, build_flags, layers, make_image, mounted
from tests.services import DRAIN_SECONDS, Ended, until

pytestmark = pytest.mark.slow

TOOLS = Path(sys.executable).parent
COMPILERS = {"gcc", "cc", "g++", "c++", "clang", "tcc", "as", "ld", "make", "cargo", "rustc", "go"}
INSTALLERS = {"pip", "pip3", "uv", "uvx", "easy_install", "apt", "apt-get", "aptitude", "dpkg", "apk", "dnf", "conda"}


@pytest.fixture(scope="module")
def release(orders: Path, shared: Path) -> Release:
    return images.first_release(orders, shared)


@pytest.fixture(scope="module")
def rebuilt(release: Release) -> str:
    """The same release, built without a cache, and without saying what it is built from."""
    flags = ("--no-cache", "--format=docker", "--build-arg=VERSION=1.2.3", *build_flags())
    containers.done("build", "--tag=localhost/rebuilt", *flags, release.project)
    return "localhost/rebuilt"


@pytest.fixture(scope="module")
def service(release: Release) -> Iterator[Container]:
    with running(release.image) as container:
        yield container


def test_it_answers_and_its_healthcheck_passes(service: Container) -> None:
    answer = service.get("/v1/vat-rates/NO")
    health = service.health()

    assert (answer.status_code, answer.json()) == (200, {"country": "NO", "percent": 25})
    assert health.status == 0, health.stdout + health.stderr


def test_its_healthcheck_fails_while_the_process_hangs(service: Container) -> None:
    os.kill(service.pid, signal.SIGSTOP)
    try:
        health = service.health()
    finally:
        os.kill(service.pid, signal.SIGCONT)

    assert health.status == 1
    until(lambda: service.health().status == 0, "health once it goes on")


def test_it_needs_no_root_no_capability_and_no_place_to_write_but_one(service: Container) -> None:
    look = """
import errno, json, os
def writes(folder):
    try:
        open(f"{folder}/probe", "w").close()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "yes"
def limit(*names):  # of the second and the first version of control groups
    places = [f"/sys/fs/cgroup/{name}" for name in names]
    return next(int(open(place).read()) for place in places if os.path.exists(place))
status = dict(line.split(":", 1) for line in open("/proc/1/status"))
print(json.dumps({
    "ids": [os.getuid(), os.getgid()],
    "writes": {folder: writes(folder) for folder in ("/", "/app", "/etc", "/var/tmp", "/run", "/tmp")},
    "process": {name: status[name].strip() for name in ("CapEff", "CapPrm", "CapBnd", "NoNewPrivs")},
    "limits": [limit("memory.max", "memory/memory.limit_in_bytes"), limit("pids.max", "pids/pids.max")],
}))
"""
    seen = json.loads(service.run("python", "-c", look).stdout)

    assert seen["ids"] == [10001, 10001]
    assert seen["writes"] == {**dict.fromkeys(("/", "/app", "/etc", "/var/tmp", "/run"), "EROFS"), "/tmp": "yes"}
    assert seen["process"] == {**dict.fromkeys(("CapEff", "CapPrm", "CapBnd"), "0" * 16), "NoNewPrivs": "1"}
    assert seen["limits"] == [256 * 2**20, 100]


def test_several_workers_need_no_more(release: Release) -> None:
    with running(release.image, env={"APP_WORKERS": "2"}) as container:
        answer = container.get("/v1/vat-rates/NO")
        status, _ = container.stop()

    assert (answer.status_code, status) == (200, 0)


def test_sigterm_ends_it_with_0_within_the_drain_time(release: Release) -> None:
    with running(release.image) as container:
        status, seconds = container.stop()

    assert status == 0
    assert seconds < DRAIN_SECONDS + 4


def test_a_refused_configuration_is_told_and_ends_it_with_78(release: Release) -> None:
    ended = podman("run", "--rm", *containers.HARDENED, "--env=APP_LOG__LEVEL=loud", release.image)

    assert ended.status == 78
    assert "APP_LOG__LEVEL" in ended.stderr


def test_version_commit_and_commit_time_are_told_by_the_service_and_by_labels(
    release: Release, service: Container
) -> None:
    git = ["git", "log", "-1", "--format=%ct"]
    epoch = int(subprocess.run(git, cwd=release.project, capture_output=True, check=True).stdout)
    built = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))
    labels = json.loads(containers.done("image", "inspect", "--format", "{{json .Labels}}", release.image))

    assert service.get("/version").json() == {
        "name": "orders",
        "version": "1.2.3",
        "commit": release.commit,
        "build_time": built,
    }
    prefix = "org.opencontainers.image."
    assert {name.removeprefix(prefix): value for name, value in labels.items() if name.startswith(prefix)} == {
        "title": "orders",
        "version": "1.2.3",
        "revision": release.commit,
        "created": built,
        "source": "https://example.org/orders",
    }


def test_an_image_tells_its_own_commit_even_if_nothing_else_has_changed(release: Release, tmp_path: Path) -> None:
    project = images.changed(release, tmp_path, "docs/operations.md", "# ", "#  ")
    again = images.released(project, "1.2.3", "IMAGE=localhost/same")
    told = containers.done("run", "--rm", again.image, "version")

    assert again.commit != release.commit
    assert f"orders 1.2.3 (commit {again.commit}, " in told


def test_no_compiler_and_nothing_that_installs_is_in_it(release: Release) -> None:
    with mounted(release.image) as root, mounted(BASE) as base:
        programs, before = (
            {path.name for path in files(each) if path.parts[-2] in ("bin", "sbin")} for each in (root, base)
        )
        modules = {path.parent.name for path in files(root) if path.name == "__init__.py"}
        left = [*(root / "var/lib").glob("apt"), *(root / "usr/local/lib").glob("python3*/site-packages/*")]
        known = (root / "var/lib/dpkg/status").read_text("utf-8")

    assert {"apt-get", "dpkg", "pip3"} <= before
    assert programs & (COMPILERS | INSTALLERS) == set()
    assert modules & {"pip", "ensurepip", "uv", "hatchling", "pytest"} == set()
    assert left == []
    assert "Package: libssl3" in known, "by this list scanners know what is in the image"


def files(root: Path) -> list[Path]:
    return [Path(folder) / name for folder, _, names in os.walk(root) for name in names]


def test_the_services_package_is_all_that_is_taken_from_its_repository(release: Release) -> None:
    listed = ["git", "ls-files", "src/orders"]
    committed = subprocess.run(listed, cwd=release.project, capture_output=True, text=True, check=True).stdout.split()
    with mounted(release.image) as root:
        (package,) = (root / "app/.venv/lib").glob("python3*/site-packages/orders")
        inside = {f"src/orders/{path.relative_to(package)}" for path in files(package) if path.suffix != ".pyc"}
        beside = [path.name for path in (root / "app").iterdir()]

    assert inside == set(committed) - {"src/orders/tls.key"}
    assert beside == [".venv"]


def test_no_layer_holds_a_secret_of_the_repository_or_of_the_build(release: Release, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    containers.done("save", "--quiet", "--format=docker-archive", "--output", archive, release.image)
    content = archive.read_bytes()

    assert b"VAT_PERCENT" in content, "layers are not compressed"
    assert images.SECRET.encode() not in content


def test_all_that_a_start_imports_was_compiled_before(service: Container) -> None:
    look = "\n".join(
        (
            "import os, sys",
            "from orders.app import create_app",
            "from orders.settings import Settings",
            "create_app(Settings())",
            "cached = [module.__cached__ for module in sys.modules.values() if getattr(module, '__cached__', None)]",
            "print(len(cached), [path for path in cached if not os.path.exists(path)])",
        )
    )
    count, _, missing = service.run("python", "-c", look).stdout.partition(" ")

    assert int(count) > 400
    assert missing.strip() == "[]"


def test_it_is_at_most_1_3_times_the_smallest_that_can_hold_its_dependencies(release: Release, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {BASE}\nCOPY . /app\n")
    (tmp_path / "ignored").write_text("**/__pycache__\norders*\n")
    with mounted(release.image) as root:
        (packages,) = (root / "app/.venv/lib").glob("python3*/site-packages")
        options = ("--pull=never", "--file", tmp_path / "Dockerfile", "--ignorefile", tmp_path / "ignored")
        containers.done("build", *options, "--tag=localhost/floor", packages)
    ratio = images.size(release.image) / images.size("localhost/floor")

    assert images.size("localhost/floor") > images.size(BASE) + 20_000_000
    assert 1 < ratio < 1.3, ratio


def test_a_change_of_the_source_leaves_all_layers_of_dependencies_as_they_are(release: Release, tmp_path: Path) -> None:
    percent = time.time_ns()  # a change that no cache has seen
    project = images.changed(release, tmp_path, "src/orders/routes.py", '"NO": 25', f'"NO": {percent}')
    began = time.monotonic()
    after = images.released(project, "1.2.4")
    seconds = time.monotonic() - began
    with running(after.image) as container:
        answer = container.get("/v1/vat-rates/NO").json()

    pairs = zip(layers(release.image), layers(after.image), strict=True)
    assert answer == {"country": "NO", "percent": percent}
    assert [old == new for old, new in pairs] == [True, True, True, False, False]
    assert "+ orders==1.2.4" in after.output
    assert "+ fastapi==" not in after.output, "dependencies were installed again"
    assert seconds < 60


def test_a_build_without_a_cache_makes_the_same_layers_of_dependencies_and_service(
    rebuilt: str, release: Release
) -> None:
    assert layers(rebuilt)[2:4] == layers(release.image)[2:4]


def test_an_image_that_was_built_without_saying_of_what_starts_and_says_so(rebuilt: str) -> None:
    with running(rebuilt) as container:
        told = container.get("/version").json()

    assert told == {"name": "orders", "version": "1.2.3", "commit": None, "build_time": None}


@pytest.mark.parametrize("package", ["structlog", "uv"])
def test_a_package_that_is_not_what_the_lock_file_says_is_not_installed(
    release: Release, tmp_path: Path, package: str
) -> None:
    project = Path(shutil.copytree(release.project, tmp_path / "orders"))
    packages = (project / "uv.lock").read_text("utf-8").split("[[package]]")
    (number,) = (i for i, text in enumerate(packages) if text.startswith(f'\nname = "{package}"\n'))
    packages[number] = re.sub('hash = "sha256:.{8}', 'hash = "sha256:00000000', packages[number])
    (project / "uv.lock").write_text("[[package]]".join(packages), "utf-8")
    refused = podman("build", "--target=builder", *build_flags(), project)

    assert refused.status != 0
    assert re.search(f"Hash mismatch for `{package}==|DO NOT MATCH THE HASHES.*{package}==", said(refused), re.DOTALL)


def said(ended: Ended) -> str:
    return ended.stdout + ended.stderr


def test_what_builds_the_service_is_in_the_lock_file_too(release: Release) -> None:
    document = tomllib.loads((release.project / "uv.lock").read_text("utf-8"))

    assert {"uv", "hatchling"} <= {package["name"] for package in document["package"]}


@pytest.mark.parametrize("tool", ["make", "podman"])
def test_without_a_lock_file_there_is_no_image(release: Release, tmp_path: Path, tool: str) -> None:
    project = Path(shutil.copytree(release.project, tmp_path / "orders"))
    (project / "uv.lock").unlink()
    images.committed(project, "no lock")
    made = make_image(project, "ENGINE=echo") if tool == "make" else podman("build", *build_flags(), project)

    assert made.status != 0
    assert "no uv.lock: run make install, and commit it" in said(made).splitlines()


def test_what_is_not_committed_makes_no_image_unless_it_is_called_dirty(release: Release, tmp_path: Path) -> None:
    project = Path(shutil.copytree(release.project, tmp_path / "orders"))
    (project / "src/orders/new.py").touch()
    refused = make_image(project)
    dirty = make_image(project, "DIRTY=1", "ENGINE=echo")

    assert refused.status != 0
    assert "src/orders/new.py\nnot committed: commit it, or say DIRTY=1" in refused.stderr
    assert f"COMMIT={release.commit}-dirty " in dirty.stdout


def test_make_image_tags_with_registry_name_and_version_and_gives_no_text_to_a_shell(release: Release) -> None:
    made = make_image(release.project, "VERSION=2.0.0+build.5", "ENGINE=echo")
    odd = make_image(release.project, "VERSION=1'; echo $(shell id) `id`", "ENGINE=echo")

    assert release.image == "registry.example.org/services/orders:1.2.3"
    assert "--tag registry.example.org/services/orders:2.0.0-build.5 --build-arg VERSION=2.0.0+build.5 " in made.stdout
    assert "--build-arg VERSION=1'; echo $(shell id) `id` --build-arg SOURCE=" in odd.stdout


@pytest.mark.parametrize(
    ("remote", "told"),
    [
        ("https://somebody:password@example.org/orders.git", "https://example.org/orders.git"),
        ("git@example.org:team/orders.git", "https://example.org/team/orders.git"),
    ],
)
def test_the_label_of_the_source_holds_no_password(release: Release, tmp_path: Path, remote: str, told: str) -> None:
    project = Path(shutil.copytree(release.project, tmp_path / "orders"))
    subprocess.run(["git", "remote", "add", "origin", remote], cwd=project, check=True)

    assert f"--build-arg SOURCE={told} " in make_image(project, "ENGINE=echo").stdout


def test_checkov_finds_nothing_in_the_dockerfile(release: Release) -> None:
    command = "uv tool run --quiet checkov==3.3.30 --skip-download --quiet --framework dockerfile --output json --file"
    found = subprocess.run(
        [str(TOOLS / "uv"), *command.split()[1:], str(release.project / "Dockerfile")],
        capture_output=True,
        text=True,
        check=False,
    )
    summary = json.loads(found.stdout)["summary"]

    assert (summary["failed"], summary["parsing_errors"], summary["skipped"]) == (0, 0, 0), found.stdout
    assert summary["passed"] > 50
