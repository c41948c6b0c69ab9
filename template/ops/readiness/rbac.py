"""Kubernetes' roles, and who is bound to them, as the manifests have them."""

from collections.abc import Iterator
from typing import Any, Final

from . import deployed
from .service import Service

Object = dict[str, Any]
READING: Final = {"get", "list", "watch"}
# What opens more than it seems: everything in a pod, or other people's rights.
FORBIDDEN: Final = {
    "secrets": "secrets",
    "pods/exec": "commands in pods",
    "pods/attach": "what runs in pods",
    "pods/ephemeralcontainers": "containers in pods",
    "serviceaccounts/token": "tokens of service accounts",
}
RIGHTS: Final = {"impersonate", "bind", "escalate"}
EVERYBODY: Final = {"system:authenticated", "system:unauthenticated", "system:serviceaccounts", "system:masters"}


class Access:
    """All roles and bindings.

    Attributes:
        roles: each with the path of its file.
        bindings: likewise.
    """

    def __init__(self, service: Service) -> None:
        known = list(deployed.documents(service))
        self.roles = [(path, each) for path, each in known if each.get("kind") in ("Role", "ClusterRole")]
        self.bindings = [
            (path, each) for path, each in known if each.get("kind") in ("RoleBinding", "ClusterRoleBinding")
        ]

    def problems(self) -> Iterator[str]:
        """What gives somebody more than their work needs."""
        for path, role in self.roles:
            yield from (f"{path}: {name(role)}: {problem}" for problem in _of_role(role))
        for path, binding in self.bindings:
            yield from (f"{path}: {name(binding)}: {problem}" for problem in _of_binding(binding))
        yield from self._of_developers()

    def _of_developers(self) -> Iterator[str]:
        """Those who may only read are in no group that may write."""
        readers = {name(role).removeprefix("service-") for _, role in self.roles if not set(_verbs(role)) - READING}
        writing: set[str] = set()
        reading: set[str] = set()
        for _, binding in self.bindings:
            role = str((binding.get("roleRef") or {}).get("name"))
            to = reading if any(role.endswith(each) for each in readers) else writing
            to |= {str(each.get("name")) for each in binding.get("subjects") or ()}
        if self.bindings and not reading - writing:
            yield "nobody is bound to a role that may read logs and metrics alone"
        if self.bindings and not writing:
            yield "nobody is bound to a role that may operate the service"


def name(given: Object) -> str:
    """The object's own name."""
    return str((given.get("metadata") or {}).get("name"))


def _verbs(role: Object) -> Iterator[str]:
    for rule in role.get("rules") or ():
        yield from map(str, rule.get("verbs") or ())


def _of_role(role: Object) -> Iterator[str]:
    for rule in role.get("rules") or ():
        resources, verbs = set(map(str, rule.get("resources") or ())), set(map(str, rule.get("verbs") or ()))
        for each in sorted(resources & FORBIDDEN.keys()):
            yield f"gives {FORBIDDEN[each]}"
        if "*" in resources | verbs | set(map(str, rule.get("apiGroups") or ())):
            yield "gives everything, by *"
        for each in sorted(verbs & RIGHTS):
            yield f"gives the right to {each}"


def _of_binding(binding: Object) -> Iterator[str]:
    role = binding.get("roleRef") or {}
    if role.get("kind") == "ClusterRole" and role.get("name") in ("admin", "cluster-admin", "edit"):
        yield f"binds to {role['name']}, which gives secrets and more"
    subjects = binding.get("subjects") or []
    if not subjects:
        yield "binds nobody"
    for each in subjects:
        if each.get("name") in EVERYBODY:
            yield f"binds {each['name']}, which is everybody"
        elif each.get("kind") == "User":
            yield f"binds the person {each.get('name')}: bind a group, whose members are reviewed"
