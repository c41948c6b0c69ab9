"""The service, running: a few instances that all live checks of a run share, each started when it is first asked for.

`main` has two workers and everything configured that a check looks at. `bare` is started with nothing configured.
`elsewhere` is started in an empty folder with an empty environment. `stopping` is the one that loses a worker and is
stopped under load. All of them can run side by side.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex, token_urlsafe
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any, Final

from ops.smoke.masking import Masks

from . import arrangement, listening, planted
from .instance import Ended, Instance, Launch, await_life, free_port, outputs, run, started
from .once import Once
from .outcome import CannotTell
from .service import Service

WORKERS: Final = 2
DRAIN_SECONDS: Final = 1.5
# What the file says of settings that nothing else gives, and what the environment says against the file.
HEADER_BYTES_OF_FILE: Final = 20_000
BODY_BYTES_OF_FILE, BODY_BYTES_OF_ENVIRONMENT = 3 * 2**20, 2 * 2**20
MAILED_TO: Final = ("readiness@localhost.example", "second@localhost.example")
_BASE: Final[dict[str, Any]] = {
    "host": "127.0.0.1",
    "log": {"format": "json", "level": "INFO"},
    "shutdown": {"drain_seconds": 0, "timeout_seconds": 1},
}
EX_UNAVAILABLE: Final = 69  # the address can't be had
_TRIES: Final = 3
_LOCK = threading.Lock()


@dataclass
class Ground:
    """Where the instances of one run live, and what they talk to.

    Attributes:
        folder: for their files; removed at the end.
        token: of the status route, from the environment.
        planted: beginning of the paths of the routes that are planted.
        masks: hide what the owner says of the environment.
        there: the service's files and folders before anything was started.
        asking: held by whoever sends the owner's own requests, which others count.
    """

    service: Service
    folder: Path
    masks: Masks
    token: str = field(default_factory=lambda: token_urlsafe(24), repr=False)
    planted: str = field(default_factory=lambda: f"/readiness-{token_hex(6)}")
    there: tuple[Path, ...] = ()
    once: Once = field(default_factory=Once)
    asking: threading.Lock = field(default_factory=threading.Lock)

    @property
    def syslog(self) -> listening.Syslog:
        """What the main instance sends its lines to."""
        return self.once.get("syslog", lambda: listening.syslog(self.service.ending))

    @property
    def mailbox(self) -> listening.Mailbox:
        """What the main instance sends its mails to."""
        return self.once.get("mailbox", lambda: listening.mailbox(self.service.ending))

    @property
    def peer(self) -> listening.Peer:
        """The service that the main instance calls."""
        return self.once.get("peer", lambda: listening.peer(self.service.ending))

    def main(self) -> Instance:
        """Two workers, everything configured. It answers; whether it is ready is for a check to say.

        Raises:
            CannotTell: it does not start.
        """
        instance, alive = self.attempt()
        if not alive:
            raise CannotTell(f"the service does not start: {self.told(instance)}")
        return instance

    @property
    def prefix(self) -> str:
        """Of the planted routes that answer: those behind the owner's middleware, unless it keeps the checks out."""
        return self.once.get("prefix", self._prefix)

    def attempt(self) -> tuple[Instance, bool]:
        """The same, and whether it answers."""
        return self.once.get("main", lambda: self._alive("main", Launch(*self._where, self.main_environment())))

    def bare(self) -> tuple[Instance, bool, tuple[str, ...]]:
        """Nothing configured but its address, and whether it answers; with names of variables that it can't be without.

        Those are what readiness.yaml says that it needs here: where a database is, for example.
        """
        return self.once.get("bare", self._bare)

    def elsewhere(self, name: str, *, linked: bool = False) -> tuple[Instance, bool, Path]:
        """In an empty folder, or one of links to the service's files, with an empty environment.

        Whether it answers is told, and its folder.
        """
        return self.once.get(name, lambda: self._elsewhere(name, linked))

    def stopping(self) -> tuple[Instance, Path]:
        """Two workers, and a file that makes a dependency fail as long as it is there.

        Raises:
            CannotTell: it does not start.
        """
        self.main()
        broken = self.folder / "broken"
        made = {
            **_BASE,
            "workers": WORKERS,
            "status": {"tokens": [self.token]},
            "shutdown": {"drain_seconds": DRAIN_SECONDS, "timeout_seconds": 5},
        }
        env = {**self._arranged("stopping", made), **self._planted(broken)}
        instance, alive = self.once.get("stopping", lambda: self._alive("stopping", Launch(*self._where, env)))
        if not alive:
            raise CannotTell(f"a second instance does not start: {self.told(instance)}")
        return instance, broken

    def command(self, name: str, *arguments: str, env: Mapping[str, str]) -> Ended:
        """One command of the service, run to its end once in a run."""
        return self.once.get(f"command {name}", lambda: run(Launch(*self._where, env), *arguments))

    def effective(self, name: str, env: Mapping[str, str]) -> dict[str, tuple[str, str]]:
        """Each setting's value and origin, as `app config` tells them.

        Raises:
            CannotTell: it tells none.
        """
        ended = self.command(name, "config", env=env)
        if ended.status:
            raise CannotTell(f"app config ended with {ended.status}: {self._last(ended.stderr)}")
        return arrangement.effective(ended.stdout)

    def main_environment(self) -> dict[str, str]:
        """What the main instance is started with."""
        return self.once.get("environment", self._main_environment)

    def told(self, instance: Instance) -> str:
        """The last thing that an instance has written, masked."""
        status = "" if instance.alive else f"ended with {instance.process.returncode}: "
        return status + self.masks.excerpt(instance.last_words())

    def written(self) -> str:
        """All that the main instance has written."""
        return outputs([self.main()])

    def folder_of(self, name: str) -> Path:
        """A folder for one instance's files."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return folder

    @property
    def _where(self) -> tuple[Path, str]:
        return self.service.root, self.service.package

    def _alive(self, name: str, launch: Launch, **changed: str) -> tuple[Instance, bool]:
        """Start one, and wait until it answers; at another port if somebody was quicker to take this one."""
        env = {"APP_HOST": "127.0.0.1", **launch.env, "APP_METRICS__DIR": str(self.folder_of(f"{name}-metrics"))}
        tries = 0
        while True:
            port = free_port()
            given = {**env, "APP_PORT": str(port), **changed}
            instance = started(Launch(launch.root, launch.package, given, launch.cwd, launch.clean), port)
            self.service.ending.callback(instance.end)
            tries += 1
            if (alive := await_life(instance)) or instance.process.poll() != EX_UNAVAILABLE or tries == _TRIES:
                return instance, alive

    def _prefix(self) -> str:
        reached = self.main().get(f"{self.planted}/process").status_code == 200
        return self.planted if reached else self.planted + planted.BESIDE

    def _bare(self) -> tuple[Instance, bool, tuple[str, ...]]:
        instance, alive = self._alive("bare", Launch(*self._where, {}))
        given = self.service.live.env
        if alive or not given:
            return instance, alive, ()
        return *self._alive("bare", Launch(*self._where, given)), tuple(given)

    def _elsewhere(self, name: str, linked: bool) -> tuple[Instance, bool, Path]:
        self.main()
        folder = self.folder_of(name)
        for each in self.there if linked else ():
            (folder / each.name).symlink_to(each)
        env = {
            **self._arranged(name, {**_BASE, "workers": 1}),
            "HOME": str(folder),
            "TMPDIR": str(self.folder_of("temporary")),
        }
        return *self._alive(name, Launch(*self._where, env, cwd=folder, clean=True)), folder

    def _main_environment(self) -> dict[str, str]:
        mail = {"host": "127.0.0.1", "port": self.mailbox.port, "security": "none", "to": list(MAILED_TO)}
        made = {
            **_BASE,
            "workers": WORKERS,
            "status": {"tokens": [self.token]},
            "limits": {"request_body_bytes": BODY_BYTES_OF_ENVIRONMENT},
            "log": {
                **_BASE["log"],
                "levels": {planted.LOUD: "DEBUG", planted.QUIET: "ERROR"},
                "syslog": f"udp://127.0.0.1:{self.syslog.port}",
                "email": {**mail, "gather_seconds": 0.5, "most_per_hour": 1000},
            },
        }
        in_file = {"request_header_bytes": HEADER_BYTES_OF_FILE, "request_body_bytes": BODY_BYTES_OF_FILE}
        env = self._arranged("main", made, {**made, "limits": in_file})
        return {**env, **self._planted(self.folder / "never")}

    def _planted(self, broken: Path) -> dict[str, str]:
        return {planted.PREFIX: self.planted, planted.PEER: self.peer.url, planted.BREAK: str(broken)}

    def _arranged(
        self, name: str, settings: Mapping[str, Any], in_file: Mapping[str, Any] | None = None
    ) -> dict[str, str]:
        return arrangement.environment(self.service, self.folder / f"{name}.yaml", settings, in_file)

    def _last(self, text: str) -> str:
        lines = [line for line in text.splitlines() if line.strip()]
        return self.masks.excerpt(lines[-1]) if lines else "it wrote nothing"


def ground(service: Service) -> Ground:
    """The instances of this run; they end when `service.ending` does."""
    with _LOCK:
        found = service.__dict__.get("_ground")
        if found is None:
            folder = Path(mkdtemp(prefix="readiness-"))
            service.ending.callback(rmtree, folder, ignore_errors=True)
            masks = Masks()
            for value in service.live.env.values():
                if len(value) > 3:
                    masks.add(value)
            there = tuple(service.root.absolute().iterdir())
            found = service.__dict__["_ground"] = Ground(service, folder, masks, there=there)
            masks.add(found.token)
    return found
