"""The manifests as they are written: those in deploy/, and the template's that they build on."""

from collections.abc import Iterator
from typing import Any, Final

import yaml

from .outcome import Failed
from .service import Service

FOLDERS: Final = ("deploy", "ops/kubernetes/base")


def documents(service: Service, *folders: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every mapping in the YAML files of these folders, with its file's path.

    Raises:
        Failed: a file is no YAML.
    """
    for folder in folders or FOLDERS:
        for file in sorted((service.root / folder).rglob("*.y*ml")):
            if not file.is_file():
                continue
            path = file.relative_to(service.root).as_posix()
            try:
                found = list(yaml.load_all(service.text(path), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
            except yaml.YAMLError as error:
                mark = getattr(error, "problem_mark", None)
                raise Failed(f"{path}{f':{mark.line + 1}' if mark else ''}: is no YAML") from None
            yield from ((path, each) for each in found if isinstance(each, dict))
