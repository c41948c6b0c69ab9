"""Gets the environments' manifests: from a folder of rendered files, or from kustomize."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from .objects import Environment, Object

# In C where there is one: three environments are a tenth of a second then, and not one.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SHARED = "common"  # what the environments share, and no environment itself


class DeliveryError(ValueError):
    """What is wrong with the input: where, what, and what would be right."""


def rendered(folder: Path) -> list[Environment]:
    """The environments in a folder that holds a file `<environment>.yaml` for each.

    Raises:
        DeliveryError: there is none, or one can't be read.
    """
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise DeliveryError(f"{folder}: no *.yaml is there: render each environment into a file of its name")
    return [Environment(file.stem, objects(_text(file), str(file))) for file in files]


def built(deploy: Path) -> list[Environment]:
    """The environments below a folder, rendered with kustomize; none if nobody has any.

    Raises:
        DeliveryError: there is no kustomize, or it refuses one.
    """
    folders = sorted(file.parent for file in deploy.glob("*/kustomization.yaml") if file.parent.name != SHARED)
    return [Environment(each.name, objects(build(each), str(each))) for each in folders]


def objects(text: str, place: str) -> list[Object]:
    """The objects in a text of YAML documents, lists opened.

    Raises:
        DeliveryError: it is no YAML, or holds something else.
    """
    try:
        documents = list(yaml.load_all(text, Loader=_LOADER))
    except (yaml.YAMLError, ValueError, LookupError, TypeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise DeliveryError(f"{place}{line}: it is no YAML: {getattr(error, 'problem', error)}") from None
    return list(_opened(documents, place))


def _opened(documents: list[object], place: str) -> Iterator[Object]:
    for number, document in enumerate(documents, 1):
        if document is None:
            continue
        if not isinstance(document, dict) or not isinstance(document.get("kind"), str):
            raise DeliveryError(f"{place}: document {number} is no Kubernetes object: it has no kind")
        if document["kind"] == "List" and isinstance(document.get("items"), list):
            yield from _opened(document["items"], place)
        else:
            yield document


def build(folder: Path) -> str:
    """What kustomize makes of a folder.

    Raises:
        DeliveryError: there is no kustomize, or it refuses the folder.
    """
    command = _kustomize()
    try:
        done = subprocess.run([*command, folder], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DeliveryError(f"{folder}: {' '.join(command)} did not end: {error}") from None
    if done.returncode != 0:
        raise DeliveryError(f"{folder}: kustomize refuses it: {done.stderr.strip()}")
    return done.stdout


def _kustomize() -> list[str]:
    if found := shutil.which("kustomize"):
        return [found, "build"]
    if found := shutil.which("kubectl"):
        return [found, "kustomize"]
    raise DeliveryError(
        "neither kustomize nor kubectl is installed: https://kubectl.docs.kubernetes.io/installation/kustomize/, "
        "or give a folder of rendered files with --rendered"
    )


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DeliveryError(f"{file}: it can't be read as UTF-8 text: {error}") from None
