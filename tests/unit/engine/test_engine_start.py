"""What the engine does first: it works, whether or not the API answers."""

from __future__ import annotations

import threading

import pytest
from haproxy_edge.engines import k8s_endpoints

from tests.unit.engine.material import SERVICE, World

# the engine's thread never ends by itself; here it is ended by an exception
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
PATIENCE = 60.0  # seconds until a test gives up


class Worked(BaseException):
    """The first cycle; nothing less ends the engine."""


@pytest.fixture
def engine(monkeypatch):
    """With fakes for Salt, and an API that hangs until the test is over."""
    over, asked = threading.Event(), threading.Event()

    def connect(options):
        asked.set()
        over.wait(PATIENCE)
        # ends the thread, and nothing else
        raise SystemExit

    daemon = World().daemon

    def run_cycle():
        assert asked.wait(PATIENCE)
        raise Worked

    monkeypatch.setattr(daemon, "run_cycle", run_cycle)
    monkeypatch.setattr(k8s_endpoints, "__opts__", {}, raising=False)
    monkeypatch.setattr(k8s_endpoints, "_connect", connect)
    monkeypatch.setattr(k8s_endpoints, "_daemon", lambda *_: daemon)
    monkeypatch.setattr(k8s_endpoints, "_follow_bus", lambda *_: None)
    yield k8s_endpoints
    over.set()
    for thread in threading.enumerate():
        if thread.name == "watches":
            thread.join(PATIENCE)


def test_the_engine_works_while_it_is_not_known_what_the_api_serves(engine):
    with pytest.raises(Worked):
        engine.start(services=[SERVICE])
