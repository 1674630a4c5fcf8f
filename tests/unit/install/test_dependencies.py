"""What is imported is declared, and what is declared without being imported says so."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
OURS = {"haproxy_edge", "haproxy_edge_minion", "lab", "chaos", "bench", "fuzz", "tools"}
# where a package is called otherwise than what it brings
BRINGS = {"yaml": "pyyaml", "zmq": "pyzmq"}
_DECLARED = re.compile(r'^  "([\w-]+)>=[^"]*",\s+# (.*)$', re.MULTILINE)


def _imported(folder: str) -> set[str]:
    modules = {name for path in (ROOT / folder).rglob("*.py") for name in _names(path)}
    return {BRINGS.get(name, name) for name in modules - OURS - sys.stdlib_module_names}


def _names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


PROJECT = (ROOT / "pyproject.toml").read_text()
NEEDED = dict(_DECLARED.findall(PROJECT.partition("[project.optional-dependencies]")[0]))
EXTRAS = dict(_DECLARED.findall(PROJECT))


def test_the_product_imports_what_it_declares_and_says_what_it_only_needs():
    imported = _imported("engine") | _imported("salt")
    silent = {name for name, why in NEEDED.items() if not why.startswith("not imported: ")}
    assert imported == silent


@pytest.mark.parametrize("folder", ["lab", "bench", "chaos", "fuzz", "tools"])
def test_what_measures_imports_only_what_is_declared(folder):
    assert _imported(folder) <= EXTRAS.keys()
