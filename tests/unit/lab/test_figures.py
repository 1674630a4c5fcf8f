"""What a bench prints can be read by people and by programs, and says the truth about its goals."""

from __future__ import annotations

import io
import json

import pytest

from lab.figures import Figure, figure, meets, show, table


@pytest.mark.parametrize(
    ("goal", "measured", "met"),
    [
        ("<= 130", 130, True),
        ("<= 130", 130.1, False),
        ("< 1", 1, False),
        (">= 0.5", 0.5, True),
        ("> 0", 0, False),
        ("== 0", 0, True),
        ("== 0", 1, False),
    ],
)
def test_a_goal_is_a_comparison_and_a_number(goal, measured, met):
    assert meets(goal, measured) is met


@pytest.mark.parametrize("goal", ["", "130", "<=130", "about 130", "<= many", "<= "])
def test_a_goal_that_cannot_be_read_is_named_with_the_way_out(goal):
    with pytest.raises(ValueError, match="goal") as caught:
        meets(goal, 1)
    assert repr(goal) in str(caught.value)
    assert "'<= 130'" in str(caught.value)


def test_a_figure_knows_whether_its_goal_is_met():
    assert figure("memory", "<= 130", 97.2, "MB") == Figure("memory", "<= 130", 97.2, "MB", True)
    assert not figure("memory", "<= 130", 131, "MB").met


def test_the_table_marks_a_missed_goal():
    lines = table([figure("memory", "<= 130", 97.2, "MB"), figure("idle", "<= 1", 3, "% of a core")]).splitlines()
    assert [line.split()[-1] for line in lines] == ["met", "yes", "NO"]
    assert lines[1].split() == ["memory", "<=", "130", "97.2", "MB", "yes"]


def test_the_columns_of_the_table_stand_below_their_titles():
    title, *rows = table([figure("short", "<= 1", 1, "s"), figure("a longer one", "<= 1000", 1, "ms")]).splitlines()
    assert all(row[title.index("goal") :].startswith("<=") for row in rows)


def test_the_last_line_is_json_with_every_figure():
    out = io.StringIO()
    show([figure("memory", "<= 130", 97.2, "MB"), figure("idle", "<= 1", 3, "%")], out)
    assert json.loads(out.getvalue().splitlines()[-1]) == {
        "figures": [
            {"name": "memory", "goal": "<= 130", "measured": 97.2, "unit": "MB", "met": True},
            {"name": "idle", "goal": "<= 1", "measured": 3, "unit": "%", "met": False},
        ]
    }


def test_notes_stand_between_the_table_and_the_line_of_json_and_in_it():
    out = io.StringIO()
    show([figure("idle", "<= 1", 0.1, "%")], out, notes=["no resync"])
    *_, note, line = out.getvalue().splitlines()
    assert (note, json.loads(line)["notes"]) == ("no resync", ["no resync"])


def test_without_another_place_it_goes_to_stdout(capsys):
    show([figure("idle", "<= 1", 0.1, "%")])
    assert capsys.readouterr().out.startswith("figure")


def test_a_value_that_json_does_not_know_is_refused_before_anything_is_printed(capsys):
    with pytest.raises(ValueError):
        show([figure("idle", "<= 1", float("nan"), "%")])
    assert capsys.readouterr().out == ""
