"""Makes `template/ops/manifest.json.jinja` and `includes/seeds.jinja`: which file of a service is whose.

By it a service notices edits of the template's files. The digest of a file that is rendered as it is stands in there;
that of one with answers in it is computed when it is rendered.

    python tests/manifest.py          writes them
    python tests/manifest.py --check  ends with 1 if they are not up to date
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pathspec import PathSpec

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from hooks.ownership import blocks, digest, ours  # noqa: E402 - the repository is no installed package

TEMPLATE = ROOT / "template"
MANIFEST = "ops/manifest.json"
SHARED = {"pyproject.toml", "Dockerfile", ".gitignore"}
ANSWERS = "{{ _copier_conf.answers_file }}"
_ON_UPDATE = re.compile(r"\{% if _copier_operation == 'update' %\}(.*)\{% endif %\}")
_BLOCK = r"^[ ]*# begin ops\\b[^\\n]*\\n(?:.*\\n)*?[ ]*# end ops\\b.*\\n"
_INCLUDE = re.compile(r"\{% include '([\w./-]+)' %\}")


def sources() -> list[str]:
    """Paths below `template/` that are rendered, as git knows them: what is ignored or generated is not there."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", "template"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return sorted(path.removeprefix("template/") for path in listed if path and (ROOT / path).exists())


def owners() -> PathSpec[Any]:
    """The patterns of what an update leaves alone, as Copier matches them: the owner's from the first day."""
    excluded = yaml.safe_load((ROOT / "copier.yml").read_text("utf-8"))["_exclude"]
    patterns = [found[1] for pattern in excluded if (found := _ON_UPDATE.fullmatch(pattern))]
    return PathSpec.from_lines("gitignore", patterns)


def classes() -> dict[str, list[str]]:
    """Every source by its class: `files`, `shared`, `seeds`.

    Raises:
        SystemExit: nobody has decided whose a file is, or two rules contradict each other.
    """
    seeds = owners()
    found: dict[str, list[str]] = {"files": [], "shared": [], "seeds": []}
    for source in sources():
        path = source.removesuffix(".jinja")
        if path in (MANIFEST, ANSWERS):
            continue
        kinds = [
            kind
            for kind, holds in (("files", ours(path)), ("shared", path in SHARED), ("seeds", seeds.match_file(path)))
            if holds
        ]
        if len(kinds) != 1:
            raise SystemExit(
                f"template/{source}: it must be the template's (in a folder called ops), shared (in blocks; SHARED in "
                f"tests/manifest.py), or its owner's (under _exclude in copier.yml), and is "
                f"{' and '.join(kinds) or 'none of these'}"
            )
        found[kinds[0]].append(source)
    return found


def entry(source: str, shared: bool) -> str:
    """One line of the manifest: path and digest, in Jinja if only the render can know."""
    text = (TEMPLATE / source).read_text("utf-8")
    path = json.dumps(source.removesuffix(".jinja"))
    included = _INCLUDE.fullmatch(text)
    if included and not shared:
        return f'{path}: "{digest((ROOT / included[1]).read_bytes())}"'
    if not source.endswith(".jinja"):
        return f'{path}: "{digest(blocks(text).encode() if shared else text.encode())}"'
    rendered = f"{{% set text %}}{{% include {'template/' + source!r} %}}{{% endset %}}"
    if shared:
        found = f"text | regex_findall('{_BLOCK}', multiline=True) | join"
        return f"{rendered}{path}: \"{{{{ {found} | hash('sha256') }}}}\""
    return f"{rendered}{path}: \"{{{{ text | hash('sha256') }}}}\""


def lines(entries: list[str], indent: int) -> str:
    return (",\n" + " " * indent).join(entries)


def texts() -> Iterator[tuple[Path, str]]:
    """The generated files and what they should hold."""
    found = classes()
    seeds = [json.dumps(source.removesuffix(".jinja")) for source in found["seeds"]]
    yield ROOT / "includes" / "seeds.jinja", lines(seeds, 4)
    yield (
        TEMPLATE / f"{MANIFEST}.jinja",
        f"""{{
  "version": {{{{ (_copier_answers._commit | default("unknown")) | to_json(ensure_ascii=False) }}}},
  "package": {{{{ package_name | to_json }}}},
  "files": {{
    {lines([entry(source, False) for source in found["files"]], 4)}
  }},
  "shared": {{
    {lines([entry(source, True) for source in found["shared"]], 4)}
  }},
  "seeds": [
    {lines(seeds, 4)}
  ]
}}
""",
    )


def main() -> int:
    stale = [(file, text) for file, text in texts() if not file.is_file() or file.read_text("utf-8") != text]
    for file, text in stale:
        if "--check" in sys.argv:
            print(f"{file.relative_to(ROOT)} is not up to date: make manifest", file=sys.stderr)
        else:
            file.write_text(text, "utf-8")
    return int(bool(stale) and "--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
