"""The shape of the tree in figures: how much there is, how long its pieces are, who imports whom.

``.venv/bin/python tools/shape.py`` for the tree as it is, with a revision of git for another one beside it. It must
never change a file, nor judge: what is good is for people to say.
"""

from __future__ import annotations

import ast
import io
import json
import math
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MASTER, EDGE = "engine/haproxy_edge", "salt/states/_utils/haproxy_edge_minion"
PRODUCT = ("engine", "salt")
PROOF = ("lab", "bench", "chaos", "fuzz", "tools")
EVERYTHING = (*PRODUCT, *PROOF, "tests")
LONG_FILE, LONG_BODY = 400, 30
_CODE = (".py", ".sls", ".jinja", ".js", ".css", ".html")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def measure(root: Path) -> dict[str, float | str]:
    """Every figure of one tree, by its name."""
    product = [*_files(root, PRODUCT)]
    bodies = sorted(length for path in product for length in _bodies(path))
    longest = max(product, key=_lines)
    return {
        "lines of product code": sum(map(_lines, product)),
        "lines of lab, benchmarks, faults, fuzz and tools": sum(map(_lines, _files(root, PROOF))),
        "lines of tests": sum(map(_lines, _files(root, ("tests",)))),
        "product modules": sum(path.suffix == ".py" for path in product),
        "functions of the product": len(bodies),
        "body lines, median": _percentile(bodies, 50),
        "body lines, 90th percentile": _percentile(bodies, 90),
        f"functions over {LONG_BODY} lines": sum(length > LONG_BODY for length in bodies),
        "longest file": f"{longest.relative_to(root)}: {_lines(longest)}",
        f"files over {LONG_FILE} lines": sum(_lines(path) > LONG_FILE for path in _files(root, EVERYTHING)),
        "imports between modules of the master": _edges(root / MASTER, "haproxy_edge"),
        "imports between modules of the edge": _edges(root / EDGE, "haproxy_edge_minion"),
        "imports between packages": len(_package_edges(root)),
    }


def _files(root: Path, folders: tuple[str, ...]) -> Iterator[Path]:
    for folder in folders:
        yield from (path for path in sorted((root / folder).rglob("*")) if path.suffix in _CODE and path.is_file())


def _lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def _bodies(path: Path) -> Iterator[int]:
    """Lines of each function's body, its docstring left out."""
    if path.suffix != ".py":
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, Function):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            yield (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def _percentile(ordered: list[int], percent: float) -> int:
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def _edges(package: Path, name: str) -> int:
    return sum(len(_imported(path, name)) for path in package.rglob("*.py"))


def _imported(path: Path, package: str) -> set[str]:
    """Modules of ``package`` that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == package:
            found |= {f"{package}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{package}."):
            found.add(str(node.module))
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith(f"{package}.")}
    return found


def _package_edges(root: Path) -> set[tuple[str, str]]:
    """(who, whom) among the top-level packages and those inside the master's."""
    names = ("haproxy_edge", "haproxy_edge_minion", *PROOF)
    found = set()
    for path in _files(root, (*PRODUCT, *PROOF)):
        if path.suffix == ".py":
            here = _package(path.relative_to(root))
            imported = {module for name in names for module in _imported(path, name) | _whole(path, name)}
            found |= {(here, there) for there in map(_top, imported) if there != here}
    return found


def _whole(path: Path, package: str) -> set[str]:
    tree = ast.walk(ast.parse(path.read_text()))
    return {package for node in tree if isinstance(node, ast.Import) for one in node.names if one.name == package}


def _package(path: Path) -> str:
    parts = path.parts
    if parts[0] == "engine":
        return ".".join(parts[1:3] if len(parts) > 3 else parts[1:2])
    if parts[0] == "salt":
        return parts[3] if parts[2] == "_utils" and len(parts) > 4 else f"salt/{parts[2]}"
    return parts[0]


def _top(module: str) -> str:
    parts = module.split(".")
    inside = len(parts) > 2 and parts[0] == "haproxy_edge"
    return ".".join(parts[:2]) if inside else parts[0]


def _at(revision: str, folder: Path) -> Path:
    archive = subprocess.run(["git", "-C", ROOT, "archive", revision], check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        _extract(tar, folder)
    return folder


def _extract(tar: tarfile.TarFile, folder: Path) -> None:
    # Debian 12's Python 3.11.2 knows no filter, and newer ones warn without; what git packs is our own
    filtered: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    tar.extractall(folder, **filtered)


def main() -> int:
    """Print the figures, of one tree or of two side by side, then one line of JSON."""
    now = measure(ROOT)
    columns = {"now": now}
    if len(sys.argv) > 1:
        with tempfile.TemporaryDirectory() as folder:
            columns = {sys.argv[1]: measure(_at(sys.argv[1], Path(folder))), "now": now}
    width = max(map(len, now))
    print(" " * width, *(f"{title:>12}" for title in columns), sep="  ")
    for name in now:
        print(name.ljust(width), *(f"{column[name]!s:>12}" for column in columns.values()), sep="  ")
    print(json.dumps(columns))
    return 0


if __name__ == "__main__":
    sys.exit(main())
