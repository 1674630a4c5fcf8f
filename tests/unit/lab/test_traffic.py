"""What clients saw, as figures: an edge has moved when its last answer from another pod lies behind it."""

from __future__ import annotations

import pytest

from lab.traffic import Record, converged

NEW = frozenset({"new"})


def record(end, pod, *, place="edge1/ipv4", took=0.01, error=""):
    return Record(place, end - took, end, pod, "10.90.0.3", error)


def test_a_place_has_moved_with_its_first_answer_after_the_last_from_another_pod():
    seen = [record(1.1, "old"), record(1.2, "new"), record(1.3, "old"), record(1.4, "new"), record(1.5, "new")]
    assert converged(seen, 1.0, NEW) == {"edge1/ipv4": pytest.approx(0.4)}


def test_one_place_that_has_not_moved_is_enough_to_say_no():
    assert converged([record(1.2, "new"), record(1.3, "old", place="edge2/ipv6")], 1.0, NEW) is None


def test_what_began_before_the_change_proves_nothing():
    assert converged([record(1.2, "new", took=0.5)], 1.0, NEW) is None


def test_a_failure_after_the_change_means_not_moved_yet():
    assert converged([record(1.2, "new"), record(1.3, "", error="refused")], 1.0, NEW) is None


def test_with_nothing_wanted_a_refusal_is_what_counts():
    seen = [record(1.1, "old"), record(1.3, "", error="refused")]
    assert converged(seen, 1.0, frozenset()) == {"edge1/ipv4": pytest.approx(0.3)}
