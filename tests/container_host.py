"""What makes a machine without a container service able to build and run real images: podman, and a base image.

As root of a Debian or its like; nothing is asked of a registry.
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tests.services import clean_environment

BASE = "localhost/python:3.13-slim"
_SUITE = "trixie"
_FOLDER = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "shipshape" / "containers"

# The base image, with Python where the official image has it: in /usr/local, with pip, without any bytecode.
_AS_OFFICIAL = r"""
cd "$1" && rm -rf usr/local/lib/python3*
mv usr/lib/python3.* usr/local/lib/ && mv usr/bin/python3* usr/local/bin/ && ln -s python3 usr/local/bin/python
cd usr/local/lib/python3.* && mkdir site-packages ensurepip/_bundled && ln -s site-packages dist-packages
mv "$1"/usr/share/python-wheels/pip-*.whl ensurepip/_bundled/ && rm -r "$1/usr/share/python-wheels"
python3 -m zipfile -e ensurepip/_bundled/pip-*.whl site-packages
printf '#!/bin/sh\nexec python3 -m pip "$@"\n' >"$1/usr/local/bin/pip3" && chmod 755 "$1/usr/local/bin/pip3"
find "$1/usr" -name '*.pyc' -delete
"""


def installed(program: str, *packages: str) -> str:
    """The path of a program, from these Debian packages if it isn't there yet.

    Raises:
        AssertionError: it is not there, and these tests may not install it.
    """
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    if shutil.which(program, path=path) is None:
        allowed = os.getuid() == 0 and shutil.which("apt-get") is not None
        assert allowed, f"{program} is missing, and only root of a Debian can get it: apt install {' '.join(packages)}"
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
            subprocess.run(["apt-get", *command], check=True, env=environment, stdout=subprocess.DEVNULL)
    found = shutil.which(program, path=path)
    assert found is not None, f"{' '.join(packages)}: no {program} in them"
    return found


@cache
def environment() -> dict[str, str]:
    """The variables that make podman build and run here; sets up what it needs, once a machine (a minute)."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with (_FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        installed("podman", "podman", "runc", "netavark", "aardvark-dns", "iptables", "catatonit")
        variables = _configured(clean_environment())
        if subprocess.run(["podman", "image", "exists", BASE], env=variables, check=False).returncode:
            _make_base(variables)
        for kind in ("container", "image"):  # what earlier runs have left
            prune = ["podman", kind, "prune", "--force", "--filter", "until=2h"]
            subprocess.run(prune, env=variables, capture_output=True, check=False)
    return variables


def _configured(variables: dict[str, str]) -> dict[str, str]:
    """Storage of our own; limits below any host's, because raising them needs a right that root may lack."""
    (_FOLDER / "storage.conf").write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{_FOLDER}/store"\nrunroot = "{_FOLDER}/run"\n'
    )
    (_FOLDER / "containers.conf").write_text(
        '[containers]\nnetns = "host"\ndefault_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]\n'
        '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nruntime = "runc"\n'
    )
    return {
        **variables,
        "CONTAINERS_STORAGE_CONF": str(_FOLDER / "storage.conf"),
        "CONTAINERS_CONF": str(_FOLDER / "containers.conf"),
        "BUILDAH_ISOLATION": "chroot",
    }


def _make_base(variables: Mapping[str, str]) -> None:
    """Make `python:3.13-slim` of the Debian release that the official image is made of, from this machine's mirror."""
    bootstrap = installed("mmdebstrap", "mmdebstrap")
    sites = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    hook = _FOLDER / "as-official"
    hook.write_text(f"#!/bin/sh -e\n{_AS_OFFICIAL}")
    hook.chmod(0o755)
    without = [f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in ("man", "doc", "locale")]
    packages = "--include=ca-certificates,python3,python3-venv"
    archive = _FOLDER / "base.tar"
    command = [bootstrap, "--quiet", "--variant=minbase", packages, "--dpkgopt=force-unsafe-io", *without]
    subprocess.run([*command, f"--customize-hook={hook}", _SUITE, archive, f"deb {sites[0]} {_SUITE} main"], check=True)
    path = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
    changes = [f"--change=ENV PATH={path}", '--change=CMD ["python3"]']
    subprocess.run(["podman", "import", "--quiet", *changes, archive, BASE], env=variables, check=True)
    archive.unlink()
