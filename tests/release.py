"""Makes a release: the changelog's section gets its version, a tag marks the commit, `releases.json` records it.

    python tests/release.py v0.2.0

The record is what the tests of updates tag their own clones by, where tags did not travel. It is a commit after the
one that is tagged, because no commit can name itself.
"""

import datetime as dt
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RELEASES = "releases.json"
EMPTY = "## Unreleased\n\n**What you get**\n\n- Nothing yet.\n\n**By hand**\n\n- Nothing.\n\n"


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def refuse(root: Path, version: str, releases: list[dict[str, Any]]) -> str | None:
    """Why this can't be released now; None if it can."""
    if not re.fullmatch(r"v\d+\.\d+\.\d+(\.post\d+)?", version):
        return f"{version!r} is no version such as v0.2.0"
    if releases and numbers(version) <= numbers(releases[-1]["version"]):
        return f"{version} is not newer than {releases[-1]['version']}"
    if git(root, "status", "--porcelain"):
        return "there are changes that are not committed"
    changelog = (root / "CHANGELOG.md").read_text("utf-8")
    unreleased = changelog.partition("## Unreleased")[2].partition("\n## ")[0]
    if "**What you get**" not in unreleased or "- Nothing yet." in unreleased:
        return 'CHANGELOG.md says nothing under "Unreleased": owners of services must be told what they get'
    return None


def release(root: Path, version: str) -> None:
    """Commit the changelog, tag, record, commit.

    Raises:
        SystemExit: it can't be released, with the reason; nothing was changed.
    """
    file = root / RELEASES
    releases = json.loads(file.read_text("utf-8")) if file.is_file() else []
    reason = refuse(root, version, releases)
    if reason:
        raise SystemExit(reason)
    changelog = root / "CHANGELOG.md"
    heading = f"## {version.removeprefix('v')} ({dt.datetime.now(dt.UTC).date()})"
    text = changelog.read_text("utf-8").replace("## Unreleased", heading, 1)
    changelog.write_text(text, "utf-8")
    subprocess.run([sys.executable, "tests/manifest.py"], cwd=root, check=True)
    git(root, "commit", "--quiet", "--all", "--message", f"Release {version}")
    git(root, "tag", "--annotate", "--message", version, version)
    releases.append({"version": version, "commit": git(root, "rev-parse", "HEAD")})
    file.write_text("[\n" + ",\n".join(f"  {json.dumps(each)}" for each in releases) + "\n]\n", "utf-8")
    changelog.write_text(text.replace(heading, EMPTY + heading, 1), "utf-8")
    subprocess.run([sys.executable, "tests/manifest.py"], cwd=root, check=True)
    git(root, "add", RELEASES)
    git(root, "commit", "--quiet", "--all", "--message", f"Record the commit of {version}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("say which: python tests/release.py v0.2.0")
    release(ROOT, sys.argv[1])
