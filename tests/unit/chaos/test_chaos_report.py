"""The table of faults: what is kept, what is replaced, and what makes a figure unmet."""

from __future__ import annotations

import pytest

from chaos.__main__ import ALL
from chaos.fault import Fault, Outcome
from chaos.report import PAGE, figures, keep, row

FAULT = Fault("b", "stays", begin=lambda _: None)


def outcome(**seen):
    return Outcome(FAULT, **{"recovery": 1.0, "connections": 10, **seen})


def met(outcomes):
    return {one.name: one.met for one in figures(outcomes, 6.0, {})}


def test_a_row_has_median_and_longest_recovery_and_the_sums():
    found = row(FAULT, [outcome(recovery=1.0), outcome(recovery=3.0, failed=2, cut=1), outcome(recovery=2.0, wrong=4)])
    assert found == ("b", "stays", "2.0 s / 3.0 s", "2 of 30", "1", "4")


def test_a_change_that_one_run_lost_is_no_recovery():
    assert row(FAULT, [outcome(), outcome(recovery=None)])[2] == "LOST"


@pytest.mark.parametrize(
    ("seen", "name"),
    [
        ({"recovery": None}, "changes lost"),
        ({"recovery": 6.5}, "slowest recovery"),
        ({"wrong": 1}, "wrong pods reached"),
        ({"emptied": 1}, "edges emptied by a fault"),
        ({"failed": 1, "failed_elsewhere": 1}, "failed new connections"),
        ({"cut": 1, "cut_elsewhere": 1}, "cut streams"),
        ({"problems": ["something"]}, "faults with something that does not hold"),
    ],
)
def test_one_bad_run_among_good_ones_is_seen(seen, name):
    assert met([outcome(), outcome(**seen)])[name] is False
    assert all(met([outcome(), outcome()]).values())


def test_a_run_of_some_faults_keeps_the_rows_of_the_others(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- make chaos: begin -->\n<!-- make chaos: end -->\nafter\n")
    keep([("a", "p", "1", "2", "3", "4"), ("c", "p", "1", "2", "3", "4")], ["a", "b", "c"], page)
    keep([("b", "p", "9", "9", "9", "9"), ("c", "p", "8", "8", "8", "8")], ["a", "b", "c"], page)
    text = page.read_text()
    assert [line for line in text.splitlines() if line.startswith(("| a", "| b", "| c"))] == [
        "| a | p | 1 | 2 | 3 | 4 |",
        "| b | p | 9 | 9 | 9 | 9 |",
        "| c | p | 8 | 8 | 8 | 8 |",
    ]
    assert text.startswith("before\n") and text.endswith("\nafter\n")


def test_every_fault_has_a_name_of_its_own_and_the_page_names_no_other():
    names = [fault.name for fault in ALL]
    assert len(set(names)) == len(names)
    table = PAGE.read_text().partition("make chaos: begin -->")[2].partition("<!--")[0]
    kept = [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines()[3:]]
    assert set(kept) <= set(names)
