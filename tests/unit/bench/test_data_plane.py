"""Ours against by hand is told of rounds, each within itself, and never better than it was."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from bench.clients import Shot
from bench.data_plane import BY_HAND, LOADS, NO_EDGE, OURS, Sample, by_hand, compare, figures, plots, tables
from bench.result import Result


def sample(rate, *, time=2.0, processor=100.0):
    return Sample(Shot(rate, time, 2 * time), processor)


def of_load(ours, other):
    return {OURS: ours, BY_HAND: other, NO_EDGE: [sample(9000, processor=0)]}


def samples(ours, other):
    return {load.name: of_load(ours, other) for load in LOADS}


def test_more_is_better_in_every_ratio_and_rounds_are_not_mixed():
    found = compare(of_load([sample(90, time=4), sample(300)], [sample(100, time=2), sample(200)]))
    assert (found["rate"], found["p50"]) == ([0.9, 1.5], [0.5, 1.0])
    assert found["p99"] == found["p50"]


def test_a_round_too_short_for_a_tick_of_the_processor_says_nothing_of_it():
    rounds = [sample(1, processor=0), sample(1, processor=80)], [sample(1, processor=50), sample(1, processor=100)]
    assert compare(of_load(*rounds))["HAProxy's processor time"] == [1.25]


@pytest.mark.parametrize(("rate", "met"), [(98, True), (97, False)])
def test_the_goal_is_met_from_98_percent_on(rate, met):
    found = figures(samples([sample(rate)] * 3, [sample(100)] * 3))
    assert [one.met for one in found if "a second" in one.name] == [met] * len(LOADS)


def test_figures_are_medians_of_rounds_so_that_one_disturbed_round_does_not_decide():
    found = figures(samples([sample(100), sample(5), sample(100)], [sample(100)] * 3))
    assert all(one.measured == 1 for one in found)


def test_tables_and_plots_make_a_result_that_comes_back():
    measured = samples([sample(100)] * 6, [sample(100)] * 6)
    result = Result("data_plane", "x", figures(measured), (), tables(measured, 6), plots(measured))
    assert Result.from_json(result.to_json()).to_json() == result.to_json()
    way, ratios = result.tables
    assert [row[-1] for row in way.rows if row[1] == NO_EDGE] == [None] * len(LOADS)
    assert all(row[2:] == [1, 1, 1] for row in ratios.rows)


def test_by_hand_every_pod_is_a_server_of_both_backends_with_the_header():
    pods = [SimpleNamespace(name=f"app-{number}", address=f"10.244.0.{number}") for number in (11, 12)]
    text = by_hand(pods)
    assert "$" not in text.partition("global\n")[2]
    for backend, port in (("websecure", 8443), ("web", 8000)):
        section = text.partition(f"\nbackend {backend}\n")[2].partition("\nfrontend ")[0]
        lines = [line.strip() for line in section.splitlines() if "server " in line]
        assert lines == [f"server {pod.name} {pod.address}:{port} send-proxy-v2 check" for pod in pods]
