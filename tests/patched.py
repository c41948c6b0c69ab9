"""`python -m …` whose Copier leaves out its repetitions, as `quick.py` does; so do the processes that it starts.

For commands that start Python of their own: `executable` writes what stands for that.
"""

import os
import runpy
import sys
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXECUTABLE = "SHIPSHAPE_TESTS_EXECUTABLE"
KEPT = "SHIPSHAPE_TESTS_KEPT"
COPYING = ("update", "finish", "migrate")


def executable(file: Path) -> Path:
    """Write a program that is Python to whoever starts it."""
    lines = [
        "#!/bin/sh",
        f'export {KEPT}="{os.environ[KEPT]}" {EXECUTABLE}="$0"',
        f'if [ "$1" = -m ]; then exec "{sys.executable}" "{__file__}" "$@"; fi',
        f'exec "{sys.executable}" "$@"',
    ]
    file.write_text("\n".join(lines) + "\n", "utf-8")
    file.chmod(0o755)
    return file


def main() -> None:
    """Run the module."""
    option, module, *arguments = sys.argv[1:]
    assert option == "-m", "only modules are run so"
    sys.executable = os.environ.pop(EXECUTABLE)
    quickly = ExitStack()  # held until the end: with what nobody holds, the patches go
    if module == "copier" or (module == "ops.hooks" and arguments[0] in COPYING):
        sys.path[0] = str(ROOT)
        from tests.quick import patched  # noqa: PLC0415 - without Copier the start takes a third of the time

        quickly.enter_context(patched())
    os.environ.pop(KEPT)  # nobody's business
    sys.path[0] = str(Path.cwd())
    sys.argv[1:] = arguments
    with quickly:
        runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
