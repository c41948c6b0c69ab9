"""Delivery: where pages and tickets go, how they are grouped, what mutes what."""

from typing import Any, Final

from .rules import ABSENT
from .spec import Spec

SECRETS: Final = "/etc/alertmanager/secrets"


def configuration(spec: Spec) -> dict[str, Any]:
    """Configuration of Alertmanager (0.26 or newer) for this service.

    The receivers' addresses are secrets: files `page_url` and `ticket_url` in `/etc/alertmanager/secrets` hold them.
    """
    mine = f'service="{spec.service}"'
    return {
        "route": {
            "receiver": "ticket",
            "group_by": ["service", "alertname", "sloth_id"],
            "routes": [
                _route("page", [mine, 'severity="page"'], wait="10s", interval="1m", repeat="1h"),
                _route("ticket", [mine], wait="1m", interval="30m", repeat="3d"),
            ],
        },
        "inhibit_rules": [
            # One burn, one message: the faster alert of an objective mutes the slower ones.
            _inhibit(
                ['severity="page"', 'sloth_id!=""'], ['severity="ticket"', 'long_window!=""'], ["service", "sloth_id"]
            ),
            _inhibit(['long_window="1h"'], ['long_window="6h"'], ["service", "sloth_id"]),
            _inhibit(['long_window="1d"'], ['long_window="3d"'], ["service", "sloth_id"]),
            # What follows from nobody answering.
            _inhibit(
                ['alertname="ServiceDown"'],
                [f'alertname=~"{ABSENT}|InstanceNotScraped|ReplicasUnavailable"'],
                ["service"],
            ),
        ],
        "receivers": [_receiver("page"), _receiver("ticket")],
    }


def _route(receiver: str, matchers: list[str], *, wait: str, interval: str, repeat: str) -> dict[str, Any]:
    return {
        "receiver": receiver,
        "matchers": matchers,
        "group_wait": wait,
        "group_interval": interval,
        "repeat_interval": repeat,
    }


def _inhibit(source: list[str], target: list[str], equal: list[str]) -> dict[str, Any]:
    return {"source_matchers": source, "target_matchers": target, "equal": equal}


def _receiver(name: str) -> dict[str, Any]:
    return {"name": name, "webhook_configs": [{"url_file": f"{SECRETS}/{name}_url", "send_resolved": True}]}
