"""Configuration: what the running service takes from where, and what it refuses."""

import re
import socket
from typing import Final

from ops.readiness.instance import Instance
from ops.readiness.outcome import CannotTell, Failed
from ops.readiness.registry import live
from ops.readiness.running import (
    BODY_BYTES_OF_ENVIRONMENT,
    BODY_BYTES_OF_FILE,
    HEADER_BYTES_OF_FILE,
    Ground,
    ground,
)
from ops.readiness.service import Service

_MASKED = re.compile(r'\["\*+"\]')
EX_CONFIG: Final = 78
# What is wrong on purpose: a value, a name, a value of a secret.
_WRONG_PORT, _UNKNOWN, _SHORT_SECRET = "no-port-at-all", "APP_READINESS_UNKNOWN", "tooshort-7f3a"


@live("config-env")
def environment(service: Service) -> str:
    """A variable of the environment takes effect, wins over the file, and is told without its secret."""
    at = ground(service)
    instance = at.main()
    between = (BODY_BYTES_OF_ENVIRONMENT + BODY_BYTES_OF_FILE) // 2
    taken, refused = _declaring(instance, BODY_BYTES_OF_ENVIRONMENT - 1000), _declaring(instance, between)
    if taken == 413 or refused != 413:
        raise Failed(
            f"APP_LIMITS__REQUEST_BODY_BYTES={BODY_BYTES_OF_ENVIRONMENT}, against {BODY_BYTES_OF_FILE} in the file: a "
            f"body of {BODY_BYTES_OF_ENVIRONMENT - 1000} bytes is answered {taken}, one of {between} bytes {refused}"
        )
    value, origin = at.effective("config", at.main_environment()).get("status.tokens", ("", ""))
    if at.token in at.command("config", "config", env=at.main_environment()).stdout or not _MASKED.fullmatch(value):
        raise Failed("app config shows the token that APP_STATUS__TOKENS gave: a secret must be masked")
    if "APP_STATUS__TOKENS" not in origin:
        raise Failed(f"app config says that status.tokens comes from {at.masks.excerpt(origin) or 'nowhere'}")
    return (
        f"APP_LIMITS__REQUEST_BODY_BYTES wins over the file: {between} bytes are answered {refused}; app config tells "
        f"status.tokens as {value}, from {origin}"
    )


@live("config-file")
def file(service: Service) -> str:
    """What stands in the YAML file alone takes effect, and is told with its line."""
    at = ground(service)
    over = at.main().get("/livez", X_Filling="x" * (HEADER_BYTES_OF_FILE + 1000)).status_code
    below = at.main().get("/livez", X_Filling="x" * (HEADER_BYTES_OF_FILE - 4000)).status_code
    if over != 431 or below == 431:
        raise Failed(
            f"request_header_bytes: {HEADER_BYTES_OF_FILE} in the YAML file: headers of 1000 bytes more are answered "
            f"{over}, of 4000 less {below}"
        )
    _, origin = at.effective("config", at.main_environment()).get("limits.request_header_bytes", ("", ""))
    if not re.search(r"main\.yaml:\d+$", origin):
        raise Failed(f"app config says that limits.request_header_bytes comes from {origin or 'nowhere'}")
    return f"limits.request_header_bytes of the YAML file holds: {over} beyond it; app config names the line"


@live("config-defaults")
def defaults(service: Service) -> str:
    """With nothing configured it starts, as production would have it."""
    at = ground(service)
    instance, alive, needed = at.bare()
    if not alive:
        at.main()  # if that does not start either, the default configuration is not what is wrong
        raise Failed(f"with nothing configured it does not start: {at.told(instance)}")
    told = {name: value for name, (value, _) in settings_without_anything(at).items()}
    if relaxed := [
        f"{name} is {told.get(name)}, {why}"
        for name, (fits, why) in _PRODUCTION.items()
        if not re.fullmatch(fits, told.get(name, ""))
    ]:
        raise Failed(f"defaults that are not production's: {'; '.join(relaxed)}")
    given = f", but for {', '.join(needed)}, as readiness.yaml gives them" if needed else ""
    shown = ", ".join(f"{name} {told[name]}" for name in _PRODUCTION)
    return f"it starts in {instance.seconds:.1f} s with nothing configured{given}: {shown}"


PORT: Final = 18_765  # of no process: `app config` alone is asked with it
_PRODUCTION: Final = {
    "log.format": (r'"json"', "which no log collector parses"),
    "log.level": (r'"(INFO|WARNING)"', "which tells too much, or too little, in production"),
    "shutdown.drain_seconds": (r"[1-9]\d*(\.\d+)?", "so that balancers can't notice a stop in time"),
    "log.email.security": (r'"(starttls|tls)"', "so that mails about errors go in plain"),
    "limits.request_body_bytes": (r"\d{1,8}", "so that one request can fill the memory"),
}


@live("config-invalid")
def invalid(service: Service) -> str:
    """Whatever is wrong is refused at once and named; nothing is served, and no secret told."""
    at = ground(service)
    wrong = at.folder / "wrong.yaml"
    wrong.write_text("# a file\nreadiness_unknown: 1\n", "utf-8")
    env = {
        "APP_CONFIG_FILE": str(wrong),
        "APP_PORT": _WRONG_PORT,
        _UNKNOWN: "1",
        "APP_STATUS__TOKENS": f'["{_SHORT_SECRET}"]',
    }
    try:
        ended = at.command("invalid", "serve", env=env)
    except CannotTell:
        raise Failed(f"with APP_PORT={_WRONG_PORT} and an unknown variable it starts all the same") from None
    told = ended.stderr
    if ended.status != EX_CONFIG:
        raise Failed(f"with a wrong port and unknown names it ended with {ended.status}, and {EX_CONFIG} is wanted")
    if _SHORT_SECRET in told + ended.stdout:
        raise Failed("the refusal of a status token that is too short shows the token")
    wanted = ("APP_PORT", _WRONG_PORT, _UNKNOWN, "APP_STATUS__TOKENS", "wrong.yaml:2", "readiness_unknown")
    if missing := [each for each in wanted if each not in told]:
        raise Failed(f"the refusal does not name {', '.join(missing)}")
    return f"exit status {ended.status}; each of four mistakes is named with its source, and no secret"


def _declaring(instance: Instance, length: int) -> int:
    """The status of a request that declares so many bytes of a body and sends none; 0 without an answer."""
    head = f"POST /readiness-no-such-path HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n"
    with socket.create_connection(("127.0.0.1", instance.port), timeout=5) as connection:
        connection.sendall(f"{head}Expect: 100-continue\r\nConnection: close\r\n\r\n".encode())
        first = connection.recv(1000).split(b"\r\n")[0].split(b" ")
    return int(first[1]) if len(first) > 1 else 0


def settings_without_anything(at: Ground) -> dict[str, tuple[str, str]]:
    """What is in effect with nothing configured but `PORT`."""
    _, _, needed = at.bare()
    return at.effective("defaults", {**(at.service.live.env if needed else {}), "PORT": str(PORT)})
