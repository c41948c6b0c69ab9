"""Programs that a Debian machine's own release has too old or not at all, unpacked into a cache and not installed."""

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

SUITE = "trixie"
_OLDEST = {"prometheus-alertmanager": (0, 26), "kustomize": (5, 0)}
_CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "shipshape" / SUITE


def program(package: str, name: str) -> Path:
    """This machine's own program, if it is new enough; else that of Debian's `trixie`, fetched once from its mirror.

    Raises:
        AssertionError: it can't be had; the text says why.
    """
    if (installed := shutil.which(name)) and _version(installed) >= _OLDEST.get(package, (0,)):
        return Path(installed)
    folder = _CACHE / package
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = folder / "usr/bin" / name
        if not found.exists():
            _unpack(package, folder)
        assert found.exists(), f"{package} of Debian {SUITE} has no {name}"
        return found


def _unpack(package: str, folder: Path) -> None:
    assert shutil.which("apt-get"), f"{package}: no apt-get to fetch it with"
    with tempfile.TemporaryDirectory(prefix="shipshape-apt-") as place:
        work = Path(place)
        (work / "lists/partial").mkdir(parents=True)
        (work / "archives/partial").mkdir(parents=True)
        (work / "status").touch()
        key = "/usr/share/keyrings/debian-archive-keyring.gpg"
        (work / "sources").write_text(f"deb [signed-by={key}] {_mirror()} {SUITE} main\n", "utf-8")
        options = {
            "Dir::Etc::SourceList": work / "sources",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::State::Lists": work / "lists",
            "Dir::State::Status": work / "status",
            "Dir::Cache": work,
            "APT::Sandbox::User": "",
        }
        settings = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        for command in (["update", "-qq"], ["download", "-qq", package]):
            whole = ["apt-get", *settings, *command]
            done = subprocess.run(whole, cwd=work, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{package}: {done.stderr.strip()}"
        archive = next(work.glob(f"{package}_*.deb"))
        subprocess.run(["dpkg-deb", "--extract", archive, folder], check=True)


def _version(program: str) -> tuple[int, ...]:
    """Major and minor version that a program tells; nothing if it tells none."""
    for argument in ("--version", "version"):
        done = subprocess.run([program, argument], capture_output=True, text=True, check=False, timeout=20)
        if done.returncode == 0 and (found := re.search(r"(\d+)\.(\d+)", done.stdout + done.stderr)):
            return int(found[1]), int(found[2])
    return ()


def _mirror() -> str:
    """Where this machine gets its own packages."""
    places = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    text = "\n".join(each.read_text("utf-8", "replace") for each in places if each.is_file())
    found = re.search(r"^(?:URIs:\s*|deb\s+(?:\[[^\]]*\]\s+)?)(\S+)", text, re.MULTILINE)
    assert found, "no apt source is configured"
    return found[1]
