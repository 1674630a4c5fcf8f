"""What is told when it begins, and not at every retry."""

from __future__ import annotations

from haproxy_edge.said import Said


def test_the_same_of_the_same_thing_is_new_once():
    said = Said()

    assert [said.is_new("disk", "full") for _ in range(3)] == [True, False, False]


def test_another_text_and_another_thing_are_new():
    said = Said()
    said.is_new("disk", "full")

    assert said.is_new("disk", "gone")
    assert said.is_new("bus", "gone")


def test_what_was_over_is_new_again():
    said = Said()
    said.is_new("disk", "full")

    assert [said.over("disk"), said.over("disk"), said.is_new("disk", "full")] == [True, False, True]
