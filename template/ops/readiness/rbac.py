"""Kubernetes' roles, and who is bound to them, as the rendered manifests have them: a patch may change any."""

from collections.abc import Iterator
from typing import Any, Final

from . import manifests
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
# How groups begin that nobody was asked into; that of all service accounts ends with a namespace, or without one.
EVERYBODY: Final = ("system:authenticated", "system:unauthenticated", "system:serviceaccounts", "system:masters")


class Access:
    """All roles and bindings of all environments.

    Attributes:
        roles: each with its environment's name.
        bindings: likewise.
    """

    def __init__(self, service: Service) -> None:
        self._environments = manifests.environments(service) if manifests.folders(service) else {}
        self.roles = self._of("Role", "ClusterRole")
        self.bindings = self._of("RoleBinding", "ClusterRoleBinding")

    def _of(self, *kinds: str) -> list[tuple[str, Object]]:
        return [(environment, one) for environment, known in self._environments.items() for one in known.of(*kinds)]

    def problems(self) -> Iterator[str]:
        """What gives somebody more than their work needs; once, whatever the number of environments that have it."""
        found: dict[str, str] = {}
        for environment in self._environments:
            for problem in self._problems(environment):
                found.setdefault(problem, f"{manifests.DEPLOY}/{environment}: {problem}")
        yield from found.values()

    def _problems(self, environment: str) -> Iterator[str]:
        roles = [one for at, one in self.roles if at == environment]
        bindings = [one for at, one in self.bindings if at == environment]
        for role in roles:
            yield from (f"{name(role)}: {problem}" for problem in _of_role(role))
        for binding in bindings:
            yield from (f"{name(binding)}: {problem}" for problem in _of_binding(binding))
        if bindings:
            yield from _of_developers(roles, bindings)
        elif roles:
            yield "no role is bound to anybody: bind them in deploy/common/access.yaml"


def name(given: Object) -> str:
    """The object's own name."""
    return str((given.get("metadata") or {}).get("name"))


def _of_developers(roles: list[Object], bindings: list[Object]) -> Iterator[str]:
    """Those who may only read are in no group that may write."""
    readers = {name(role) for role in roles if not set(_verbs(role)) - READING}
    writing: set[str] = set()
    reading: set[str] = set()
    for binding in bindings:
        to = reading if str((binding.get("roleRef") or {}).get("name")) in readers else writing
        to |= {str(each.get("name")) for each in binding.get("subjects") or ()}
    if not reading - writing:
        yield "nobody is bound to a role that may read logs and metrics alone"
    if not writing:
        yield "nobody is bound to a role that may operate the service"


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
        if str(each.get("name")).startswith(EVERYBODY):
            yield f"binds {each['name']}, which is everybody"
        elif each.get("kind") == "User":
            yield f"binds the person {each.get('name')}: bind a group, whose members are reviewed"
