"""The page says what the results say, missed goals first of all."""

from __future__ import annotations

import pytest

from bench import headline as headlines
from bench import page
from bench.parts import PARTS
from lab.figures import figure
from tests.unit.bench.material import BARS, LOGLOG, result


def test_every_figure_stands_beside_its_goal_and_a_missed_one_is_marked():
    text = page.page({"growth": result()})
    assert "1 of 2 goals are met. Why the others are not stands in the notes of their parts." in text
    assert "| [endpoints, n^k](#how-cost-grows) | <= 1.1 | 1.02 | k | yes |" in text
    assert "| [edges, n^k](#how-cost-grows) | <= 1.1 | 1.3 | k | **no** |" in text


def test_notes_tables_plots_machine_and_date_are_all_there():
    text = page.page({"growth": result()})
    wanted = [
        "## How cost grows",
        "- 500 edges are stand-ins",
        "### By size\n\nmedians\n\n| servers | ms |\n|---|---|\n| 3,000 | 1.5 |\n| 30 |  |",
        "](benchmarks/growth-endpoints.svg)",
        "| kernel | 6.1 |",
        "## How cost grows\n\nMeasured at 2026-01-01 00:00 UTC.\n",
    ]
    assert [piece for piece in wanted if piece not in text] == []


def test_parts_that_were_measured_on_two_machines_are_told_apart():
    other = result(machine={"kernel": "6.2", "Salt": "3008"}, title="Storm", measured_at="2026-01-02T01:00:00+01:00")
    text = page.page({"growth": result(machine={"kernel": "6.1", "Salt": "3008"}), "storm": other})
    assert "| Salt | 3008 |" in text and "| kernel |" not in text
    assert "Measured at 2026-01-01 00:00 UTC, kernel 6.1." in text
    assert "Measured at 2026-01-02 00:00 UTC, kernel 6.2." in text


def test_a_part_that_was_not_measured_is_named():
    absent = ", ".join(f"`{part}`" for part in PARTS if part != "growth")
    assert f"Not measured: {absent};" in page.page({"growth": result()})
    assert "Not measured" not in page.page({part: result(part=part) for part in PARTS})


def test_a_part_without_tables_shows_its_figures_below_its_title():
    row = "| endpoints, n^k | <= 1.1 | 1.02 | k | yes |"
    assert row in page.page({"growth": result(tables=[])})
    assert row not in page.page({"growth": result()})


def test_a_quick_result_is_called_one():
    assert "no figures to go by" in page.page({"growth": result(quick=True)})
    assert "no figures to go by" not in page.page({"growth": result()})


def test_who_cannot_see_a_plot_is_told_its_ends():
    assert page.alt(LOGLOG) == (
        "One change among many. hot lane: from 3, 1.5 to 300, 160; state lane: from 3, 40 to 300, 60"
    )
    assert page.alt(BARS) == "By way. p50: hot 140, ansible 7,600"


def test_nothing_kept_is_a_page_all_the_same():
    assert "Nothing is measured yet." in page.page({})


def test_the_line_of_readme_is_replaced_and_nothing_else():
    before = f"a\n{page.BEGIN}\nold\n{page.END}\nb\n"
    assert page.with_headline(before, {}) == f"a\n{page.BEGIN}\n{headlines.NOTHING}\n{page.END}\nb\n"


@pytest.mark.parametrize("text", ["", page.BEGIN, page.END])
def test_readme_without_its_marks_is_left_alone(text):
    with pytest.raises(ValueError, match="have to stand around"):
        page.with_headline(text, {})


def test_the_headline_takes_its_number_from_the_result(monkeypatch):
    monkeypatch.setattr(headlines, "CHOSEN", (("growth", "endpoints", "growth {}"), ("storm", "idle", "idle {}")))
    assert "growth **1.02**." in headlines.headline({"growth": result()})


def test_a_headline_that_could_mean_two_figures_is_refused(monkeypatch):
    monkeypatch.setattr(headlines, "CHOSEN", (("growth", "n^k", "growth {}"),))
    with pytest.raises(LookupError, match="2 figures: endpoints"):
        headlines.headline({"growth": result()})


def test_numbers_keep_their_digits():
    text = page.page({"growth": result(figures=[figure("memory", "<= 200", 199.95, "MB")])})
    assert "| 199.95 | MB | yes |" in text
