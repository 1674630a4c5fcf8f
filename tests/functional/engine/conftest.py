"""A Kubernetes API with the engine's own account, and reflectors that follow it."""

from __future__ import annotations

import pytest
from haproxy_edge import kube

from lab.kubeapi.embedded import EmbeddedApi
from tests.functional.engine.following import ROLE, SLICES, TIMEOUTS, Follower, slice_of


@pytest.fixture
def bookmark_seconds():
    """How often a quiet watch hears something; less than the read timeout, as in the defaults."""
    return 0.2


@pytest.fixture
def api(bookmark_seconds):
    """With one slice of one endpoint, and the engine's account and role."""
    with EmbeddedApi(bookmark_seconds=bookmark_seconds) as started:
        started.client.apply_file(ROLE)
        started.client.create(SLICES, slice_of("10.42.0.7"))
        yield started


@pytest.fixture
def kubeconfig(api):
    """Of the engine's account."""
    return str(api.kubeconfig_for("haproxy-edge", "kube-system"))


@pytest.fixture
def connect(kubeconfig):
    """What the engine does for every new connection."""
    return lambda: kube.connect(kubeconfig=kubeconfig, context=None, timeouts=TIMEOUTS)


@pytest.fixture
def follow(api, connect):
    """Start a follower; all are stopped with the API."""
    started = []

    def start(connect=connect, **options):
        started.append(Follower(connect, **options))
        return started[-1]

    yield start
    api.stop()
    for follower in started:
        follower.stop()


@pytest.fixture
def follower(follow):
    """One that has seen the slice."""
    follower = follow()
    follower.until_addresses("10.42.0.7")
    return follower
