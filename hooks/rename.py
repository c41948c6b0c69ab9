"""Give the service's package another name, before an update renders the template's part of it under that name."""

import re
from pathlib import Path

from .git import Git
from .ownership import ANSWERS, MANIFEST, Manifest, ours
from .template import Renders, answers


def rename(root: Path, new: str, renders: Renders) -> None:
    """Move `src/OLD` to `src/NEW` below `root` and follow it in imports, paths and answers.

    Words that are merely spelt like the package, such as parts of a URL, are left alone.

    Raises:
        RuntimeError: there is something at the new place already.
    """
    given = answers((root / ANSWERS).read_bytes())
    old = given["package_name"]
    git = Git(root)
    if (root / "src" / new).exists():
        raise RuntimeError(f"src/{new} is there already: choose another package_name")
    manifest = Manifest.parse((root / MANIFEST).read_bytes())
    untouched = {
        path
        for path in manifest.files
        if (root / path).is_file() and manifest.as_made(path, (root / path).read_bytes())
    }
    git.output("mv", f"src/{old}", f"src/{new}")

    fresh = renders.at({**given, "package_name": new})
    for file in fresh.rglob("*"):
        path = file.relative_to(fresh).as_posix()
        before = path.replace(f"src/{new}/", f"src/{old}/", 1)
        if file.is_file() and ours(path) and (before in untouched or path == MANIFEST):
            (root / path).write_bytes(file.read_bytes())
    (root / ANSWERS).write_bytes((fresh / ANSWERS).read_bytes())

    modules = "|".join(["__main__", "ops", *(file.stem for file in (root / "src" / new).glob("*.py"))])
    word = re.compile(
        rf"(?<=\bsrc/){old}\b|(?<=\bfrom ){old}(?=[. ])|(?<=\bimport ){old}\b|(?<![\w./-]){old}(?=\.(?:{modules})\b)"
    )
    for path in git.paths("ls-files", "-z"):
        file = root / path
        if (ours(path) and path not in untouched) or path == ANSWERS or not file.is_file() or file.is_symlink():
            continue
        try:
            text = file.read_bytes().decode()
        except UnicodeDecodeError:
            continue
        changed = word.sub(new, text)
        if changed != text and not ours(path):
            file.write_bytes(changed.encode())
