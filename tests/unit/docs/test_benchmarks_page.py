"""docs/benchmarks.md, its plots and README's line are those of the kept results; a stale one is an error."""

from __future__ import annotations

from bench import headline, page
from bench.plots import mark

RESULTS = page.kept()
PLOTS = [plot for result in RESULTS.values() for plot in result.plots]
AGAIN = "make bench ARGS=--page"


def test_the_page_is_that_of_the_kept_results():
    assert page.PAGE.read_text() == page.page(RESULTS), AGAIN


def test_the_line_of_readme_is_that_of_the_kept_results():
    assert page.README.read_text() == page.with_headline(page.README.read_text(), RESULTS), AGAIN


def test_every_plot_is_drawn_from_the_kept_results():
    files = {path.stem: path.read_text() for path in page.KEPT.glob("*.svg")}
    assert files.keys() == {plot.name for plot in PLOTS}, AGAIN
    assert [plot.name for plot in PLOTS if mark(plot) not in files[plot.name]] == [], AGAIN


def test_no_quick_run_is_kept():
    assert [name for name, result in RESULTS.items() if result.quick] == []


def test_every_headline_is_a_figure_that_is_kept():
    chosen = [(part, piece) for part, piece, _ in headline.CHOSEN if part in RESULTS]
    assert [one for one in chosen if headline.find(RESULTS, *one) is None] == []
