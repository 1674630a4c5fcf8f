"""For any sequence and timing of changes and troubles, what is stored and ordered in the end is what is true."""

from __future__ import annotations

import itertools

import pytest
from haproxy_edge.ack import Ack
from haproxy_edge.reflector import Applied, Condition, Deleted, Listed
from haproxy_edge.slices import SERVICE_LABEL
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.engine.material import World, a_slice, endpoint, merge

GRACE = 30
CALM = 2 * GRACE  # seconds of quiet after which nothing may be left to do
QUIET = 600
STEP = 2  # seconds in which the edge answers
SERVICES = ("kube-system/traefik", "kube-system/web")
NAMES = ("a", "b", "c")

contents = st.lists(
    st.builds(endpoint, st.integers(1, 4).map("10.42.0.{}".format), ready=st.sampled_from([True, True, False, None])),
    max_size=3,
)
slices = st.builds(
    lambda listed, name, service: a_slice(*listed, name=name, service=service),
    contents,
    st.sampled_from(NAMES),
    st.sampled_from(SERVICES),
)
steps = st.one_of(
    st.tuples(st.just("applied"), slices),
    st.tuples(st.just("applied"), slices),
    st.tuples(st.just("deleted"), st.sampled_from(NAMES)),
    st.tuples(st.just("listed"), st.lists(slices, max_size=3)),
    st.tuples(st.just("api_error"), st.sampled_from(["http-500", "timeout"])),
    st.tuples(st.just("broken"), st.sampled_from(["fetch", "store", "deaf"])),
    st.tuples(st.just("mended"), st.none()),
    st.tuples(st.just("restarted"), st.none()),
    st.tuples(st.just("asleep"), st.booleans()),
)
pauses = st.sampled_from([0, 0, 0.01, 0.2, 1, 10, GRACE, GRACE + 20])
stories = st.lists(st.tuples(pauses, steps), max_size=15)


class Cluster:
    """What is true, the engine that hears of it, and what that engine has stored, with its time."""

    def __init__(self):
        self.world = World(*SERVICES, empty_grace=GRACE)
        self.world.fleet = ["edge1"]
        self.sleeping, self.answered, self.applied_there = False, 0, {}
        self.truth = {}
        self.empty_since = {}
        self.saved = []
        self._save, self.world.store.save = self.world.store.save, self._saving
        self.listed([a_slice(endpoint(), name="a")])

    def _saving(self, snapshot):
        self._save(snapshot)
        self.saved.append((snapshot, self.world.inbox.steady - self.empty_since.get(snapshot.service, float("-inf"))))

    def play(self, story, *, calm=CALM):
        for pause, (happened, what) in story:
            self.world.run(pause)
            getattr(self, happened)(what)
            self._answer()
        self.mended()
        self.asleep(False)
        for _ in range(calm // STEP):
            self.world.run(STEP)
            self._answer()
        return self

    def _answer(self):
        """An edge that is awake applies what was ordered meanwhile; what was ordered in its sleep it never sees."""
        new, self.answered = self.world.orders[self.answered :], len(self.world.orders)
        if not new or self.sleeping or self.world.cache.broken:
            return
        snapshots = [self.world.store.snapshot("default", service) for service in SERVICES]
        self.applied_there = {
            f"default {one.service}": (one.generation, one.digest) for one in snapshots if one is not None
        }
        last = new[-1]
        told = {"done": "", "problems": (), "state_needed": None, "ms": 1.0, "key": "k"}
        self.world.inbox.put(Ack("edge1", last["id"], last["lane"], self.applied_there, **told))

    def asleep(self, sleeping):
        self.sleeping = sleeping

    def _tell(self, change):
        for service in SERVICES:
            if any(self.ports(service).values()):
                self.empty_since.pop(service, None)
            else:
                self.empty_since.setdefault(service, self.world.inbox.steady)
        self.world.say(change)

    def applied(self, item):
        self.truth[item["metadata"]["name"]] = item
        self._tell(Applied(item))

    def deleted(self, name):
        if name in self.truth:
            self._tell(Deleted(self.truth.pop(name)))

    def listed(self, items):
        self.truth = {item["metadata"]["name"]: item for item in items}
        self._tell(Listed(tuple(self.truth.values())))

    def api_error(self, name):
        self.world.say(Condition(name, "broken"))

    def broken(self, what):
        self.world.bus.deaf |= what == "deaf"
        self.world.cache.broken |= {what} - {"deaf"}

    def mended(self, _=None):
        self.world.bus.deaf = False
        self.world.cache.broken = set()

    def restarted(self, _):
        self.world.journal.clear()
        self.world.start()
        self.listed(self.truth.values())

    def ports(self, service):
        plain = service.split("/")[1]
        return merge(item for item in self.truth.values() if item["metadata"]["labels"][SERVICE_LABEL] == plain).ports


@pytest.mark.field_failure("an API error read as no endpoints", "a change lost between two publishes")
@settings(max_examples=300, deadline=None)
@given(stories)
def test_in_the_end_the_store_holds_the_truth_whatever_happened(story):
    cluster = Cluster().play(story)

    for service in SERVICES:
        assert cluster.world.store.snapshot("default", service).ports == cluster.ports(service)


@pytest.mark.field_failure("a change lost between two publishes", "one bad edge holds up all", "Salt loses or doubles")
@settings(max_examples=60, deadline=None)
@given(stories)
def test_in_the_end_an_edge_serves_the_truth_however_often_the_engine_was_killed_and_it_slept(story):
    cluster = Cluster().play(story, calm=400)

    for service in SERVICES:
        stored = cluster.world.store.snapshot("default", service)
        generation, digest = cluster.applied_there[f"default {service}"]
        assert digest == stored.digest
        # content that went and came back has a newer number, which alone is no reason to ring anybody
        assert generation <= stored.generation


@settings(max_examples=60, deadline=None)
@given(stories)
def test_when_all_is_right_nothing_is_ordered_any_more(story):
    cluster = Cluster().play(story, calm=400)
    ordered = len(cluster.world.orders)
    cluster.world.start()
    cluster.listed(cluster.truth.values())
    cluster.world.run(QUIET)

    assert len(cluster.world.orders) == ordered


@pytest.mark.field_failure("an API error read as no endpoints")
@settings(max_examples=300, deadline=None)
@given(stories)
def test_no_service_is_emptied_before_it_was_empty_for_the_grace(story):
    saved = Cluster().play(story).saved

    assert all(empty_for >= GRACE for snapshot, empty_for in saved if snapshot.is_empty)


@settings(max_examples=300, deadline=None)
@given(stories)
def test_generations_only_grow_and_only_with_the_content(story):
    saved = [snapshot for snapshot, _ in Cluster().play(story).saved]

    for service in SERVICES:
        mine = [snapshot for snapshot in saved if snapshot.service == service]
        assert all(one.generation < two.generation for one, two in itertools.pairwise(mine))
        assert all(one.digest != two.digest for one, two in itertools.pairwise(mine))
