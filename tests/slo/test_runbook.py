"""The runbook: what its lint finds, what `make slo` adds, and that what it names is there."""

import html
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from ops.slo import alerts, contract, rules, runbook, runbook_page

from tests import services
from tests.debian import program
from tests.slo.specs import SPECS, document, freshness, parsed

TEXTS = services.ROOT / "template/ops/slo/runbook"
# Series of exporters that the runbook names, as their documentation has them: kube-state-metrics, cAdvisor, kubelet,
# node exporter, blackbox exporter, cert-manager, a backup's job; by what they say while something is wrong.
POD = 'namespace="n", pod="orders-7c9d8-x2x4z"'
CONTAINER = f'{POD}, container="app"'
EXPORTED = {
    'kube_deployment_status_replicas_updated{namespace="n", deployment="orders"}': "1x600",
    f'kube_pod_container_resource_limits{{{CONTAINER}, resource="memory", unit="byte", node="n1"}}': "500x600",
    f'kube_pod_container_resource_requests{{{CONTAINER}, resource="cpu", unit="core", node="n1"}}': "1x600",
    f"kube_pod_container_status_restarts_total{{{CONTAINER}}}": "0+1x600",
    f'kube_pod_container_status_waiting_reason{{{CONTAINER}, reason="ImagePullBackOff"}}': "1x600",
    f'kube_pod_info{{{POD}, node="n1", host_ip="10.0.0.1"}}': "1x600",
    'kube_resourcequota{namespace="n", resource="limits.memory", type="used", resourcequota="q"}': "9x600",
    'kube_resourcequota{namespace="n", resource="limits.memory", type="hard", resourcequota="q"}': "10x600",
    f'container_cpu_cfs_periods_total{{{CONTAINER}, id="/a"}}': "0+600x600",
    f'container_cpu_cfs_throttled_periods_total{{{CONTAINER}, id="/a"}}': "0+300x600",
    f'container_cpu_usage_seconds_total{{{CONTAINER}, cpu="total"}}': "0+60x600",
    f'container_fs_reads_bytes_total{{{CONTAINER}, device="/dev/sda"}}': "0+60x600",
    f'container_fs_writes_bytes_total{{{CONTAINER}, device="/dev/sda"}}': "0+60x600",
    f'container_memory_working_set_bytes{{{CONTAINER}, id="/a"}}': "400x600",
    'kubelet_volume_stats_available_bytes{namespace="n", persistentvolumeclaim="orders-data"}': "1000-1x600",
    'node_disk_io_time_seconds_total{instance="n1", device="sda"}': "0+60x600",
    'node_filesystem_avail_bytes{instance="n1", device="/dev/sda", mountpoint="/", fstype="ext4"}': "1000-1x600",
    'node_timex_offset_seconds{instance="n1"}': "1x600",
    'node_timex_sync_status{instance="n1"}': "0x600",
    'probe_http_status_code{job="orders-probe", instance="a"}': "503x600",
    'probe_http_duration_seconds{job="orders-probe", instance="a", phase="tls"}': "1x600",
    'certmanager_certificate_expiration_timestamp_seconds{namespace="n", name="orders-tls"}': "864000x600",
    'backup_last_success_timestamp_seconds{service="orders", datastore="orders"}': "0x600",
}
PAGE = """\
# Runbook

## Alerts

### ServiceDown

**First look.** Ask it.

**Mitigation.** Roll back.

### DiskFull

**First look.**

```console
df
```

**Mitigation.** Enlarge it.

## Commands
"""
NAMES = ["ServiceDown", "DiskFull"]
NO_SECTION = "3: DiskFull: no section for this alert: `make slo` adds one"
UNKNOWN = "no alert has this name: delete the section, name it as its alert, or bring the alert back in slo.yaml"
ELSEWHERE = (
    "the alert's link leads here, and this is no section of an alert: make it `### DiskFull` under `## Alerts`, or "
    "rename one of the two"
)
LINES = ["# One", "### Two ##", "text", "", "", "```", "~~~", "```` x", "- item", "1. one", "---", "===", "--", "<!--"]
LINES += [
    "-->",
    "<!-- # a -->",
    "> quote",
    "#no",
    "### `x` y",
    "a `b`",
    " # Sp",
    "## [a](b) c",
    "### _a_ b_c",
    r"# \_d_",
]


# What kubectl asks the server for, by its command and what that is given.
RESOURCES = {"hpa": "horizontalpodautoscalers", "pvc": "persistentvolumeclaims", "secret": "secrets", "job": "jobs"}
RESOURCES |= {"pod": "pods", "deployment": "deployments"}
ASKED = {
    "exec": [("pods/exec", "create")],
    "port-forward": [("pods/portforward", "create")],
    "debug": [("pods/ephemeralcontainers", "patch")],
    "drain": [("pods/eviction", "create"), ("nodes", "patch")],
    "cordon": [("nodes", "patch")],
    "uncordon": [("nodes", "patch")],
    "scale": [("deployments/scale", "patch")],
    "apply": [("secrets", "patch")],
    "argo": [("rollouts", "patch")],
}


@pytest.fixture(scope="module")
def project(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh render."""
    return services.render(source, tmp_path_factory.mktemp("rendered") / "orders")


@pytest.fixture(scope="module")
def page(project: Path) -> str:
    """Its runbook."""
    return (project / "docs/runbook.md").read_bytes().decode()


def wanted(text: str) -> dict[str, str]:
    """The section of every alert of a slo.yaml, as `make slo` asks for them."""
    known = parsed(text)
    named = [each.alert for each in known.objectives if each.alert]
    return {name: runbook.section(known, name) for name in [*named, rules.ABSENT, *alerts.wanted(known)]}


def sections(text: str) -> dict[str, str]:
    """The sections of a runbook's alerts."""
    below = text.partition("\n## Alerts\n")[2].partition("\n## ")[0]
    found = re.findall(r"^### (\w+)\n(.*?)(?=^### |\Z)", below, re.DOTALL | re.MULTILINE)
    return {name: body.strip() for name, body in found}


def fences(text: str, language: str) -> list[str]:
    """The code blocks of a language."""
    return [each.content for each in MarkdownIt().parse(text) if each.type == "fence" and each.info == language]


def selectors(query: str) -> Iterator[Any]:
    """Every selector of a query.

    Raises:
        ValueError: it is no PromQL.
    """
    found: list[Any] = []

    def visit(node: Any) -> bool:
        found.append(node)
        return True

    promql.walk(promql.parse(query), visit, lambda _: True)
    for node in found:
        if isinstance(node, promql.MatrixSelector | promql.VectorSelector):
            yield getattr(node, "vector_selector", node)


def needed(command: str) -> set[tuple[str, str]]:
    """Which resources and verbs a kubectl command needs."""
    verb, first, *rest = [word.strip('"') for word in command.split()]
    if verb in ASKED:
        return set(ASKED[verb])
    if verb in ("rollout", "set"):
        return {("deployments", "get" if first in ("status", "history") or "--list" in rest else "patch")}
    if verb == "logs":
        return {("pods/log", "get")} | ({("jobs", "get")} if first.startswith("job/") else set())
    named = [RESOURCES.get(each, each) for each in first.split("/")[0].split(",")]
    return {(each, "get" if verb == "describe" else verb) for each in named}


def test_the_seed_has_help_for_every_alert_and_nothing_else(project: Path, page: str) -> None:
    known = wanted((project / "slo.yaml").read_text("utf-8"))

    assert runbook.lint(page, list(known)) == []
    assert runbook.completed(page, known) == (page, [])
    assert sections(page) == known


def test_pages_come_before_tickets_and_alerts_in_the_catalogues_order(page: str) -> None:
    found = list(sections(page))
    tickets = [name for name in alerts.NAMES if alerts.CATALOGUE[name]["severity"] == "ticket"]

    assert found[:4] == ["AvailabilityErrorBudgetBurn", "LatencyErrorBudgetBurn", "ServiceDown", "SyntheticProbeFailed"]
    assert found[4:] == ["SLIMetricAbsent", *tickets]


@pytest.mark.parametrize("file", sorted(TEXTS.glob("*.md")), ids=lambda file: file.stem)
def test_every_section_says_what_it_means_where_to_look_what_to_do_and_whom_to_call(file: Path, page: str) -> None:
    text = file.read_text("utf-8")
    parts = re.split(r"^\*\*(.+?)\.\*\* ?", text, flags=re.MULTILINE)
    whom = set(re.findall(r"^\| \*\*(.+?)\*\* \|", page, re.MULTILINE))

    assert parts[0] == ""
    assert parts[1::2] == ["Meaning", "First look", "Likely causes", "Mitigation", "Escalation"]
    assert all(len(said.split()) > 10 for said in parts[2::2])
    assert "```" in parts[4]
    assert set(re.findall(r"\*\*(.+?)\*\*", parts[10])) & whom
    assert set(re.findall(r"\*\*(.+?)\*\*", parts[10])) <= whom
    assert not re.search(r"\{\{|\{%|\{#|TODO|^#+ ", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    assert not re.search(r"\{\{|\{%|\{#", text)


def test_every_alert_has_a_text_and_every_text_an_alert() -> None:
    kinds = {"objective-availability", "objective-latency", "objective-other"}

    assert {file.stem for file in TEXTS.iterdir()} == {*alerts.NAMES, rules.ABSENT, *kinds}


@pytest.mark.parametrize(
    ("old", "new", "problems"),
    [
        ("### DiskFull\n", "", [NO_SECTION]),
        (
            "### DiskFull",
            "### DiskFul",
            [
                NO_SECTION,
                f"11: DiskFul: {UNKNOWN}",
            ],
        ),
        (
            "### DiskFull",
            "#### DiskFull",
            [
                f"11: DiskFull: {ELSEWHERE}",
            ],
        ),
        (
            "## Commands",
            "## Commands\n\n# diskfull #",
            ["23: diskfull: this heading is in line 11, too: links lead to the first: make them one, or rename one"],
        ),
        (
            "# Runbook",
            "Disk*Full*\n---",
            ["12: DiskFull: this heading is in line 1, too: links lead to the first: make them one, or rename one"],
        ),
        (
            "## Commands",
            "## Alerts",
            ["21: Alerts: this heading is in line 3, too: links lead to the first: make them one, or rename one"],
        ),
        (
            "**Mitigation.** Roll back.",
            "**Meaning.** Bad.",
            ["5: ServiceDown: no `**Mitigation.**`: begin a paragraph with it, and say what stops the harm"],
        ),
        (
            " Ask it.",
            " <!-- soon -->",
            ["7: ServiceDown: `**First look.**` says nothing: say what to look at first"],
        ),
        ("Roll back.", "TODO: what?", ["9: ServiceDown: `**Mitigation.**` says nothing: say what stops the harm"]),
        ("df\n", "", ["13: DiskFull: `**First look.**` says nothing: say what to look at first"]),
        (
            "Roll back.\n",
            "\n~~~\n",
            [
                NO_SECTION,
                "10: this fence or comment never ends: close it",
            ],
        ),
        (
            "## Alerts",
            "## Alarms",
            ["1: no `## Alerts`: add this heading; `make slo` then adds a section for each alert"],
        ),
    ],
)
def test_the_lint_names_each_fault_its_line_and_the_remedy(old: str, new: str, problems: list[str]) -> None:
    assert PAGE.count(old) == 1
    assert runbook.lint(PAGE, NAMES) == []

    found = runbook.lint(PAGE.replace(old, new), NAMES)

    assert [line.removeprefix("docs/runbook.md:") for line in found] == problems


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("## Alerts", "Alerts\n------"),
        ("## Alerts", "```\n## Alerts\n### Nobody\n```\n<!--\n### Nobody\n-->\n\n## Alerts ##"),
        ("# Runbook", "---\nowner: us\n# DiskFull\n---\n# Runbook\n\n- ~~~\n  ## Alerts\n  ~~~"),
        ("### DiskFull", "### [`DiskFull`](#x) <br>"),
        ("### DiskFull", "### **Disk**Full ###\n\n#### Which disk"),
        ("**Mitigation.** Roll", "**Mitigation**: Roll"),
        ("\n", "\r\n"),
        ("# Runbook\n\n", "\ufeff"),
    ],
)
def test_a_runbook_that_is_written_in_other_ways_is_as_good(old: str, new: str) -> None:
    """What stands in code, comments and front matter is no heading."""
    assert runbook.lint(PAGE.replace(old, new), NAMES) == []


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(LINES), max_size=8), st.sampled_from(["\n", "\r\n", "\r"]))
def test_headings_and_their_anchors_are_those_that_a_renderer_makes(lines: list[str], end: str) -> None:
    text = "\n".join(["# Runbook", "", *lines])
    tokens = MarkdownIt("commonmark").parse(text)
    theirs = [
        (opened.map[0], opened.tag, contract.anchor("".join(each.content for each in inline.children or ())))
        for opened, inline in pairwise(tokens)
        if opened.type == "heading_open" and opened.map
    ]
    ours = runbook_page.read(text.replace("\n", end)).headings

    assert [(each.first, f"h{each.level}", each.anchor) for each in ours] == theirs


def test_missing_sections_are_added_below_the_last_one_and_nothing_else_is_touched() -> None:
    longer, added = runbook.completed(PAGE, {"DiskFull": "no", "Late": "**Meaning.** Late.\n", "_Odd_": "Odd."})
    new = "### Late\n\n**Meaning.** Late.\n\n### \\_Odd\\_\n\nOdd.\n\n"

    assert added == ["Late", "_Odd_"]
    assert longer == PAGE.replace("## Commands", f"{new}## Commands")
    assert runbook.completed(longer, {"Late": "x", "_Odd_": "x"}) == (longer, [])


@pytest.mark.parametrize(
    ("before", "gap", "after"),
    [
        ("", "", ""),
        ("# Runbook", "\n\n", ""),
        ("## Alerts\n", "\n", ""),
        ("## Alerts\n\n### A\n\nx", "\n\n", ""),
        ("## Alerts\n\n### A\n\nx\n", "\n", "# B\n"),
        ("## Alerts\n\nx\n\n", "", "B\n---\n"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_section_is_added_where_alerts_end_in_the_files_own_ends_of_lines(
    before: str, gap: str, after: str, end: str
) -> None:
    text = (before + after).replace("\n", end)
    head = "" if "## Alerts" in before else "## Alerts\n\n"
    longer = before + gap + f"{head}### Late\n\na\nb\n" + ("\n" if after else "") + after

    assert runbook.completed(text, {"Late": "a\nb"}) == (longer.replace("\n", end if end in text else "\n"), ["Late"])


@pytest.mark.parametrize("text", ["## Alerts\n\n```\n", "<!--\n", "## Other\n\n### Late\n\n## Alerts\n"])
def test_no_section_is_added_as_code_or_a_second_time(text: str) -> None:
    """Otherwise each `make slo` would add one more."""
    assert runbook.completed(text, {"Late": "Late."}) == (text, [])
    assert runbook.lint(text, ["Late"]) != []


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([*LINES, "## Alerts", "### Late"]), max_size=12))
def test_what_was_added_is_found_the_next_time_and_what_was_there_stays(lines: list[str]) -> None:
    text = "\n".join(lines)
    known = dict.fromkeys(("Late", "Later"), "**First look.** x\n\n**Mitigation.** y")
    longer, added = runbook.completed(text, known)
    begin = next((at for at, (one, other) in enumerate(zip(text, longer, strict=False)) if one != other), len(text))

    assert runbook.completed(longer, known) == (longer, [])
    assert longer.endswith(text[begin:])
    assert not [line for name in added for line in runbook.lint(longer, [name]) if f"{name}: no section" in line]


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        ("seed", "AvailabilityBurn", "availability"),
        ("seed", "LatencyBurn", "latency"),
        ("route classes", "CheckoutLatencyBurn", "latency"),
        ("route classes", "SearchLatencyBurn", "latency"),
        ("freshness", "FreshnessBurn", "other"),
        ("other counters", "JobsBurn", "other"),
        ("hostile texts", "_Burn", "availability"),
    ],
)
def test_the_section_of_an_objective_is_that_of_its_kind(text: str, name: str, kind: str) -> None:
    first = (TEXTS / f"objective-{kind}.md").read_text("utf-8").splitlines()[0].partition("`OBJECTIVE`")[0]

    assert wanted(SPECS[text])[name].startswith(first)


@pytest.mark.parametrize("text", SPECS)
def test_a_new_runbook_for_any_objectives_passes_its_own_lint(text: str) -> None:
    known = wanted(SPECS[text])
    longer, added = runbook.completed("# Runbook\n", known)

    assert added == list(known)
    assert runbook.lint(longer, list(known)) == []
    assert not re.search(r"<service>|<job>|\bOBJECTIVE\b|\bALERT\b", longer)


def test_a_section_of_no_alert_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'\.\./spec' is no alert of slo\.yaml or of the template"):
        runbook.section(parsed(SPECS["seed"]), "../spec")


def test_names_of_the_job_and_the_objective_are_filled_in() -> None:
    other = document(freshness("import-age"), job="orders-api")

    assert 'sloth_service="orders", sloth_slo="import-age"' in wanted(other)["ImportAgeBurn"]
    assert 'up{job="orders-api"}' in wanted(other)["ServiceDown"]
    assert "deployment/orders\n" in wanted(other)["ServiceDown"]


def test_whatever_the_team_is_called_the_table_of_whom_to_call_stays_a_table(source: Path, tmp_path: Path) -> None:
    team = "A | B <b>`x` | [c](d) | **e** \\"
    text = (services.render(source, tmp_path / "orders", owner_team=team) / "docs/runbook.md").read_text("utf-8")
    rows = MarkdownIt("commonmark").enable("table").render(text.split("## Who to call")[1].split("\n\n")[1])
    cells = re.findall(r"<td>(.*?)</td>", rows)

    assert len(cells) == 21
    assert html.unescape(cells[2]).startswith(f'{team}, <a href="mailto:orders@example.org">')


def test_every_link_leads_to_a_file_or_a_heading_that_is_there(project: Path, page: str) -> None:
    links = set(re.findall(r"\]\(([^)\s]+)\)", page))

    assert {"operations.md", "logs.md", "../slo.yaml", "#not-ready"} <= links
    for link in links:
        path, _, place = link.partition("#")
        file = project / "docs" / path if path else project / "docs/runbook.md"

        assert file.is_file(), link
        assert not place or place in {each.anchor for each in runbook_page.read(file.read_text("utf-8")).headings}, link


def test_every_setting_verb_and_folder_that_it_names_is_there(project: Path, page: str) -> None:
    text = re.sub(r"`APP_SERVICE_HOST`|`APP_SECRETS_DIR`", "", page)  # one is no setting, and says so
    reference = (project / "docs/configuration.md").read_text("utf-8")
    variables, keys = set(re.findall(r"\bAPP_[A-Z_]+[A-Z]\b", text)), set(re.findall(r"`((?:limits|log)\.\w+)`", text))
    verbs = set(re.findall(r"\bmake ((?:[a-z-]+ ?)+)(?=[A-Z`\n])", "".join(fences(text, "console"))))

    assert {"APP_LIMITS__REQUEST_SECONDS", "APP_METRICS__DIR"} <= variables
    assert {name for name in variables if f"`{name}`" not in reference} == set()
    assert "limits.concurrent_requests" in keys
    assert {name for name in keys if f"`{name}`" not in reference} == set()
    assert {verb for each in verbs for verb in each.split()} == {"slo", "slo-test", "slo-report", "silence", "smoke"}
    targets = re.findall(r"^([a-z-]+):", (project / "ops/Makefile").read_text("utf-8"), re.MULTILINE)
    assert {verb for each in verbs for verb in each.split()} <= set(targets)


def test_every_command_is_sound_shell(page: str, tmp_path: Path) -> None:
    blocks = fences(page, "console")
    assert len(blocks) > 80
    for number, block in enumerate(blocks):
        (tmp_path / f"{number}.sh").write_text(f"#!/bin/bash\n{block}", "utf-8")
    # Variables are what the reader has found; a port-forward is left running on purpose.
    shellcheck = Path(sys.executable).with_name("shellcheck")
    command: list[str | Path] = [shellcheck, "--exclude=SC2154", *sorted(tmp_path.glob("*.sh"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.stdout == ""
    assert done.returncode == 0


def test_the_production_teams_role_is_enough_or_somebody_is_named_who_may(project: Path, page: str) -> None:
    roles = list(yaml.safe_load_all((project / "ops/kubernetes/base/roles.yaml").read_text("utf-8")))
    may = {
        (resource, verb)
        for role in roles
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    whom = set(re.findall(r"^\| \*\*(.+?)\*\* \|", page, re.MULTILINE)) - {"Service"}
    before, lacking, denied = "", [], 0
    for token in MarkdownIt().parse(page):
        text = token.content if token.type in ("inline", "fence") else ""
        before = text if token.type == "inline" else before
        commands = re.findall(r'kubectl (?:-n "\$NAMESPACE" )?((?:[a-z]+-?)+ \S+[^\n|`]*)', text)
        forbidden = [each for each in commands if needed(each) - may]
        denied += len(forbidden)
        if not whom & set(re.findall(r"\*\*(.+?)\*\*", before)):
            lacking += forbidden

    assert {("horizontalpodautoscalers", "patch"), ("pods", "delete"), ("deployments", "patch")} <= may
    assert denied > 10
    assert lacking == []


def test_what_it_calls_things_is_what_the_manifests_call_them(project: Path, page: str) -> None:
    build: list[str | Path] = [program("kustomize", "kustomize"), "build", "deploy/production"]
    built = subprocess.run(build, cwd=project, capture_output=True, text=True, check=True).stdout
    found = {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(built)}
    deployment = found["Deployment", "orders"]
    pod = deployment["spec"]["template"]

    assert {("HorizontalPodAutoscaler", "orders"), ("Role", "orders-operator")} <= set(found)
    assert f"export NAMESPACE={deployment['metadata']['namespace']}\n" in page
    assert pod["metadata"]["labels"]["app.kubernetes.io/name"] == "orders"
    assert pod["spec"]["containers"][0]["ports"] == [{"containerPort": 8000, "name": "http"}]


def test_every_query_about_the_service_asks_for_its_job_alone(page: str) -> None:
    """Prometheus has other services' metrics of the same names."""
    own = re.compile(r"(http|event_loop|log|dependency|process|service|scrape)_|up$")
    found = [each for query in fences(page, "promql") for each in selectors(query)]
    jobs = {each.name: {(one.name, one.value) for one in each.matchers.matchers} for each in found}

    assert len(found) > 60
    assert {name for name, matchers in jobs.items() if own.match(name) and ("job", "orders") not in matchers} == set()


def test_every_query_of_what_exporters_tell_finds_their_series(page: str, tmp_path: Path) -> None:
    """Evaluated by promtool, with series as these exporters have them."""
    names = {re.split("[{ ]", series)[0] for series in EXPORTED}
    queries = [each for each in fences(page, "promql") if {one.name for one in selectors(each)} & names]
    asked = [
        {"expr": f"count(\n{each}\n) > bool 0", "eval_time": "500m", "exp_samples": [{"labels": "{}", "value": 1}]}
        for each in queries
    ]
    series = [{"series": name, "values": values} for name, values in EXPORTED.items()]
    test = {"interval": "1m", "input_series": series, "promql_expr_test": asked}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump({"tests": [test]}), "utf-8")
    promtool = shutil.which("promtool")
    assert promtool, "promtool is not installed: apt-get install prometheus"

    command = [promtool, "test", "rules", "test.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert {one.name for each in queries for one in selectors(each)} == names
    assert done.returncode == 0, done.stdout + done.stderr
