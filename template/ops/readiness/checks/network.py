"""Who reaches the service, what it reaches, and whether certificates and clocks are watched."""

import re
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any, Final

from ops.delivery import pods, surroundings
from ops.delivery.objects import Environment, Object, at, each, mapping, title
from ops.readiness import datastores, manifests, objectives
from ops.readiness.outcome import Failed, NotApplicable
from ops.readiness.registry import static
from ops.readiness.service import Service

_REACHED: Final = re.compile(r"NetworkPolicy|^Service/|reached past the gateway")
_SHOWN: Final = 3
_PUBLISHED: Final = re.compile(r" publishes (?P<what>[^:]*)")
_CLOCK: Final = ("node_timex_offset_seconds", "node_timex_sync_status", "node_ntp_offset_seconds")
_EXPIRY: Final = ("probe_ssl_earliest_cert_expiry", "certmanager_certificate_expiration_timestamp_seconds")


@static("network-isolation")
def network_isolation(service: Service) -> str:
    """Nothing reaches the pods, and they reach nothing, but for what is listed; nobody gets past the gateway."""
    known = manifests.environments(service)
    for name, environment in known.items():
        wrong = [one for one in surroundings.problems(environment) if _REACHED.search(one)]
        if wrong or (wrong := list(pods.problems(environment, pods.exposed))):
            raise Failed(f"deploy/{name}: {'; '.join(wrong[:_SHOWN])}")
    production = manifests.environment(service)
    policies = manifests.selected(production, "NetworkPolicy", manifests.workload(production), "spec", "podSelector")
    callers = sorted({caller for one in policies for caller in _peers(one, "ingress", "from")})
    called = sorted({peer for one in policies for peer in _peers(one, "egress", "to")})
    return (
        f"in {', '.join(known)} all is denied but what {manifests.named(policies)} list: in production "
        f"{', '.join(callers) or 'nobody'} may call it, and it may call {', '.join(called) or 'nobody'}"
    )


def _peers(policy: Object, rules: str, key: str) -> Iterator[str]:
    for rule in each(policy, "spec", rules):
        for peer in each(rule, key):
            labels = {
                **mapping(peer, "namespaceSelector", "matchLabels"),
                **mapping(peer, "podSelector", "matchLabels"),
            }
            yield str(at(peer, "ipBlock", "cidr") or ", ".join(map(str, labels.values())) or "a selector")


@static("api-gateway")
def api_gateway(service: Service) -> str:
    """What is published goes through the gateway, by the paths of the API alone."""
    production = manifests.environment(service)
    for problem in surroundings.problems(production):
        if _PUBLISHED.search(problem):
            raise Failed(f"deploy/{production.name}: {problem}")
    routes = list(production.of("HTTPRoute", "Ingress"))
    if not routes:
        raise NotApplicable(f"deploy/{production.name} publishes nothing: there is no HTTPRoute and no Ingress")
    for route in routes:
        if not (each(route, "spec", "parentRefs") or at(route, "spec", "ingressClassName")):
            raise Failed(f"deploy/{production.name}: {title(route)} names no gateway (parentRefs, ingressClassName)")
    told = [f"{title(route)}: {', '.join(_paths(route)) or 'no path'}" for route in routes]
    return f"published by the gateway alone: {'; '.join(told)}; no operational route is among them"


def _paths(route: Object) -> Iterator[str]:
    for rule in each(route, "spec", "rules"):
        yield from (str(at(match, "path", "value") or "/") for match in each(rule, "matches"))
        yield from (str(path.get("path") or "/") for path in each(rule, "http", "paths"))


@static("db-network")
def db_network(service: Service) -> str:
    """The service's stores are reached from production's network, by rules that name where they are."""
    stores = datastores.needed(service)
    production = manifests.environment(service)
    policies = manifests.selected(production, "NetworkPolicy", manifests.workload(production), "spec", "podSelector")
    found = []
    for policy in policies:
        for rule in each(policy, "spec", "egress"):
            ports = [str(port.get("port")) for port in each(rule, "ports")]
            if "53" in ports:
                continue  # the names' server
            for peer in each(rule, "to"):
                if wide := _public(at(peer, "ipBlock", "cidr")):
                    raise Failed(
                        f"deploy/{production.name}: {title(policy)}: {wide} is not inside production's network"
                    )
                found.append(
                    f"{', '.join(_peers({'spec': {'egress': [{'to': [peer]}]}}, 'egress', 'to'))} port {ports}"
                )
    if not found:
        raise Failed(
            f"deploy/{production.name}: the service uses {', '.join(stores)}, and no NetworkPolicy names where it is: "
            "list its address and port in deploy/common/egress.yaml"
        )
    return f"{', '.join(stores)}: reached by {'; '.join(found)} alone"


def _public(cidr: Any) -> str:
    """The address range, if it reaches beyond private networks."""
    if cidr is None:
        return ""
    try:
        return "" if ip_network(str(cidr), strict=False).is_private else str(cidr)
    except ValueError:
        return str(cidr)


@static("certificates")
def certificates(service: Service) -> str:
    """All that is published is published by TLS, somebody renews its certificate, and an alert tells if nobody does."""
    production = manifests.environment(service)
    routes = list(production.of("HTTPRoute", "Ingress"))
    if not routes:
        raise NotApplicable(f"deploy/{production.name} publishes nothing that would need a certificate")
    alert = _alert(service, _EXPIRY, "a certificate's end")
    told = [_issued(production, route) for route in routes]
    return f"{'; '.join(told)}; the alert {alert} tells of one that nobody renews"


def _issued(production: Environment, route: Object) -> str:
    """Who makes the certificate of a route's host names.

    Raises:
        Failed: nobody does, or not for all of them.
    """
    where = f"deploy/{production.name}: {title(route)}"
    if missing := [one for one in surroundings.problems(production) if "in its dnsNames" in one]:
        raise Failed(f"deploy/{production.name}: {missing[0]}")
    if made := list(production.of("Certificate")):
        issuer = mapping(made[0], "spec", "issuerRef")
        if not issuer.get("name"):
            raise Failed(f"deploy/{production.name}: {title(made[0])} names no issuer")
        return f"{title(made[0])} by {issuer.get('kind')}/{issuer['name']}"
    if route["kind"] == "Ingress":
        secrets = [str(one.get("secretName")) for one in each(route, "spec", "tls")]
        if not secrets:
            raise Failed(f"{where} has no tls: it is published without a certificate")
        return f"{title(route)} with the certificate in {', '.join(secrets)}"
    listeners = [str(one.get("sectionName") or "") for one in each(route, "spec", "parentRefs")]
    if not listeners or not all("https" in one or "tls" in one for one in listeners):
        raise Failed(
            f"{where} is not on a gateway's listener for TLS alone (sectionName: https), and has no Certificate: it "
            "would be published without one"
        )
    return f"{title(route)} on the gateway's listener {', '.join(listeners)}, whose certificate the platform renews"


@static("clock")
def clock(service: Service) -> str:
    """An alert tells of a node whose clock is off."""
    alert = _alert(service, _CLOCK, "the clocks of the nodes")
    return f"the alert {alert} watches the clocks of the nodes that the service runs on"


def _alert(service: Service, metrics: tuple[str, ...], what: str) -> str:
    """The alert that reads one of these metrics.

    Raises:
        Failed: there is none.
    """
    for rule in objectives.standing_rules(service):
        if set(metrics) & objectives.metrics_of(str(rule["expr"])):
            return str(rule["alert"])
    raise Failed(f"{objectives.RULES}: no alert watches {what} ({' or '.join(metrics)})")
