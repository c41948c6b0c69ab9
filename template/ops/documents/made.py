"""The files of docs/reference/: what each must hold, and whether it does."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from . import alerts, application, dependencies, openapi, personal_data, routes
from .reading import DocumentsError

FOLDER: Final = "docs/reference"


@dataclass(frozen=True)
class Made:
    """A file as it should be.

    Attributes:
        path: below the service's folder.
        text: all of it.
        stamp: the versions that the text depends on, as they stand in it. A bot renews them and can't run `make docs`:
            a text that was made with others is told, and fails nothing.
        needed: what must stand in it all the same, whatever the versions.
    """

    path: str
    text: str
    stamp: str = ""
    needed: tuple[str, ...] = ()

    def there(self, root: Path) -> str | None:
        """The file's text; None if there is none, or it is no text.

        Raises:
            DocumentsError: it can't be read.
        """
        try:
            return (root / self.path).read_bytes().decode("utf-8").replace("\r\n", "\n")
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            return ""
        except OSError as error:
            raise DocumentsError(f"{self.path}: can't be read: {error.strerror or error}") from None

    def problem(self, root: Path) -> str | None:
        """What is wrong with the file, if something is."""
        there = self.there(root)
        if there is None:
            return "is missing"
        if there == self.text or self.only_versions(root):
            return None
        lacking = [each for each in self.needed if each not in there]
        if lacking:
            return f"does not name {', '.join(each.strip('| ') for each in lacking)}"
        return "is not what the code gives: it is out of date, or was edited"

    def only_versions(self, root: Path) -> bool:
        """Whether it was made with other versions, and differs for no other reason that can be known."""
        there = self.there(root)
        if not there or there == self.text or not self.stamp or self.stamp in there:
            return False
        return all(each in there for each in self.needed)

    def write(self, root: Path) -> None:
        """Write it."""
        (root / self.path).parent.mkdir(parents=True, exist_ok=True)
        (root / self.path).write_bytes(self.text.encode("utf-8"))


def all_of(root: Path) -> list[Made]:
    """All files of the folder, made anew.

    Raises:
        DocumentsError: what they are made from can't be read.
    """
    app = application.of(root)
    listed = dependencies.of(root)
    made = [
        Made(f"{FOLDER}/personal-data.md", personal_data.text(app.inventory)),
        Made(f"{FOLDER}/routes.md", routes.text(app.openapi, routes.published(root))),
        Made(f"{FOLDER}/openapi.json", openapi.text(app.openapi, openapi.stamp()), openapi.stamp()),
        Made(f"{FOLDER}/dependencies.md", listed.text(), listed.stamp, listed.needed()),
    ]
    if (rules := alerts.of(root)) is not None:
        made.append(Made(f"{FOLDER}/alerts.md", alerts.text(rules)))
    return made
