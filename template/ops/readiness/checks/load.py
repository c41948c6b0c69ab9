"""The load test: its scenario is one, and the running service answers what it sends."""

import os

from ops.load import plan
from ops.readiness.outcome import CannotTell, Failed
from ops.readiness.registry import live
from ops.readiness.running import Ground, ground
from ops.readiness.service import Service
from ops.smoke.outcome import BadInput
from ops.smoke.plan import Request

_SHARE = ("failed_percent",)
_TIMES = ("p95_ms", "p99_ms")


@live("load-test")
def load_test(service: Service) -> str:
    """load.yaml has weighted requests, stages and thresholds, and each of its requests is answered as it must be."""
    at = ground(service)
    found = _plan(service, at)
    for wanted, why in ((_SHARE, "how much may fail"), (_TIMES, "how long an answer may take")):
        if not set(wanted) & set(found.thresholds):
            raise Failed(f"load.yaml: thresholds say nothing of {why}: one of {', '.join(wanted)} must be there")
    with at.asking:
        wrong = [told for each in found.requests if (told := _asked(at, each.request))]
    if wrong:
        raise Failed("; ".join(wrong))
    most = max(stage.users for stages in found.profiles.values() for stage in stages)
    return (
        f"{len(found.requests)} weighted requests of load.yaml are answered; profiles {', '.join(found.profiles)}, "
        f"up to {most} users; thresholds {', '.join(found.thresholds)}"
    )


def _plan(service: Service, at: Ground) -> plan.Plan:
    service.text(plan.NAME)
    try:
        return plan.read(service.root / plan.NAME, at.masks)
    except BadInput as bad:
        if "is not set" in str(bad):
            raise CannotTell(f"{bad}; set it where this runs") from None
        raise Failed(str(bad).removeprefix(f"{service.root}{os.sep}")) from None


def _asked(at: Ground, request: Request) -> str | None:
    """What is wrong with the answer. Its content is what smoke tests look at."""
    given = {} if request.body is None else {"json": request.body}
    answer = at.main().ask(request.method, request.path, headers=dict(request.headers), **given)
    right = 200 <= answer.status_code < 300 if request.status is None else answer.status_code == request.status
    return None if right else at.masks.text(f"{request.name}: answered {answer.status_code}")
