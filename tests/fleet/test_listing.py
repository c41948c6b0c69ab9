"""`fleet.yaml`, addresses and the commands that open pull requests: what is wrong is told at once, and no secret is."""

from pathlib import Path

import pytest
import yaml
from fleet.address import canonical, plain, redact, without_credentials
from fleet.listing import MistakesError, Service, read
from fleet.process import arguments
from fleet.releases import reached

from tests.fleet.world import fleet
from tests.services import ROOT

pytestmark = pytest.mark.slow

EVERYTHING_WRONG = """\
tempalte: https://git.example.org/acme/template.git
author: nobody
rings: [canary, all]
defaults:
  ring: late
services:
  orders: ext::sh -c reboot
  prices:
    ring: canary
  stock:
    url: https://robot:hush@git.example.org/acme/stock.git
    folder: ../stock
    branch: -x
    colour: red
  "bad name": https://robot:hush@git.example.org/acme/bad.git
  again: https://git.example.org/acme/again.git
  twin: git@git.example.org:acme/again
  orders: orders.git
  token: "-https://robot:hush@git.example.org/x"
"""


def mistakes(text: str, folder: Path) -> list[str]:
    (folder / "fleet.yaml").write_text(text)
    with pytest.raises(MistakesError) as refused:
        read(folder / "fleet.yaml")
    return str(refused.value).splitlines()


def test_every_mistake_is_told_at_once_with_its_line_and_no_credentials(tmp_path: Path) -> None:
    told = mistakes(EVERYTHING_WRONG, tmp_path)

    places = [line.removeprefix(f"{tmp_path}/fleet.yaml, ").split(": ")[0] for line in told]
    assert places == [
        "line 1",
        "line 2",
        "line 5",
        "line 7",
        "line 7",
        "line 9",
        "line 12",
        "line 13",
        "line 14",
        "line 15",
        "line 18",
        "line 19",
    ]
    assert "the rings are canary, all" in told[2]
    assert "services.twin: is the same repository and folder as again" in "\n".join(told)
    assert "hush" not in "\n".join(told)
    assert "robot" not in "\n".join(told)


@pytest.mark.parametrize("text", ["", "services: {", "- 1", "services: {a: {url: }}", "services: {a: [1]}"])
def test_what_is_no_list_of_services_is_a_sentence(text: str, tmp_path: Path) -> None:
    assert all(f"{tmp_path}/fleet.yaml" in line for line in mistakes(text, tmp_path))


def test_a_list_that_is_wrong_or_missing_is_refused_by_the_command_before_anything_is_made(tmp_path: Path) -> None:
    missing = fleet(tmp_path, "status")
    (tmp_path / "fleet.yaml").write_text(EVERYTHING_WRONG)
    wrong = fleet(tmp_path, "rollout", "--ring", "canary")

    assert (missing.returncode, wrong.returncode) == (2, 2)
    assert "--fleet FILE" in missing.stderr
    assert len(wrong.stderr.splitlines()) == 12
    assert not (tmp_path / "cache").exists()


def test_the_list_of_the_page_is_read_with_rings_defaults_and_folders(tmp_path: Path) -> None:
    page = (ROOT / "docs/platform-team.md").read_text("utf-8")
    text = page.split("```yaml\n")[1].split("```")[0]
    (tmp_path / "fleet.yaml").write_text(text)

    services = {service.name: service for service in read(tmp_path / "fleet.yaml").services}
    assert list(services) == list(yaml.safe_load(text)["services"])
    assert (services["orders"].ring, services["prices"].ring) == (2, 0)
    assert services["stock"] == Service(
        "stock", "git@git.example.org:acme/warehouse.git", 1, "services/stock", "trunk", ring_name="early"
    )
    assert services["legacy"].hold == "shut down in June"


def test_all_ways_to_write_one_address_are_the_same_repository() -> None:
    ways = [
        "https://github.com/acme/template.git",
        "https://robot:hush@github.com/acme/template",
        "git+https://github.com/acme/template.git",
        "ssh://git@github.com/acme/template.git",
        "git@github.com:acme/template.git",
        "gh:acme/template",
    ]

    assert {canonical(way) for way in ways} == {"github.com/acme/template"}
    assert canonical("/srv/template") == canonical("file:///srv/template.git") != canonical("https://srv/template")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://robot:hush@host/a.git", "https://host/a.git"),
        ("https://hush@host/a.git", "https://host/a.git"),
        ("http://a:b@c:hush@host:8443/a.git", "http://host:8443/a.git"),
        ("fatal: 'https://hush@host/a' and https://hu:sh@b/c", "fatal: 'https://host/a' and https://b/c"),
    ],
)
def test_credentials_are_taken_out_of_every_text(address: str, shown: str) -> None:
    assert redact(address) == shown
    assert without_credentials("ssh://git@host/a.git") == "ssh://git@host/a.git"


def test_what_a_repository_says_is_shown_without_terminal_controls() -> None:
    assert plain("a\x1b[2Jb\r\nc\u202e") == "a [2Jb c"


def test_a_commands_places_are_filled_after_it_is_split_and_never_make_a_word_or_a_place() -> None:
    values = {"title": "a; rm -rf ~ '{branch}' $(x)", "branch": "b"}

    assert arguments("gh pr create --title {title} --head=x:{branch}", values) == [
        *("gh", "pr", "create", "--title"),
        "a; rm -rf ~ '{branch}' $(x)",
        "--head=x:b",
    ]
    for bad in ("gh {nobody}", "gh {", "gh 'open", ""):
        with pytest.raises(ValueError, match=r"no place|quotation|empty"):
            arguments(bad, values)


@pytest.mark.parametrize(
    ("version", "wanted", "is_reached"),
    [
        ("v1.0.0", "v1.0.0", True),
        ("v1.10.0", "v1.9.0", True),
        ("v1.0.0", "v1.0.0.post1", False),
        ("v1.0.0.post2", "v1.0.0.post1", True),
        ("v1.0.0-3-g0a1b2c3", "v1.0.0", True),
        ("v1.0.0-3-g0a1b2c3", "v1.0.1", False),
        ("v1.1.0rc1", "v1.1.0", False),
        ("0a1b2c3d", "v1.0.0", False),
    ],
)
def test_versions_are_ordered_as_copier_orders_them(version: str, wanted: str, is_reached: bool) -> None:
    assert reached(version, wanted) is is_reached
