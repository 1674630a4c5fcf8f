"""The tables of the documentation say what the tables of the code say; a failure shows the lines that should stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from haproxy_edge import options
from haproxy_edge_minion import spec

DOCS = Path(__file__).parents[3] / "docs"


def cell(value: Any) -> str:
    return "" if value in (None, {}, [], "") else f"`{value}`"


def engine_table() -> str:
    rows = [f"| `{row.name}` | {cell(row.default)} | {row.unit} | {row.meaning} |" for row in options.TABLE]
    return "\n".join(["| option | default | unit | meaning |", "|---|---|---|---|", *rows])


def pillar_table(keys: tuple[spec.Key, ...]) -> str:
    rows = [f"| `{key.name}` | {cell(key.default)} | {key.meaning} |" for key in keys]
    return "\n".join(["| key | default | meaning |", "|---|---|---|", *rows])


PILLAR_TABLES = {
    "haproxy": spec.HAPROXY_KEYS,
    "haproxy.frontends.<name>": spec.FRONTEND_KEYS,
    "haproxy.check": spec.CHECK_KEYS,
    "haproxy.global": spec.GLOBAL_KEYS,
    "haproxy.defaults": spec.DEFAULTS_KEYS,
}


def section(page: str, heading: str) -> str:
    text = (DOCS / page).read_text()
    _, found, after = text.partition(f"\n## {heading}\n")
    assert found, f"docs/{page} has no section {heading!r}"
    return after.partition("\n## ")[0]


def tables_of(text: str) -> list[str]:
    blocks = text.split("\n\n")
    return [block.strip() for block in blocks if block.strip().startswith("| ")]


def test_the_page_of_options_lists_every_option_of_the_engine():
    assert engine_table() in tables_of(section("options.md", "Options"))


@pytest.mark.parametrize("path", PILLAR_TABLES)
def test_the_page_of_the_pillar_lists_every_key(path: str):
    assert pillar_table(PILLAR_TABLES[path]) in tables_of(section("pillar.md", f"`{path}`"))


def test_the_page_of_the_pillar_names_the_default_timeouts():
    said = section("pillar.md", "`haproxy.defaults`")
    assert all(f"`{name}: {time}`" in said for name, time in spec._TIMEOUTS.items())
