"""The manifests of one environment with the image of one release, named by its digest."""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from . import reading
from .objects import MAIN, WORKLOADS, Environment, Object, at, main_container
from .reading import SHARED, DeliveryError

_IMAGE: Final = re.compile(r"(?P<name>[a-z0-9][\w.:/-]*)@(?P<digest>sha256:[0-9a-f]{64})")


@dataclass(frozen=True)
class Image:
    """An image that can be no other tomorrow: its name, without a tag, and its digest."""

    name: str
    digest: str

    def __str__(self) -> str:
        return f"{self.name}@{self.digest}"


@dataclass(frozen=True)
class Release:
    """What is to run in an environment: its objects, and the workload among them that runs the image."""

    environment: str
    image: Image | None
    text: str
    workload: Object

    @property
    def namespace(self) -> str:
        """The namespace of the workload."""
        return str(at(self.workload, "metadata", "namespace") or "default")

    @property
    def name(self) -> str:
        """The name of the workload, which is the service's."""
        return str(at(self.workload, "metadata", "name"))

    @property
    def kind(self) -> str:
        """`Deployment`, or what a component has made of it."""
        return str(self.workload["kind"])

    @property
    def preview(self) -> str | None:
        """With blue/green, the Service that leads to the new instances before they take over."""
        named = at(self.workload, "spec", "strategy", "blueGreen", "previewService")
        return named if isinstance(named, str) else None


def image(given: str) -> Image:
    """An image by the text of its address.

    Raises:
        DeliveryError: it has no digest: a tag can be moved, and then what was signed off is not what runs.
    """
    found = _IMAGE.fullmatch(given)
    if not found:
        raise DeliveryError(f"image {given!r} names no digest: write NAME@sha256:… as `make push` tells it")
    name, _, tag = found["name"].rpartition(":")
    return Image(name if name and "/" not in tag else found["name"], found["digest"])


def release(deploy: Path, environment: str, wanted: Image | None) -> Release:
    """The manifests in deploy/<environment>, rendered with this image, or as they are; nothing in deploy/ is changed.

    Raises:
        DeliveryError: there is no such environment, kustomize refuses it, or nothing in it runs the image.
    """
    folder = known(deploy, environment)
    text = reading.build(folder) if wanted is None else _with_image(folder, wanted)
    return _checked(environment, wanted, text, str(folder))


def known(deploy: Path, environment: str) -> Path:
    """The folder of an environment.

    Raises:
        DeliveryError: there is no such environment.
    """
    names = sorted(each.parent.name for each in deploy.glob("*/kustomization.yaml") if each.parent.name != SHARED)
    if environment not in names:
        raise DeliveryError(f"environment {environment!r} is not in {deploy}/: there are {', '.join(names) or 'none'}")
    return deploy / environment


def _with_image(folder: Path, wanted: Image) -> str:
    """What kustomize makes of a folder and an image, by a folder beside it that is removed again."""
    with tempfile.TemporaryDirectory(prefix=".release-", dir=folder.parent) as place:
        kustomization = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [f"../{folder.name}"],
            "images": [{"name": wanted.name, "digest": wanted.digest}],
        }
        (Path(place) / "kustomization.yaml").write_text(yaml.safe_dump(kustomization), "utf-8")
        return reading.build(Path(place))


def _checked(environment: str, wanted: Image | None, text: str, place: str) -> Release:
    found = Environment(environment, reading.objects(text, place))
    workloads = [each for each in found.of(*WORKLOADS) if main_container(each)]
    if len(workloads) != 1:
        raise DeliveryError(f"{place}: one workload must have a container called {MAIN}, and {len(workloads)} have")
    named = main_container(workloads[0]).get("image")
    if wanted is not None and named != str(wanted):
        raise DeliveryError(
            f"{place}: its image is {named}, and not of the name {wanted.name}: release that one, or name this one "
            "under `images:` there"
        )
    return Release(environment, wanted, text, workloads[0])
