"""One thread per watch, each filling the daemon's inbox for as long as the process lives.

So that a watch that hangs holds up no other and not the daemon. A thread must never end in silence: nobody would
follow that part of the cluster any more.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

from haproxy_edge import kube
from haproxy_edge.backoff import Backoff
from haproxy_edge.daemon import Daemon
from haproxy_edge.options import Options
from haproxy_edge.reflector import Change, Condition, Freshness, ListWatch, Watch, forever, watches_for
from haproxy_edge.said import Said

log = logging.getLogger(__name__)


def follow(
    daemon: Daemon,
    options: Options,
    connect: Callable[[], kube.Api],
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> list[threading.Thread]:
    """Find out what to watch, as long as that takes, and start the watches.

    For a thread of its own: the daemon works meanwhile, so it knows how old its view is, and says why.
    """
    try:
        slices = options.source != "endpoints"
        if options.source == "auto":
            _announce(daemon, options, slices=True, clock=clock)
            slices = _serves_slices(daemon, options, connect, sleep)
            if not slices:
                # what was wrong with those that are not watched after all is wrong no more
                _tell(daemon, Condition("ok", "the API has no EndpointSlices: Endpoints are watched"))
        return start_watches(daemon, options, connect, slices=slices, clock=clock, sleep=sleep)
    except BaseException:
        log.critical("the choice of what to watch ended by a defect; the engine must be restarted", exc_info=True)
        raise


def start_watches(
    daemon: Daemon,
    options: Options,
    connect: Callable[[], ListWatch],
    *,
    slices: bool,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> list[threading.Thread]:
    """Start them; what each heard last is in ``daemon.freshness``."""
    threads = []
    for watch, freshness in _announce(daemon, options, slices=slices, clock=clock).items():
        changes = forever(
            connect,
            watch,
            timeout=options.watch_timeout,
            backoff=Backoff(options.backoff_min, options.backoff_max),
            freshness=freshness,
            sleep=sleep,
        )
        thread = threading.Thread(target=_pump, args=(daemon, watch, changes), name=watch.name, daemon=True)
        thread.start()
        threads.append(thread)
    return threads


def _announce(daemon: Daemon, options: Options, *, slices: bool, clock: Callable[[], float]) -> dict[Watch, Freshness]:
    """The daemon knows from now on what is to be watched; those it knew already keep their age."""
    known = daemon.freshness
    watches = watches_for(options.services, slices=slices)
    # another mapping, not the same with more in it: the daemon and the page may be reading that
    daemon.freshness = {watch: known.get(watch) or Freshness(clock) for watch in watches}
    return daemon.freshness


def _serves_slices(
    daemon: Daemon, options: Options, connect: Callable[[], kube.Api], sleep: Callable[[float], None]
) -> bool:
    """Whether the API has EndpointSlices; asked until it answers. Why it does not is each watch's condition."""
    said, backoff = Said(), Backoff(options.backoff_min, options.backoff_max)
    while True:
        try:
            return kube.serves_endpointslices(connect())
        except kube.ApiError as error:
            condition = Condition(error.condition, f"{error}; edges stay as they are")
            if said.is_new("the API", error.condition):
                _tell(daemon, condition)
            sleep(backoff.next(error.retry_after))


def _tell(daemon: Daemon, condition: Condition) -> None:
    for watch in daemon.freshness:
        daemon.inbox.put((watch, condition))


def _pump(daemon: Daemon, watch: Watch, changes: Iterator[Change]) -> None:
    try:
        for change in changes:
            daemon.inbox.put((watch, change))
    except BaseException:
        # a mistake of ours: without this line the watch would end in silence
        log.critical("the watch of %s ended by a defect; the engine must be restarted", watch.name, exc_info=True)
        raise
