"""Rules for what lies around the pods: who reaches them, how many there are, where their secrets come from."""

import re
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Final

from .objects import WORKLOADS, Environment, Object, at, each, main_container, mapping, selects, texts, title

OPERATIONAL: Final = ("/livez", "/readyz", "/status", "/metrics", "/version")
PRODUCTION: Final = "production"
# Shorter prefixes, by version of IP, are no network that one owner has, but a part of the internet.
_SHORTEST: Final = {4: 8, 6: 16}
# What Kubernetes' autoscaler and KEDA's call the fewest instances.
_LEAST: Final = {"HorizontalPodAutoscaler": "minReplicas", "ScaledObject": "minReplicaCount"}
# These pass connections on, whatever is asked on them.
_WHOLE: Final = ("TLSRoute", "TCPRoute", "UDPRoute", "IngressRouteTCP", "IngressRouteUDP")
# A path in a rule of Traefik; one of several is enough.
_TRAEFIK: Final = re.compile(r"(PathPrefix|PathRegexp|Path)\(`([^`]*)`\)")


def problems(environment: Environment) -> Iterator[str]:
    """What is wrong around the pods of an environment, a sentence each."""
    rules = [_routes, _services, _network, _certificates, _secrets]
    for rule in [*rules, _enough] if environment.name == PRODUCTION else rules:
        yield from rule(environment)


def _routes(environment: Environment) -> Iterator[str]:
    readers = {
        "HTTPRoute": _of_route,
        "Ingress": _of_ingress,
        "GRPCRoute": _of_grpc_route,
        "VirtualService": _of_virtual_service,
        "IngressRoute": _of_ingress_route,
        **dict.fromkeys(_WHOLE, _of_connections),
    }
    services = set(_main_services(environment))
    for route in environment.of(*readers):
        if route["kind"] not in ("HTTPRoute", "Ingress") and not services & set(_called(route)):
            continue  # it leads to something else
        for kind, path, told in readers[route["kind"]](route):
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


def _of_grpc_route(route: Object) -> Iterator[tuple[str, str, str]]:
    """A method of gRPC is the path /service/method."""
    for rule in each(route, "spec", "rules"):
        for match in each(rule, "matches") or [{}]:
            service, method = at(match, "method", "service"), at(match, "method", "method")
            path = f"/{service}/{method or ''}" if service else "/"
            yield ("Exact" if service and method else "PathPrefix"), path, f"method {path}"


def _of_virtual_service(route: Object) -> Iterator[tuple[str, str, str]]:
    """Those of Istio that a gateway reads; the others are for callers inside the mesh."""
    if set(texts(route, "spec", "gateways")) <= {"mesh"}:
        return
    kinds = {"exact": "Exact", "prefix": "PathPrefix", "regex": "RegularExpression"}
    for rule in each(route, "spec", "http"):
        rewrite = at(rule, "rewrite", "uri")
        for match in each(rule, "match") or [{}]:
            uri = mapping(match, "uri") or {"prefix": "/"}
            for kind, path in uri.items():
                yield kinds.get(kind, "PathPrefix"), str(rewrite or path), f"{kind} {path}"
    if at(route, "spec", "tcp") or at(route, "spec", "tls"):
        yield from _of_connections(route)


def _of_ingress_route(route: Object) -> Iterator[tuple[str, str, str]]:
    kinds = {"Path": "Exact", "PathPrefix": "PathPrefix", "PathRegexp": "RegularExpression"}
    for rule in each(route, "spec", "routes"):
        for kind, path in _TRAEFIK.findall(str(rule.get("match"))) or [("PathPrefix", "/")]:
            yield kinds[kind], path, f"{kind} {path}"


def _of_connections(_: Object) -> Iterator[tuple[str, str, str]]:
    yield "PathPrefix", "/", "it passes connections on as they are, so it"


def _main_services(environment: Environment) -> Iterator[str]:
    """Names of the Services that lead to the service itself."""
    for service in environment.of("Service"):
        selector = {"matchLabels": mapping(service, "spec", "selector")}
        if any(main_container(one) and selects(selector, one) for one in environment.of(*WORKLOADS)):
            yield str(at(service, "metadata", "name"))


def _called(value: object) -> Iterator[str]:
    """Names, short, that stand in a route for what it leads to."""
    if isinstance(value, dict):
        yield from (str(value[key]).partition(".")[0] for key in ("name", "host") if isinstance(value.get(key), str))
        for key, one in value.items():
            if key != "metadata":
                yield from _called(one)
    elif isinstance(value, list):
        for one in value:
            yield from _called(one)


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
                if not rule.get(peers) or any(map(_is_everybody, each(rule, peers))):
                    yield f"{title(policy)}: {rules} {number} has everybody in `{peers}`: name who is meant"
                elif rules == "ingress" and not rule.get("ports"):
                    yield f"{title(policy)}: {rules} {number} lets callers reach every port: name the port called http"


def _is_everybody(peer: Object) -> bool:
    """Whether a policy's peer is the internet, or a good part of it, or all pods of the cluster."""
    if "ipBlock" in peer:
        try:
            network = ip_network(str(at(peer, "ipBlock", "cidr")), strict=False)
        except ValueError:
            return False
        return network.prefixlen < _SHORTEST[network.version] and not network.is_private
    return "namespaceSelector" in peer and not (peer["namespaceSelector"] or peer.get("podSelector"))


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
        scaler = next((one for one in environment.of(*_LEAST) if _scales(one, workload)), None)
        if scaler is None:
            count, place = at(workload, "spec", "replicas"), "replicas"
        else:
            least = _LEAST[scaler["kind"]]
            count, place = at(scaler, "spec", least), f"{least} of {title(scaler)}"
        if not isinstance(count, int) or count < 2:
            yield f"{title(workload)}: {place} is {count or 1}, and must be at least 2: one instance alone would fail"
        if not any(selects(at(one, "spec", "selector"), workload) for one in environment.of("PodDisruptionBudget")):
            yield f"{title(workload)}: no PodDisruptionBudget selects its pods: a node's upgrade could stop all at once"


def _scales(scaler: Object, workload: Object) -> bool:
    target = mapping(scaler, "spec", "scaleTargetRef")
    kind = target.get("kind") or ("Deployment" if scaler["kind"] == "ScaledObject" else None)
    return (kind, target.get("name")) == (workload["kind"], at(workload, "metadata", "name"))
