"""One thread per watch, each filling the daemon's inbox for as long as the process lives.

So that a watch that hangs holds up no other and not the daemon. A thread must never end in silence: nobody would
follow that part of the cluster any more.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

from haproxy_edge.backoff import Backoff
from haproxy_edge.daemon import Daemon
from haproxy_edge.options import Options
from haproxy_edge.reflector import Change, Freshness, ListWatch, Watch, forever, watches_for

log = logging.getLogger(__name__)


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
    for watch in watches_for(options.services, slices=slices):
        freshness = daemon.freshness[watch] = Freshness(clock)
        changes = forever(
            connect,
            watch,
            timeout=options.watch_timeout,
            backoff=Backoff(options.backoff_min, options.backoff_max),
            freshness=freshness,
            sleep=sleep,
        )
        thread = threading.Thread(target=_pump, args=(daemon, watch, changes), name=watch.path, daemon=True)
        thread.start()
        threads.append(thread)
    return threads


def _pump(daemon: Daemon, watch: Watch, changes: Iterator[Change]) -> None:
    try:
        for change in changes:
            daemon.inbox.put((watch, change))
    except BaseException:
        # a mistake of ours: without this line the watch would end in silence
        log.critical("the watch of %s ended by a defect; the engine must be restarted", watch.path, exc_info=True)
        raise
