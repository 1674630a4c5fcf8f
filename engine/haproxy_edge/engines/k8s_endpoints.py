"""Follow Kubernetes services and have the edges follow.

Master configuration::

    engines:
      - k8s_endpoints:
          services: [kube-system/traefik]
          kubeconfig: /etc/salt/haproxy-edge.kubeconfig

Every option stands in ``docs/options.md``. The engine never returns and never raises: Salt would start it again every
ten seconds for ever. A configuration it cannot use is one error in the master's log, then it waits for a better one.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from haproxy_edge import kube
from haproxy_edge.daemon import Clocks, Daemon
from haproxy_edge.event_filter import JOBS, OURS, EventFilter
from haproxy_edge.forgeries import Forgeries
from haproxy_edge.installed import options_now
from haproxy_edge.lease import Identity, Lease
from haproxy_edge.options import BadOptions, Options, check
from haproxy_edge.outbox import Outbox
from haproxy_edge.said import Said
from haproxy_edge.salt_adapter import Bus, Fleet, SaltCache, configuration_now, events
from haproxy_edge.store import Store, StoreError
from haproxy_edge.watches import follow

log = logging.getLogger(__name__)

# seconds between two looks at a configuration that was refused
_RECHECK = 10.0


def start(**options: Any) -> None:
    """Run for ever. Called by Salt in a process of its own with the options of the engine."""
    checked = _usable_options(options)
    kube.load()
    forgeries = Forgeries(time.monotonic)
    daemon = _daemon(checked, forgeries, __opts__)  # type: ignore[name-defined]
    threading.Thread(target=_follow_bus, args=(daemon, forgeries, __opts__), name="bus", daemon=True).start()  # type: ignore[name-defined]
    _serve_page(daemon, checked)
    _start_watches(daemon, checked)
    log.info("k8s_endpoints follows %s", checked)
    while True:
        try:
            daemon.run_cycle()
        except Exception:
            # a defect of ours must freeze, not loop through Salt's restarts
            log.exception("k8s_endpoints: a defect; edges stay as they are")
            time.sleep(_RECHECK)


def _start_watches(daemon: Daemon, options: Options) -> None:
    """In a thread: what there is to watch may be known only when the API answers, and the cycle waits for nobody."""
    clocks = {"clock": time.monotonic, "sleep": time.sleep}
    arguments = (daemon, options, lambda: _connect(options))
    threading.Thread(target=follow, args=arguments, kwargs=clocks, name="watches", daemon=True).start()


def _serve_page(daemon: Daemon, options: Options) -> None:
    """Metrics and status page, in a thread, where the option asks for them; the engine goes on whatever comes."""
    if options.metrics is None:
        return
    try:
        # here, so that nobody pays for it who does not use it
        from haproxy_edge.page_server import Sources, serve_forever
    except ImportError as error:
        log.error(
            "metrics: %s: %s; install it into Salt's own Python: salt-pip install prometheus_client; "
            "the engine goes on without",
            options.metrics,
            error,
        )
        return
    sources = Sources(daemon.report, daemon.history)
    threading.Thread(target=serve_forever, args=(options.metrics, sources), name="metrics", daemon=True).start()


def _daemon(options: Options, forgeries: Forgeries, opts: dict[str, Any]) -> Daemon:
    cache = SaltCache(opts)
    store = Store(cache)
    return Daemon(
        options,
        store,
        Outbox(cache),
        Bus(opts),
        Clocks(time.time, time.monotonic),
        fleet=Fleet(opts, options.target, options.target_type),
        forgeries=forgeries,
        lease=Lease(options.cluster, store, Identity.own(), steady=time.monotonic, wall=time.time),
    )


def _follow_bus(daemon: Daemon, forgeries: Forgeries, opts: dict[str, Any]) -> None:
    """Put what edges really signed into the daemon's inbox."""
    store = Store(SaltCache(opts))
    event_filter = EventFilter(store.known_ack_key, store.doorbell_token, forgeries)
    for tag, data in events(opts, (JOBS, OURS)):
        try:
            ack = event_filter.ack_in(tag, data)
            if ack:
                daemon.inbox.put(ack)
        except StoreError as error:
            log.warning("an event cannot be checked: %s", error)
        except Exception:
            # whatever somebody put into an event, the next one must be heard
            log.exception("k8s_endpoints: a defect in reading %s", tag[:100])


def _usable_options(options: dict[str, Any]) -> Options:
    said = Said()
    while True:
        try:
            return check(options)
        except BadOptions as error:
            if said.is_new("options", str(error)):
                log.error("k8s_endpoints: %s; edges stay as they are; checked again every %g s", error, _RECHECK)
        time.sleep(_RECHECK)
        options = options_now(configuration_now(__opts__), options)  # type: ignore[name-defined]


def _connect(options: Options) -> kube.Api:
    timeouts = kube.Timeouts(options.connect_timeout, options.read_timeout)
    return kube.connect(kubeconfig=options.kubeconfig, context=options.context, timeouts=timeouts)
