"""Write the tables of the documentation that are made of tables of the code, so that a row's words stand once.

Nothing else of a page is touched. A test fails when this was forgotten; `make generated` runs it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
for _package in ("engine", "salt/states/_utils"):
    sys.path.insert(0, str(ROOT / _package))

from haproxy_edge import metrics, options, troubles  # noqa: E402  (they need no more than Python)
from haproxy_edge_minion import spec  # noqa: E402


@dataclass(frozen=True)
class Table:
    """One table: in which section of which page it stands, its columns and its rows."""

    page: str
    heading: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    @property
    def head(self) -> str:
        """The line by which it is found in its section."""
        return _row(self.columns)

    @property
    def text(self) -> str:
        """What has to stand there."""
        return "\n".join([self.head, "|" + "---|" * len(self.columns), *map(_row, self.rows)])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _code(value: Any) -> str:
    return "" if value in (None, {}, [], "") else f"`{value}`"


def _pillar(keys: Iterable[spec.Key]) -> list[Sequence[str]]:
    return [(_code(key.name), _code(key.default), key.meaning) for key in keys]


def _options() -> list[Sequence[str]]:
    return [(_code(row.name), _code(row.default), row.unit, row.meaning) for row in options.TABLE]


def _metrics() -> list[Sequence[str]]:
    return [(_code(row.name), row.kind, ", ".join(map(_code, row.labels)), row.meaning) for row in metrics.TABLE]


def _troubles() -> list[Sequence[str]]:
    return [(row.trouble, row.seen_as, row.edges, row.until) for row in troubles.TABLE]


TABLES = (
    *(
        Table("pillar.md", f"`{path}`", ("key", "default", "meaning"), _pillar(keys))
        for path, keys in spec.TABLES.items()
    ),
    Table("options.md", "Options", ("option", "default", "unit", "meaning"), _options()),
    Table("metrics.md", "Every metric", ("metric", "kind", "labels", "meaning"), _metrics()),
    Table("architecture.md", "Freeze, never drain", ("trouble", "seen as", "edges", "until"), _troubles()),
)


def section(text: str, heading: str) -> str:
    """What stands under a heading of the second level. Raises `ValueError` when there is none."""
    _, found, after = text.partition(f"\n## {heading}\n")
    if not found:
        raise ValueError(f"the page has no section {heading!r}")
    return after.partition("\n## ")[0]


def written(text: str, table: Table) -> str:
    """The page ``text`` with this table as the code has it. Raises `ValueError` when there is no place for it."""
    before = section(text, table.heading)
    blocks = before.split("\n\n")
    places = [at for at, block in enumerate(blocks) if block.lstrip("\n").startswith(f"{table.head}\n")]
    if not places:
        raise ValueError(f"docs/{table.page}: section {table.heading!r} has no table that begins {table.head!r}")
    old = blocks[places[0]].strip("\n")
    return text.replace(before, before.replace(old, table.text, 1), 1)


def main() -> int:
    """Names each page that was out of date, and writes it; with ``--check`` it is not written and the status is 1."""
    only_check = "--check" in sys.argv
    stale = False
    for page in dict.fromkeys(table.page for table in TABLES):
        path = DOCS / page
        before = after = path.read_text()
        for table in TABLES:
            if table.page == page:
                after = written(after, table)
        if after == before:
            continue
        stale = True
        if only_check:
            print(f"docs/{page}: a table is not that of the code; run: make generated", file=sys.stderr)
        else:
            path.write_text(after)
            print(f"docs/{page}: written")
    return int(stale and only_check)


if __name__ == "__main__":
    sys.exit(main())
