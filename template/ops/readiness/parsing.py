"""Python code as a tree, for checks that run side by side."""

import ast
import threading
from typing import Final

# Python 3.11 keeps the depth of a tree that it makes in one place for all threads, and fails if two make one at once:
# "AST constructor recursion depth mismatch".
_ONE_AT_A_TIME: Final = threading.Lock()


def tree(source: str) -> ast.Module:
    """The tree of a module.

    Raises:
        SyntaxError: it is no Python.
        ValueError: there is a null byte in it.
    """
    with _ONE_AT_A_TIME:
        return ast.parse(source)
