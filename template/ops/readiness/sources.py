"""The owner's own Python code, parsed: what it imports, and what it calls."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from . import parsing
from .outcome import CannotTell
from .service import Service


@dataclass(frozen=True, slots=True)
class Import:
    """One import: the package that it takes from, where, and whether the code goes on without it."""

    package: str
    place: str
    optional: bool


@dataclass(frozen=True, slots=True)
class Module:
    """One file, and what names in it stand for: `{"get": "httpx2.get"}`."""

    path: str
    tree: ast.Module
    names: dict[str, str]

    def place(self, node: ast.AST) -> str:
        """File and line."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}"

    def calls(self) -> Iterator[tuple[str, ast.Call]]:
        """Every call with the full name of what is called, as far as it can be told."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call) and (name := self.full_name(node.func)):
                yield name, node

    def uses(self) -> Iterator[tuple[str, ast.AST]]:
        """Every name and attribute that is read, with its full name."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name | ast.Attribute) and (name := self.full_name(node)):
                yield name, node

    def full_name(self, node: ast.AST) -> str:
        """The dotted name of an expression, with imports written out; empty if it is no name."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, node.id)
        if isinstance(node, ast.Attribute) and (of := self.full_name(node.value)):
            return f"{of}.{node.attr}"
        return ""

    def imports(self) -> Iterator[Import]:
        """Every import of another package."""
        optional = {id(inner) for node in ast.walk(self.tree) if _may_fail(node) for inner in ast.walk(node)}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(alias.name.split(".")[0], self.place(node), id(node) in optional)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                yield Import(node.module.split(".")[0], self.place(node), id(node) in optional)


def own(service: Service) -> list[Module]:
    """Every module of the service's package that is the owner's.

    Raises:
        CannotTell: one of them is no Python.
    """
    package = service.root / "src" / service.package
    files = [file for file in sorted(package.rglob("*.py")) if "ops" not in file.relative_to(package).parts[:-1]]
    return [_module(service, file.relative_to(service.root).as_posix()) for file in files]


def peers(service: Service) -> dict[str, str]:
    """Names of the services that the code calls by `http_client`, and where."""
    found: dict[str, str] = {}
    for module in own(service):
        for name, call in module.calls():
            given = call.args[:1] or [each.value for each in call.keywords if each.arg == "peer"]
            if name.rpartition(".")[2] == "http_client" and given and isinstance(given[0], ast.Constant):
                found.setdefault(str(given[0].value), module.place(call))
    return found


def texts(node: ast.AST) -> list[str]:
    """Texts that stand in an expression."""
    return [each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)]


def _module(service: Service, path: str) -> Module:
    try:
        tree = parsing.tree(service.text(path))
    except (SyntaxError, ValueError) as error:
        raise CannotTell(f"{path}:{getattr(error, 'lineno', None) or 1}: is no Python") from None
    return Module(path, tree, _names(tree))


def _names(tree: ast.Module) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {
                each.asname or each.name.split(".")[0]: each.name if each.asname else each.name.split(".")[0]
                for each in node.names
            }
        elif isinstance(node, ast.ImportFrom):
            found |= {each.asname or each.name: ".".join(filter(None, (node.module, each.name))) for each in node.names}
    return found


def _may_fail(node: ast.AST) -> bool:
    """Whether what stands in it is read by type checkers alone, or may be missing."""
    if isinstance(node, ast.If):
        return any(
            isinstance(each, ast.Name | ast.Attribute) and "TYPE_CHECKING" in ast.dump(each)
            for each in ast.walk(node.test)
        )
    return isinstance(node, ast.Try) and any(
        handler.type is not None and "Error" in ast.dump(handler.type) for handler in node.handlers
    )
