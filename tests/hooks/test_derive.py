"""What an update makes anew from slo.yaml."""

import shutil
import sys
from pathlib import Path

import pytest
from hooks import derive

from tests.services import ROOT


def service(root: Path) -> Path:
    """The little of a service that is needed."""
    (root / "ops").mkdir()
    shutil.copytree(ROOT / "template/ops/slo", root / "ops/slo", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "ops/manifest.json").write_text('{"package": "orders"}', "utf-8")
    (root / "src/orders").mkdir(parents=True)
    (root / "pyproject.toml").write_text(
        '[dependency-groups]\nops = ["httpx2~=2.16", "PyYAML~=6.0"]\n'
        'ops-dev = ["promql-parser~=0.11.0", {include-group = "x"}]\n',
        "utf-8",
    )
    query = 'sum(rate(requests_total{code="500"}[{{.window}}]))'
    (root / "slo.yaml").write_text(
        "version: prometheus/v1\nservice: orders\nslos:\n  - name: availability\n    objective: 99.9\n"
        f"    sli: {{events: {{error_query: '{query}', total_query: 'sum(rate(requests_total[{{{{.window}}}}]))'}}}}\n"
        "    alerting: {name: Burn}\n",
        "utf-8",
    )
    return root


@pytest.fixture
def _uv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV", str(Path(sys.executable).with_name("uv")))


@pytest.mark.slow
@pytest.mark.usefixtures("_uv")
def test_it_is_made_by_the_services_own_tool_with_the_services_versions(tmp_path: Path) -> None:
    root = service(tmp_path)
    left = derive.derive(root)

    assert left is None
    assert (root / "monitoring/prometheus/rules/slo-availability.yaml").is_file()
    assert derive._requirements(root) == ["httpx2~=2.16", "promql-parser~=0.11.0", "PyYAML~=6.0"]


@pytest.mark.slow
@pytest.mark.usefixtures("_uv")
def test_a_mistake_in_slo_yaml_is_told_and_ends_no_update(tmp_path: Path) -> None:
    root = service(tmp_path)
    file = root / "slo.yaml"
    file.write_text(file.read_text("utf-8").replace("99.9", "100"), "utf-8")

    assert "slo.yaml:5: slos[0].objective: 100" in str(derive.derive(root))
    assert not (root / "monitoring").exists()


def test_without_uv_it_is_left_to_the_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV", "false")

    assert (
        derive.derive(service(tmp_path))
        == "`make install slo` makes monitoring/ anew; the update could not (it failed)"
    )


@pytest.mark.parametrize("missing", ["slo.yaml", "ops/slo/__main__.py"])
def test_nothing_is_made_without_objectives_or_by_a_version_that_has_no_such_tool(tmp_path: Path, missing: str) -> None:
    root = service(tmp_path)
    (root / missing).unlink()

    assert derive.derive(root) is None
    assert not (root / "monitoring").exists()
