"""What breaks one promise of the logs."""

from tests.readiness.mutating import Mutation, edit
from tests.readiness.mutations_twelve_factor import OPS, in_create_app

MUTATIONS = [
    Mutation("log-stdout", lambda root: in_create_app(root, 'print("starting ...", flush=True)'), "a print"),
    Mutation(
        "log-levels",
        lambda root: edit(root, f"{OPS}/logs.py", "{**_QUIET, **settings.levels}.items()", "_QUIET.items()"),
        "levels of single loggers are ignored",
    ),
    Mutation(
        "log-syslog",
        lambda root: edit(root, f"{OPS}/rfc5424.py", 'f"<{priority}>1 {stamp}', 'f"<{priority}>{stamp}'),
        "the older form of syslog",
    ),
    Mutation(
        "log-email",
        lambda root: edit(root, f"{OPS}/mail.py", 'if now - entry["sent"] < interval or len', "if len"),
        "a mail for each time",
    ),
    Mutation(
        "log-trace",
        lambda root: edit(root, f"{OPS}/outgoing.py", 'request.headers["traceparent"] = context.traceparent', "pass"),
        "calls without the trace",
    ),
    Mutation(
        "log-sensitive",
        lambda root: edit(root, f"{OPS}/logs.py", "    pipeline.processors.append(REDACTOR.event)\n", ""),
        "nothing is redacted",
    ),
    Mutation(
        "log-central",
        lambda root: edit(root, "docs/logs.md", "warning", "debug"),
        "no query for warnings",
    ),
    Mutation(
        "error-reporting",
        lambda root: edit(root, f"{OPS}/settings.py", 'if find_spec("sentry_sdk") is None:', "if not url:"),
        "half on: a DSN without what sends",
    ),
    Mutation(
        "log-alerts",
        lambda root: edit(
            root,
            f"{OPS}/logs.py",
            'name = logger if len(self._failing) < _MOST_LOGGERS else "_OTHER"',
            'name = "_OTHER"',
        ),
        "errors not told apart by logger",
    ),
]
