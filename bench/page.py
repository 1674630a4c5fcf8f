"""``docs/benchmarks.md``, its plots and README's line, from the kept results alone.

So the page can be made again without measuring, and a test tells a page that is older than its results. It must never
show a figure without its goal, nor leave out one that was missed, nor a part that was not measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

from bench.headline import headline
from bench.parts import PARTS, ROOT
from bench.plots import draw, number
from bench.result import Cell, Plot, Result, Table
from lab.figures import Figure

KEPT, PAGE, README = ROOT / "docs/benchmarks", ROOT / "docs/benchmarks.md", ROOT / "README.md"
BEGIN, END = "<!-- make bench: begin -->", "<!-- make bench: end -->"

_GOAL = ("figure", "goal", "measured", "unit", "met")
_ABOUT = """\
# Benchmarks

How long a change of pods takes to reach every edge, what it cuts, and what it costs as it grows; beside today's other
ways, in the same lab, on the same edges, with the same pods.

`make bench` measures all of it and writes this page and its plots; nothing here is written by hand. As root, on a
Debian 12 with 2 cores, in about 50 minutes. The lab is real parts on one machine: hosts with systemd, the stock HAProxy
and a real minion in network namespaces, a salt-master with the engine, an API server that keeps to Kubernetes'
protocol, pods that answer.

| command | what |
|---|---|
| `make bench` | all parts, then the page |
| `make bench ARGS='--only growth'` | one part, or several by several `--only`; the page keeps the others |
| `make bench ARGS=--quick` | few repeats of each, to see that it works; figures are not kept |
| `make bench ARGS=--page` | the page again, from kept results |

What to believe: a machine's own speed says little, so goals are ratios of one run wherever they can be, and what is
compared takes turns. Absolute times are those of the machine below, where everything shares its cores: edges, master,
cluster, pods and clients. A goal that was missed stays here, with the reason.
"""


def kept(folder: Path = KEPT) -> dict[str, Result]:
    """Results by part, in the page's order. Raises `Malformed` naming the file."""
    return {part: Result.load(path) for part in PARTS if (path := folder / f"{part}.json").exists()}


def write(results: Mapping[str, Result]) -> list[Path]:
    """Page, plots and README's line; the files that are another now."""
    texts = {PAGE: page(results), README: with_headline(README.read_text(), results)}
    texts |= {KEPT / f"{plot.name}.svg": draw(plot) for result in results.values() for plot in result.plots}
    changed = [path for path, text in texts.items() if not path.exists() or path.read_text() != text]
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(texts[path])
    for stale in set(KEPT.glob("*.svg")) - texts.keys():
        stale.unlink()
    return changed


def page(results: Mapping[str, Result]) -> str:
    """The whole text."""
    if not results:
        return f"{_ABOUT}\nNothing is measured yet.\n"
    common = _common(results)
    parts = [_ABOUT, _goals(results), _machine(common), *(_part(result, common) for result in results.values())]
    return "\n".join(parts).rstrip() + "\n"


def with_headline(readme: str, results: Mapping[str, Result]) -> str:
    """README with its line between the two marks. Raises ``ValueError`` when a mark is missing."""
    before, found, rest = readme.partition(BEGIN)
    _, found_end, after = rest.partition(END)
    if not found or not found_end:
        raise ValueError(f"README.md: {BEGIN} and {END} have to stand around the line of the benchmarks")
    return f"{before}{BEGIN}\n{headline(results)}\n{END}{after}"


def _goals(results: Mapping[str, Result]) -> str:
    rows = [_goal(result, figure) for result in results.values() for figure in result.figures]
    missed = sum(not figure.met for result in results.values() for figure in result.figures)
    said = f"{len(rows) - missed} of {len(rows)} goals are met."
    if missed:
        said += " Why the others are not stands in the notes of their parts."
    if absent := [f"`{part}`" for part in PARTS if part not in results]:
        said += f" Not measured: {', '.join(absent)}; `make bench ARGS='--only …'` adds a part."
    return f"## Goals\n\n{said}\n\n" + _rows(_GOAL, rows)


def _goal(result: Result, figure: Figure) -> list[Cell]:
    return [f"[{figure.name}](#{_anchor(result.title)})", *_measured(figure)]


def _measured(figure: Figure) -> list[Cell]:
    return [figure.goal, figure.measured, figure.unit, figure.met]


def _anchor(title: str) -> str:
    plain = "".join(one for one in title.lower() if one.isalnum() or one in "-_ ")
    return plain.replace(" ", "-")


def _common(results: Mapping[str, Result]) -> dict[str, str]:
    """What every part was measured with."""
    first, *others = (result.machine for result in results.values())
    return {name: value for name, value in first.items() if all(one.get(name) == value for one in others)}


def _machine(common: Mapping[str, str]) -> str:
    """What is another in some part is told there."""
    said = "Of all parts; when each was measured, and on what else, stands below its title."
    return f"## Machine and versions\n\n{said}\n\n" + _rows(["", ""], list(common.items()))


def _measured_at(result: Result, common: Mapping[str, str]) -> str:
    moment = datetime.fromisoformat(result.measured_at).astimezone(timezone.utc)
    own = [f"{name} {value}" for name, value in result.machine.items() if name not in common]
    return f"Measured at {', '.join([f'{moment:%Y-%m-%d %H:%M} UTC', *own])}.\n"


def _part(result: Result, common: Mapping[str, str]) -> str:
    told = [f"## {result.title}\n", _measured_at(result, common)]
    if result.quick:
        told.append("**Measured with `--quick`: few repeats, no figures to go by.**\n")
    told += [f"- {note}" for note in result.notes]
    if result.notes:
        told.append("")
    told += [_image(plot) for plot in result.plots]
    told += [_table(table) for table in result.tables]
    if not result.tables:
        told.append(_rows(_GOAL, [[figure.name, *_measured(figure)] for figure in result.figures]))
    return "\n".join(told)


def _image(plot: Plot) -> str:
    return f"![{alt(plot)}](benchmarks/{plot.name}.svg)\n"


def alt(plot: Plot) -> str:
    """What a plot shows, for who cannot see it."""
    ends = [f"{one.label}: {_ends(plot, one.points)}" for one in plot.series if one.points]
    return f"{plot.title}. {'; '.join(ends)}".replace("[", "(").replace("]", ")").replace("\n", " ")


def _ends(plot: Plot, points: Sequence[tuple[float | str, float]]) -> str:
    if plot.kind in ("bars", "waterfall"):
        return ", ".join(f"{name} {number(value)}" for name, value in points)
    (first, one), (last, other) = points[0], points[-1]
    return f"from {_cell(first)}, {number(one)} to {_cell(last)}, {number(other)}"


def _table(table: Table) -> str:
    note = f"{table.note}\n\n" if table.note else ""
    return f"### {table.title}\n\n{note}" + _rows(table.columns, table.rows)


def _rows(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    lines = [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows]
    return "\n".join([f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}", *lines, ""])


def _cell(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "**no**"
    if isinstance(value, float):
        return f"{value:,.10g}"
    return f"{value:,}" if isinstance(value, int) else value.replace("|", "\\|")
