"""The twelve factors (https://12factor.net) that only a running service shows."""

import re
from typing import Final

from ops.readiness.checks.configuration import PORT, settings_without_anything
from ops.readiness.elsewhere import visit
from ops.readiness.outcome import CannotTell, Failed
from ops.readiness.registry import checks, live
from ops.readiness.running import ground
from ops.readiness.service import Service

FACTORS = (
    "codebase", "dependencies", "config", "backing-services", "build-release-run", "processes", "port-binding",
    "concurrency", "disposability", "dev-prod-parity", "logs", "admin-processes",
)  # fmt: skip
_STICKY: Final = {"sessionAffinity": "ClientIP", "hostNetwork": True}
_START_SECONDS = 15.0
_STOP_SECONDS = 2.5


@live("twelve-factor")
def all_of_them(service: Service) -> str:
    """Each factor has its check and none is waived; and the service needs nothing of the machine that it runs on."""
    unchecked = [factor for factor in FACTORS if f"twelve-factor-{factor}" not in checks()]
    if unchecked:
        raise Failed(f"no check looks at {', '.join(unchecked)}")
    waived = _waived(service)
    if waived:
        raise Failed(f"readiness.yaml says that {', '.join(waived)} does not concern this service: each of them does")
    seen = visit(ground(service))
    if not seen.alone:
        raise Failed(f"in an empty folder, with an empty environment, it does not start: {seen.told}")
    return "twelve factors, a row each, none waived; it starts in an empty folder with an empty environment"


@live("twelve-factor-processes")
def processes(service: Service) -> str:
    """What it has served leaves nothing behind in its folder or home."""
    seen = visit(ground(service))
    if not seen.alive:
        raise CannotTell(f"it does not start in a folder that can be looked at: {seen.told}")
    if seen.left:
        raise Failed(f"it keeps state on its disk, which no other instance has: {', '.join(seen.left[:5])}")
    return "started in an empty folder that is its home, and asked: nothing was written there"


@live("twelve-factor-port-binding")
def port_binding(service: Service) -> str:
    """It serves HTTP by itself, at the port that it is told."""
    at = ground(service)
    answer = at.main().get("/livez").status_code
    value, origin = settings_without_anything(at).get("port", ("", ""))
    if value != str(PORT):
        raise Failed(f"the environment says PORT={PORT}, and it would listen on {value or 'no port'} ({origin})")
    return f"GET /livez at the port of APP_PORT: {answer}; PORT={PORT} is taken, too ({origin})"


@live("twelve-factor-concurrency")
def concurrency(service: Service) -> str:
    """It stays in the foreground under whoever started it, and nothing ties a client to an instance."""
    at = ground(service)
    instance = at.main()
    if not instance.alive:
        raise Failed("the process that was started has ended while its workers serve: it has made itself a daemon")
    if files := [each.name for each in service.root.glob("*.pid")]:
        raise Failed(f"it keeps a file of its process id: {', '.join(files)}")
    if held := pinned(service):
        raise Failed(f"instances can't be added at will: {'; '.join(held)}")
    return "the started process stays in the foreground, with its workers below it; no manifest pins clients or ports"


@live("twelve-factor-disposability")
def disposability(service: Service) -> str:
    """It starts in seconds, and, when it has nothing to do, stops at once."""
    at = ground(service)
    main, alive = at.attempt()
    if not alive:
        raise Failed(f"it does not start: {at.told(main)}")
    if main.seconds > _START_SECONDS:
        raise Failed(
            f"it took {main.seconds:.1f} s to start, and {_START_SECONDS:g} are too many to scale or replace it"
        )
    seen = visit(at)
    if not seen.alive:
        raise CannotTell(f"a second instance, which could be stopped, does not start: {seen.told}")
    if seen.status != 0 or seen.seconds > _STOP_SECONDS:
        how = f"ended {seen.seconds:.1f} s after SIGTERM with status {seen.status}"
        raise Failed(f"with nothing to do it {how}: 0, at once, is wanted")
    return f"started in {main.seconds:.1f} s; with nothing to do it ended {seen.seconds:.1f} s after SIGTERM"


@live("twelve-factor-admin-processes")
def admin_processes(service: Service) -> str:
    """Its own commands run as one-off processes of the same code, with the configuration of the running service."""
    at = ground(service)
    port = str(at.main().port)
    env = {**at.main_environment(), "APP_HOST": "127.0.0.1", "APP_PORT": port}
    for name, arguments in {"verify": ("config", "--check"), "health": ("health", "--ready")}.items():
        ended = at.command(name, *arguments, env=env)
        if ended.status:
            told = at.masks.excerpt(ended.stderr or ended.stdout)
            raise Failed(f"app {' '.join(arguments)} beside the running service ended with {ended.status}: {told}")
    return "app config --check and app health --ready, with the running service's configuration: status 0"


def pinned(service: Service) -> list[str]:
    """What in the manifests keeps instances from being added or taken away at will."""
    found = []
    for folder in ("ops/kubernetes/base", "deploy"):
        for file in sorted((service.root / folder).rglob("*.yaml")):
            path = file.relative_to(service.root).as_posix()
            text = service.text(path)
            found += [
                f"{path}: {key}: {value}"
                for key, value in _STICKY.items()
                if re.search(rf"^[^#\n]*\b{key}:\s*{value}\b", text, re.IGNORECASE | re.MULTILINE)
            ]
            if re.search(r"^[^#\n]*\bhostPort:\s*\d", text, re.MULTILINE):
                found.append(f"{path}: hostPort")
    return found


def _waived(service: Service) -> list[str]:
    try:
        given = service.mapping("readiness.yaml").get("not_applicable")
    except Failed:
        return []
    return [name for name in given or () if str(name).startswith("twelve-factor")] if isinstance(given, dict) else []
