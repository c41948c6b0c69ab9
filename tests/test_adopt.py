"""docs/adopt.md, followed step by step by the owner of an existing service."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.services import ROOT, install, serving
from tests.test_docs import shell
from tests.updates import commit, edit, git, hooks, new_template

OWNER = Path(__file__).parent / "owners" / "shop"
BIN = Path(sys.executable).parent


def commands() -> list[str]:
    """The page's console blocks, one text each."""
    blocks = re.findall(r"```console\n(.*?)```", (ROOT / "docs/adopt.md").read_text("utf-8"), re.DOTALL)
    return [re.sub(r"^ +", "", block, flags=re.MULTILINE) for block in blocks]


@pytest.mark.slow
def test_an_existing_service_takes_the_template_in_by_the_page_alone_and_keeps_its_files_and_its_api(
    tmp_path: Path,
) -> None:
    template = new_template(tmp_path / "template")
    shop = tmp_path / "shop"
    shutil.copytree(OWNER / "before", shop)
    git(shop, "init", "--quiet")
    commit(shop, "the shop as it was")
    before = {path: (shop / path).read_bytes() for path in git(shop, "ls-files").splitlines()}
    render, take_over, try_it = commands()

    rendered = shell(render.replace("TEMPLATE", str(template)), shop, PATH=f"{BIN}:/usr/bin:/bin")
    assert rendered.returncode == 0, rendered.stderr
    assert {path: (shop / path).read_bytes() for path in before} == before
    missing = hooks(shop, "check").stderr.splitlines()
    assert [line.split()[0] for line in missing] == [".gitignore", "Dockerfile", "pyproject.toml"]
    assert all("has none of the template's lines" in line for line in missing)

    assert shell(take_over, shop).returncode == 0
    edit(shop, "pyproject.toml", 'version = "0.1.0"', 'version = "2.3.0"')
    edit(shop, "pyproject.toml", "    # Yours, one a line.", '    "cachetools>=5",\n    # Yours, one a line.')
    edit(shop, "pyproject.toml", "    # Yours: what only", '    "types-cachetools",\n    # Yours: what only')
    (shop / ".gitignore").write_text((shop / ".gitignore").read_text() + "local.db\n")
    shutil.copytree(OWNER / "after", shop, dirs_exist_ok=True)
    for old in ("src/shop/main.py", "tests/test_routes.py"):
        (shop / old).unlink()

    install(shop)
    tried = shell(try_it, shop)
    assert tried.returncode == 0, tried.stdout + tried.stderr
    with serving(shop, env={"APP_CACHE_SECONDS": "5"}) as service:
        assert service.get("/items/1").json() == {"item": "item 1"}
        assert service.get("/version").json()["version"] == "2.3.0"
