"""An edge that does not confirm is rung until it does, and nobody waits for it."""

import itertools
from dataclasses import replace

import pytest
from haproxy_edge.ack import Ack
from haproxy_edge.records import EdgeRecord
from haproxy_edge.tracker import LONGEST_PAUSE, Tracker
from hypothesis import given
from hypothesis import strategies as st

SERVICE = "kube-system/traefik"
KEY, SSH = f"default {SERVICE}", "default gitea/ssh"
WALL = 1_764_000_000.0
OLD, NEW, NEWER = (1, "sha256:old"), (2, "sha256:new"), (3, "sha256:newer")


def tracker(*fleet, lane="hot", records=None, wall=lambda: WALL):
    made = Tracker("default", 5.0, jitter=lambda seconds: seconds, wall=wall, lane=lane)
    made.restore(records or {})
    made.stored(SERVICE, *NEW, 0.0)
    made.expect(fleet, 0.0)
    return made


def ack(edge, serves=NEW, *, problems=(), state_needed=None, **more):
    return Ack(edge, "o", "hot", {KEY: serves} if serves else {}, "", tuple(problems), state_needed, 1.0, **more)


def record(serves=NEW, **more):
    return EdgeRecord({KEY: serves}, heard_at=WALL, **more)


def take(made, now, **more):
    """Who is late, by lane, and is rung at once."""
    late = made.late(now, **more)
    for names in late.values():
        made.rung(names, now)
    return late


def rung_until(made, end):
    """(time, {lane: names}) of every ring up to ``end``."""
    rings, now = [], 0.0
    while (now := max(now, made.due_at())) <= end:
        rings.append((now, take(made, now)))
    return rings


def test_a_new_edge_that_says_nothing_gets_the_state_after_the_timeout():
    made = tracker("edge1")
    assert take(made, 4.9) == {}
    assert take(made, 5.0) == {"state": ["edge1"]}


def test_an_edge_that_confirms_is_left_alone():
    made = tracker("edge1")
    made.confirmed(ack("edge1"), 1.0)
    assert made.due_at() == float("inf")
    assert take(made, 1000.0) == {}
    assert made.edges()["edge1"].behind_since is None


@pytest.mark.field_failure("one bad edge holds up all")
def test_an_edge_is_rung_for_as_long_as_it_takes_with_growing_pauses():
    times = [time for time, _ in rung_until(tracker("edge1"), 10_000)]
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert pauses[:4] == [10, 20, 40, 80]
    assert set(pauses[6:]) == {LONGEST_PAUSE}


def test_an_edge_that_missed_a_change_is_rung_by_the_hot_lane_first_and_by_the_state_lane_from_then_on():
    made = tracker("edge1")
    made.confirmed(ack("edge1"), 0.0)
    made.stored(SERVICE, *NEWER, 100.0)
    assert rung_until(made, 130.0) == [
        (105.0, {"hot": ["edge1"]}),
        (110.0, {"state": ["edge1"]}),
        (120.0, {"state": ["edge1"]}),
    ]


@pytest.mark.field_failure("one bad edge holds up all")
def test_an_edge_that_is_back_and_says_so_is_rung_at_once_whatever_its_pause():
    made = tracker("edge1")
    made.confirmed(ack("edge1"), 0.0)
    made.stored(SERVICE, *NEWER, 0.0)
    rung_until(made, 1000.0)
    made.confirmed(replace(ack("edge1"), lane="edge"), 1001.0)
    assert take(made, 1001.0) == {"hot": ["edge1"]}
    assert take(made, 1006.0) == {"state": ["edge1"]}


def test_without_the_hot_lane_all_rings_are_of_the_state_lane():
    made = tracker("edge1", lane="state")
    made.confirmed(ack("edge1"), 0.0)
    made.stored(SERVICE, *NEWER, 100.0)
    assert {lane for _, rung in rung_until(made, 1000.0) for lane in rung} == {"state"}


def test_an_edge_that_is_right_again_begins_with_the_hot_lane_and_the_shortest_pause_the_next_time():
    made = tracker("edge1")
    made.confirmed(ack("edge1"), 0.0)
    made.stored(SERVICE, *NEWER, 0.0)
    rung_until(made, 500.0)
    made.confirmed(ack("edge1", NEWER), 500.0)
    made.stored(SERVICE, 4, "sha256:newest", 600.0)
    assert take(made, 605.0) == {"hot": ["edge1"]}


@pytest.mark.field_failure("one bad edge holds up all")
def test_one_edge_never_delays_another():
    made = tracker("edge1", "edge2")
    made.confirmed(ack("edge2"), 0.0)
    rung_until(made, 500)
    made.stored(SERVICE, *NEWER, 500.0)
    assert "edge2" in take(made, 505.0)["hot"]


def test_an_edge_that_confirms_old_content_is_behind():
    made = tracker("edge1")
    made.confirmed(ack("edge1", OLD), 1.0)
    assert made.is_behind("edge1")
    assert take(made, 6.0) == {"hot": ["edge1"]}


def test_the_same_content_at_an_older_generation_is_not_behind():
    made = tracker("edge1")
    made.confirmed(ack("edge1", (1, NEW[1])), 1.0)
    assert not made.is_behind("edge1")


def test_a_request_for_the_state_lane_is_met_at_once_and_only_once():
    made = tracker("edge1")
    made.confirmed(ack("edge1"), 0.0)
    made.confirmed(ack("edge1", state_needed="it does not run"), 7.0)
    assert take(made, 7.0) == {"state": ["edge1"]}
    made.confirmed(ack("edge1", state_needed="it does not run"), 8.0)
    assert take(made, 8.0) == {}


def test_an_edge_with_problems_stays_behind_and_only_the_state_can_help():
    made = tracker("edge1")
    made.confirmed(ack("edge1", problems=["haproxy.bind: taken"]), 1.0)
    assert made.is_behind("edge1")
    assert take(made, 6.0) == {"state": ["edge1"]}


def test_an_edge_that_is_gone_is_left_alone_and_one_that_came_is_due():
    made = tracker("edge1")
    made.expect(["edge2"], 100.0)
    assert take(made, 105.0) == {"state": ["edge2"]}


def test_an_edge_that_was_not_matched_for_a_while_is_known_again():
    made = tracker("edge1")
    made.confirmed(ack("edge1"), 1.0)
    made.expect([], 10.0)
    made.expect(["edge1"], 20.0)
    assert take(made, 1000.0) == {}


def test_an_edge_that_is_gone_for_good_is_forgotten_in_the_end_and_one_that_is_there_never():
    long_ago = WALL - 8 * 86_400
    made = tracker("edge1", records={name: replace(record(), heard_at=long_ago) for name in ("edge1", "edge2")})
    assert made.forget() == ["edge2"]
    assert made.forget() == []
    assert take(made, 1000.0) == {}


def test_an_acknowledgement_of_a_stranger_changes_nothing():
    made = tracker("edge1")
    made.confirmed(ack("edge9"), 1.0)
    assert take(made, 5.0) == {"state": ["edge1"]}
    assert list(made.edges()) == ["edge1"]


def test_a_busy_cluster_rings_a_dead_edge_neither_at_every_change_nor_never():
    made = tracker("edge1")
    made.confirmed(ack("edge1"), 0.0)
    now, rings = 0.0, 0
    for number in range(600):
        now += 1.0
        made.stored(SERVICE, 10 + number, f"sha256:{number}", now)
        rings += bool(take(made, now))
    assert 4 < rings < 12


def test_an_edge_that_follows_a_busy_cluster_is_not_rung_for_being_one_change_late():
    made = tracker("edge1")
    for number in range(600):
        made.stored(SERVICE, 10 + number, f"sha256:{number}", float(number))
        made.confirmed(ack("edge1", (9 + number, f"sha256:{number - 1}")), number + 0.5)
        assert take(made, number + 0.9) == {}
    assert made.edges()["edge1"].behind_since == WALL


@pytest.mark.field_failure("one bad edge holds up all")
@pytest.mark.parametrize("missed", ["a change", "a new service"])
def test_an_edge_that_follows_in_one_service_is_rung_in_time_for_what_it_lacks_in_another(missed):
    made = tracker("edge1")
    rings = []
    for number in range(12):
        now = float(number)
        made.stored("gitea/ssh", 10 + number, f"sha256:{number}", now)
        made.confirmed(replace(ack("edge1"), serves={KEY: NEW, SSH: (10 + number, f"sha256:{number}")}), now + 0.5)
        if number == 0 and missed == "a change":
            made.stored(SERVICE, *NEWER, now + 0.6)
        elif number == 0:
            made.introduced(now + 0.6)
        rings += [(now + 0.7, lane) for lane in take(made, now + 0.7)]
    assert rings == ([(5.7, "hot"), (10.7, "state")] if missed == "a change" else [(5.7, "state")])


def test_an_edge_is_behind_since_the_change_it_has_not_confirmed_and_not_since_one_it_has():
    now = 0
    made = tracker("edge1", wall=lambda: WALL + now)
    for now in range(1, 601):
        made.stored(SERVICE, 10 + now, f"sha256:{now}", float(now))
        if now < 500:
            made.confirmed(ack("edge1", (9 + now, f"sha256:{now - 1}")), float(now))
    assert made.edges()["edge1"].behind_since == WALL + 499


def test_an_edge_that_went_back_is_behind_since_then():
    now = 0.0
    made = tracker("edge1", wall=lambda: WALL + now)
    for now, serves in ((1.0, NEW), (3600.0, OLD)):
        made.confirmed(ack("edge1", serves), now)
    assert made.edges()["edge1"].behind_since == WALL + 3600
    assert take(made, 3604.0) == {}
    assert take(made, 3605.0) == {"hot": ["edge1"]}


def test_a_new_process_knows_who_is_right_and_rings_who_is_not_at_once():
    records = {"edge1": record(), "edge2": record(OLD, behind_since=WALL - 60)}
    made = tracker("edge1", "edge2", records=records)
    assert take(made, 0.0) == {"hot": ["edge2"]}
    assert made.edges()["edge2"].behind_since == WALL - 60


def test_an_edge_that_was_right_when_it_went_is_behind_since_it_is_back():
    now = 0.0
    made = tracker("edge1", records={"edge1": record(OLD, behind_since=WALL - 60)}, wall=lambda: WALL + now)
    made.confirmed(ack("edge1"), 1.0)
    made.expect([], 2.0)
    made.stored(SERVICE, *NEWER, 3.0)
    now = 4.0
    made.expect(["edge1"], now)
    assert made.edges()["edge1"].behind_since == WALL + 4


def test_what_a_new_process_shall_know_is_what_was_confirmed_and_who_was_rung():
    made = tracker("edge1", "edge2", "edge3")
    made.confirmed(ack("edge1"), 1.0)
    made.confirmed(ack("edge2", OLD), 1.0)
    unsaved = made.unsaved()
    assert {name: (one.serves, one.behind_since) for name, one in unsaved.items()} == {
        "edge1": ({KEY: NEW}, None),
        "edge2": ({KEY: OLD}, WALL),
    }
    for name in unsaved:
        made.saved(name)
    assert made.unsaved() == {}
    take(made, 6.0)
    assert list(made.unsaved()) == ["edge2"]


def test_a_new_host_of_an_old_name_is_a_new_edge():
    made = tracker("edge1", records={"edge1": record(key="old", sequence=7)})
    made.expect(["edge1"], 10.0, marks={"edge1": "new"})
    assert take(made, 15.0) == {"state": ["edge1"]}
    assert not made.is_replayed(ack("edge1", sequence=1, key="new"))


@pytest.mark.parametrize(("sequence", "replayed"), [(6, True), (7, True), (None, True), (8, False)])
def test_under_one_key_numbers_only_grow(sequence, replayed):
    made = tracker("edge1", records={"edge1": record(key="k", sequence=7)})
    assert made.is_replayed(ack("edge1", key="k", sequence=sequence)) is replayed


def test_under_a_new_key_they_begin_anew():
    made = tracker("edge1", records={"edge1": record(key="k", sequence=7)})
    assert not made.is_replayed(ack("edge1", key="another", sequence=1))


def test_what_is_frozen_rings_nobody_but_an_edge_that_has_nothing():
    made = tracker("edge1", "edge2", records={"edge1": record(OLD)})
    assert take(made, 5.0, frozen=[SERVICE]) == {"state": ["edge2"]}
    assert take(made, 5.0) == {"hot": ["edge1"]}


@pytest.mark.parametrize(
    ("serves", "newer"),
    [
        ((2, "sha256:other"), True),
        ((9, "sha256:other"), True),
        ((9, NEW[1]), False),
        (OLD, False),
        ((2**52, "sha256:other"), False),
    ],
    ids=["same generation", "newer", "newer, same content", "older", "from beyond any clock"],
)
def test_an_edge_that_has_something_newer_of_other_content_says_so(serves, newer):
    assert list(tracker("edge1").newer(ack("edge1", serves))) == ([(SERVICE, serves[0])] if newer else [])


STEPS = st.one_of(
    st.tuples(st.just("expect"), st.sets(st.sampled_from(["edge1", "edge2", "edge3"]))),
    st.tuples(st.just("stored"), st.integers(3, 9)),
    st.tuples(st.just("confirmed"), st.sampled_from(["edge1", "edge2", "edge3"]), st.integers(2, 9)),
    st.tuples(st.just("needs state"), st.sampled_from(["edge1", "edge2", "edge3"])),
    st.tuples(st.just("introduced")),
    st.tuples(st.just("take")),
)


@given(st.lists(STEPS, max_size=30))
def test_whatever_happens_those_it_keeps_as_behind_are_those_that_are(steps):
    made, wanted = tracker("edge1", "edge2"), NEW
    for now, (what, *given_) in enumerate(steps):
        if what == "expect":
            made.expect(sorted(*given_), now)
        elif what == "stored":
            wanted = version(*given_)
            made.stored(SERVICE, *wanted, now)
        elif what == "confirmed":
            made.confirmed(ack(given_[0], version(given_[1])), now)
        elif what == "needs state":
            made.confirmed(ack(given_[0], state_needed="a reload"), now)
        elif what == "introduced":
            made.introduced(now)
        else:
            take(made, now)
        due = [edge.due for name, edge in made.edges().items() if made.is_behind(name)]
        assert made.due_at() == min(due, default=float("inf"))
    behind = {name for name, edge in made.edges().items() if not is_right(edge.record, wanted)}
    assert {name for names in take(made, 10_000.0).values() for name in names} == behind


def is_right(record, wanted):
    return record and not (record.state_needed or record.awaits_state) and record.serves[KEY][1] == wanted[1]


def version(number):
    return number, f"sha256:{number}"
