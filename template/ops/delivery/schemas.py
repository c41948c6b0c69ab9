"""Rendered manifests against the schemas of Kubernetes: `python -m ops.delivery.schemas --version 1.37 FOLDER`.

`make manifests-schema` gives it an environment with kubernetes-validate. What an operator has defined is not in those
schemas; the groups that are passed over are named.
"""

import argparse
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

# Kubernetes' own groups have no dot, or end so; whatever else is an operator's.
_OWN: Final = ".k8s.io"
_NOT_OWN: Final = ("gateway.networking.k8s.io",)  # by name among them, but installed apart


def main(arguments: Sequence[str] | None = None) -> int:
    """Check all files of a folder.

    Returns:
        0: all are valid. 1: something is not, a line each. 2: there is nothing to check.
    """
    parser = argparse.ArgumentParser(prog="python -m ops.delivery.schemas", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--version", action="append", required=True, help="of Kubernetes, as 1.37")
    parser.add_argument("folder", type=Path)
    given = parser.parse_args(arguments)
    files = sorted(given.folder.glob("*.yaml"))
    if not files:
        print(f"{given.folder}: no *.yaml is there", file=sys.stderr)
        return 2
    objects = [(file, each) for file in files for each in yaml.safe_load_all(file.read_text("utf-8")) if each]
    own = [(file, each) for file, each in objects if _is_own(each)]
    found = [line for version in given.version for line in _problems(own, version)]
    for line in found:
        print(line, file=sys.stderr)
    if found:
        return 1
    others = sorted({str(each["apiVersion"]) for _, each in objects if not _is_own(each)})
    told = f"; not looked at, for operators define them: {', '.join(others)}" if others else ""
    print(f"{len(own)} objects are valid for Kubernetes {', '.join(given.version)}{told}")
    return 0


def _is_own(found: dict[str, Any]) -> bool:
    group = str(found.get("apiVersion")).rpartition("/")[0]
    return group not in _NOT_OWN and ("." not in group or group.endswith(_OWN))


def _problems(objects: list[tuple[Path, dict[str, Any]]], version: str) -> Iterator[str]:
    import kubernetes_validate  # type: ignore[import-not-found] # noqa: PLC0415 - not in the service's own environment

    for file, each in objects:
        title = f"{file.stem}: {each.get('kind')}/{each.get('metadata', {}).get('name')}: Kubernetes {version}:"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # it only warns where it has no schema
                kubernetes_validate.validate(each, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"{title} {'.'.join(map(str, error.path))}: {error.message}"
        except Exception as error:  # noqa: BLE001 - it has several kinds of errors and warnings for no schema
            yield f"{title} can't be checked: {error}"


if __name__ == "__main__":
    sys.exit(main())
