"""How many ways lead through a function: McCabe's number, and whether the function says what it is for."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from . import parsing

Function = ast.FunctionDef | ast.AsyncFunctionDef
_BRANCHES = (ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.Assert)


@dataclass(frozen=True)
class Measured:
    """A function: its name and line, the number of ways through it, and whether it has a docstring."""

    name: str
    line: int
    ways: int
    documented: bool


def functions(source: str) -> list[Measured]:
    """Every function of a module.

    Raises:
        SyntaxError: it is no Python.
    """
    return [
        Measured(node.name, node.lineno, 1 + sum(_ways(node)), bool((ast.get_docstring(node) or "").strip()))
        for node in ast.walk(parsing.tree(source))
        if isinstance(node, Function)
    ]


def _ways(node: ast.AST) -> Iterator[int]:
    """What each part adds; a function inside is one of its own."""
    for part in ast.iter_child_nodes(node):
        if isinstance(part, Function):
            continue
        if isinstance(part, _BRANCHES):
            yield 1
        elif isinstance(part, ast.BoolOp):
            yield len(part.values) - 1
        elif isinstance(part, ast.comprehension):
            yield 1 + len(part.ifs)
        elif isinstance(part, ast.match_case):
            yield 1
        yield from _ways(part)
