"""Rules for what lies around the pods: who reaches them, how many there are, where their secrets come from."""

import re
from collections.abc import Iterator
from typing import Final

from .objects import WORKLOADS, Environment, Object, at, each, selects, texts, title

OPERATIONAL: Final = ("/livez", "/readyz", "/status", "/metrics", "/version")
PRODUCTION: Final = "production"
_EVERYWHERE: Final = ("0.0.0.0/0", "::/0")


def problems(environment: Environment) -> Iterator[str]:
    """What is wrong around the pods of an environment, a sentence each."""
    rules = [_routes, _services, _network, _certificates, _secrets]
    for rule in [*rules, _enough] if environment.name == PRODUCTION else rules:
        yield from rule(environment)


def _routes(environment: Environment) -> Iterator[str]:
    for route in environment.of("HTTPRoute", "Ingress"):
        found = _of_route(route) if route["kind"] == "HTTPRoute" else _of_ingress(route)
        for kind, path, told in found:
            if open_ := [each for each in OPERATIONAL if _covers(kind, path, each)]:
                yield f"{title(route)}: {told} publishes {', '.join(open_)}: list the paths of the API alone"


def _of_route(route: Object) -> Iterator[tuple[str, str, str]]:
    """Kind of match, path as the service sees it, and what to call it."""
    for rule in each(route, "spec", "rules"):
        if not rule.get("backendRefs"):
            continue  # it redirects
        rewrite = next((at(one, "urlRewrite", "path") for one in each(rule, "filters") if "urlRewrite" in one), None)
        for match in each(rule, "matches") or [{}]:
            kind = at(match, "path", "type") or "PathPrefix"
            path = str(at(match, "path", "value") or "/")
            told = f"{kind} {path}"
            if full := at(rewrite, "replaceFullPath"):
                yield "Exact", str(full), f"{told}, rewritten to {full},"
            elif (start := at(rewrite, "replacePrefixMatch")) is not None:
                yield kind, str(start) or "/", f"{told}, rewritten to {start or '/'},"
            else:
                yield kind, path, told


def _of_ingress(ingress: Object) -> Iterator[tuple[str, str, str]]:
    for rule in each(ingress, "spec", "rules"):
        for one in each(rule, "http", "paths"):
            path = str(one.get("path") or "/")
            yield ("Exact" if one.get("pathType") == "Exact" else "PathPrefix"), path, f"path {path}"
    if at(ingress, "spec", "defaultBackend"):
        yield "PathPrefix", "/", "defaultBackend"


def _covers(kind: str, path: str, route: str) -> bool:
    """Whether a match lets an operational route through, or something below one."""
    if kind == "RegularExpression":
        try:
            return re.match(path, route) is not None or re.match(path, f"{route}/x") is not None
        except re.error:
            return True  # nobody can tell
    below = path == route or path.startswith(f"{route}/")
    return below or (kind == "PathPrefix" and f"{route}/".startswith(f"{path.rstrip('/')}/"))


def _services(environment: Environment) -> Iterator[str]:
    for service in environment.of("Service"):
        kind = at(service, "spec", "type") or "ClusterIP"
        if kind != "ClusterIP" or at(service, "spec", "externalIPs"):
            yield f"{title(service)}: type {kind} or externalIPs can be reached past the gateway: use ClusterIP"


def _network(environment: Environment) -> Iterator[str]:
    for workload in environment.of(*WORKLOADS):
        policies = [one for one in environment.of("NetworkPolicy") if selects(at(one, "spec", "podSelector"), workload)]
        for kind in ("Ingress", "Egress"):
            if not any(kind in (texts(one, "spec", "policyTypes")) for one in policies):
                yield f"{title(workload)}: no NetworkPolicy of type {kind} selects its pods: everything is allowed"
    for policy in environment.of("NetworkPolicy"):
        for rules, peers in (("ingress", "from"), ("egress", "to")):
            for number, rule in enumerate(each(policy, "spec", rules)):
                wide = [at(one, "ipBlock", "cidr") for one in each(rule, peers)]
                if not rule.get(peers) or any(one in _EVERYWHERE for one in wide):
                    yield f"{title(policy)}: {rules} {number} has everybody in `{peers}`: name who is meant"


def _certificates(environment: Environment) -> Iterator[str]:
    names = {name for one in environment.of("Certificate") for name in texts(one, "spec", "dnsNames")}
    if not any(environment.of("Certificate")):
        return
    for route in environment.of("HTTPRoute"):
        for host in texts(route, "spec", "hostnames"):
            if host not in names and f"*.{host.partition('.')[2]}" not in names:
                yield f"{title(route)}: no Certificate has the host name {host} in its dnsNames"


def _secrets(environment: Environment) -> Iterator[str]:
    for secret in environment.of("Secret"):
        if secret.get("data") or secret.get("stringData"):
            yield f"{title(secret)}: its values are in the repository: keep them in a secret manager, and change them"


def _enough(environment: Environment) -> Iterator[str]:
    for workload in environment.of(*WORKLOADS):
        scaler = next((one for one in environment.of("HorizontalPodAutoscaler") if _scales(one, workload)), None)
        if scaler is None:
            count, place = at(workload, "spec", "replicas"), "replicas"
        else:
            count, place = at(scaler, "spec", "minReplicas"), f"minReplicas of {title(scaler)}"
        if not isinstance(count, int) or count < 2:
            yield f"{title(workload)}: {place} is {count or 1}, and must be at least 2: one instance alone would fail"
        if not any(selects(at(one, "spec", "selector"), workload) for one in environment.of("PodDisruptionBudget")):
            yield f"{title(workload)}: no PodDisruptionBudget selects its pods: a node's upgrade could stop all at once"


def _scales(scaler: Object, workload: Object) -> bool:
    target = at(scaler, "spec", "scaleTargetRef")
    return (at(target, "kind"), at(target, "name")) == (workload["kind"], at(workload, "metadata", "name"))
