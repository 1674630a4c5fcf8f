"""The documentation names what the code has: its tables are those of the code, and a template's names are all there."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from haproxy_edge_minion.spec import Check, Frontend, Spec

from tools.doc_tables import TABLES, section, written

DOCS = Path(__file__).parents[3] / "docs"
# what a template has no use for
NOT_FOR_TEMPLATES = {"key", "discouraged"}
TEMPLATE_NAMES = {
    "spec.frontends": Frontend,
    "spec.check": Check,
    "spec": Spec,
}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: f"{table.page}, {table.heading}")
def test_a_table_of_the_documentation_is_that_of_the_code(table):
    page = (DOCS / table.page).read_text()
    assert written(page, table) == page, (
        f"docs/{table.page}, section {table.heading}, is not what the code says. To write it: make generated\n"
        f"It has to be\n{table.text}"
    )


@pytest.mark.parametrize("name", TEMPLATE_NAMES)
def test_the_page_of_the_pillar_names_all_that_a_template_is_given(name):
    said = section((DOCS / "pillar.md").read_text(), "The template")
    rows = [line for line in said.splitlines() if line.startswith(f"| `{name}")]
    fields = {field.name for field in dataclasses.fields(TEMPLATE_NAMES[name])} - NOT_FOR_TEMPLATES
    missing = [field for field in fields if not any(f"`{field}`" in row or f"`{name}.{field}`" in row for row in rows)]
    assert missing == [], f"docs/pillar.md, section The template: name {missing} in the row of {name}"


def test_a_table_that_is_out_of_date_is_written_anew_and_nothing_else():
    table = next(table for table in TABLES if table.heading == "`haproxy.check`")
    page = (DOCS / table.page).read_text()
    assert written(page.replace("| `fall` | `3` |", "| `fall` | `4` |"), table) == page
    with pytest.raises(ValueError, match="has no section"):
        written(page.replace(f"## {table.heading}", ""), table)
    with pytest.raises(ValueError, match="no table that begins"):
        written(page.replace("| `inter` |", "").replace("| key | default | meaning |", ""), table)
