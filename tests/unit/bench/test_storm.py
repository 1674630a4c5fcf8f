"""Figures of storm, steady minutes and idling say what was seen, and what is not sure counts against us."""

from __future__ import annotations

import pytest

from bench.phases import FUNCTIONS, PARTS, Phase, Reading, of_master
from bench.result import Result
from bench.storm import QUICK, Seen, figures, plots, tables
from chaos.storm import Storm
from lab.processes import LabError


def reading(at=0.0, *, used=0.0, published=0, reloads=(100, 0)):
    return Reading(at, dict.fromkeys(PARTS, used), dict.fromkeys(FUNCTIONS, published), {"edge1": reloads})


def phase(name, *, seconds=60.0, grows=0.0, **after):
    memory = [(float(second), 90 + grows * second / 3600) for second in range(0, int(seconds), 2)]
    return Phase(name, reading(), reading(seconds, **after), memory)


def seen(**over):
    phases = {name: phase(name) for name in ("quiet", "storm", "steady", "idle", "resync")}
    storm = over.pop("storm", Storm(300, 3.0, 0.15, frozenset({"20260124123059123456"})))
    steady = over.pop("steady", [0.2] * 60)
    return Seen(QUICK, over.pop("quiet", [0.1] * 12), storm, steady, {**phases, **over})


def measured(**over):
    return {figure.name: figure for figure in figures(seen(**over))}


def missed(**over):
    return [name for name, figure in measured(**over).items() if not figure.met]


def test_a_run_in_which_all_went_well_meets_every_goal():
    assert missed() == []


@pytest.mark.parametrize(
    ("over", "name"),
    [
        ({"storm": Storm(300, 3.0, 0.21, frozenset())}, "storm: last state everywhere"),
        ({"storm": phase("storm", reloads=(100, 1))}, "storm: reloads"),
        ({"steady": [0.2] * 59 + [None]}, "steady: changes of 60 that every edge served"),
        ({"steady": phase("steady", reloads=(200, 0))}, "steady: reloads"),
        ({"steady": phase("steady", used=1.9)}, "steady: engine's processor time"),
        ({"steady": phase("steady", grows=4.1)}, "steady: engine's memory, slope at most"),
        ({"idle": phase("idle", published=1)}, "idle: publishes"),
        ({"idle": phase("idle", reloads=(100, 2))}, "idle: reloads"),
        ({"idle": phase("idle", used=0.7)}, "idle: engine"),
        ({"idle": phase("idle", grows=1.1)}, "idle: engine's memory, slope at most"),
    ],
)
def test_each_promise_that_is_broken_misses_its_goal_and_no_other(over, name):
    (given,) = over.values()
    if isinstance(given, Phase):
        found = seen()
        found.phases[given.name] = given
        assert [figure.name for figure in figures(found) if not figure.met] == [name]
    else:
        assert missed(**over) == [name]


def test_a_storm_may_publish_once_in_each_interval_until_the_last_state_is_everywhere():
    assert Storm(300, 3.0, 0.1, frozenset()).allowed == 16
    found = seen()
    found.phases["storm"] = phase("storm", published=9)
    assert [figure.name for figure in figures(found) if not figure.met] == ["storm: publishes of 300 changes"]


def test_reloads_are_those_haproxys_master_counts_and_a_new_master_is_one_more():
    shown = "#<PID>  <type>  <reloads>  <uptime>\n1144  master  2 [failed: 0]  0d00h00m12s  2.6\n1150 worker 0 0d\n"
    assert of_master("edge1", shown) == (1144, 2)
    assert phase("x", reloads=(100, 2)).reloads == 2
    assert phase("x", reloads=(7, 1)).reloads == 2


def test_a_haproxy_that_does_not_say_is_named():
    with pytest.raises(LabError, match="edge1: HAProxy's master process"):
        of_master("edge1", "")


def test_a_phase_that_is_not_over_has_no_cost():
    with pytest.raises(LabError, match="x: not over yet"):
        _ = Phase("x", reading()).reloads


def test_tables_and_plots_make_a_result_that_comes_back():
    found = seen()
    result = Result("storm", "x", figures(found), (), tables(found), plots(found))
    assert Result.from_json(result.to_json()).to_json() == result.to_json()
    slopes = {row[0]: row[3] for row in result.tables[2].rows}
    assert slopes == {"steady": 0, "idle": 0}
