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
import time
from typing import Any

from haproxy_edge import kube
from haproxy_edge.daemon import Clocks, Daemon, start_watches
from haproxy_edge.options import BadOptions, Options, check
from haproxy_edge.outbox import Outbox
from haproxy_edge.salt_adapter import Bus, SaltCache, engine_configuration
from haproxy_edge.store import Store

log = logging.getLogger(__name__)

# seconds between two looks at a configuration that was refused
_RECHECK = 10.0


def start(**options: Any) -> None:
    """Run for ever. Called by Salt in a process of its own with the options of the engine."""
    checked = _usable_options(options)
    slices = _has_slices(checked)
    cache = SaltCache(__opts__)  # type: ignore[name-defined]
    daemon = Daemon(checked, Store(cache), Outbox(cache), Bus(__opts__), Clocks(time.time, time.monotonic))  # type: ignore[name-defined]
    start_watches(daemon, checked, lambda: _connect(checked), slices=slices, clock=time.monotonic, sleep=time.sleep)
    log.info("k8s_endpoints follows %s", checked)
    while True:
        try:
            daemon.run_cycle()
        except Exception:
            # a defect of ours must freeze, not loop through Salt's restarts
            log.exception("k8s_endpoints: a defect; edges stay as they are")
            time.sleep(_RECHECK)


def _usable_options(options: dict[str, Any]) -> Options:
    said = None
    while True:
        try:
            return check(options)
        except BadOptions as error:
            if str(error) != said:
                said = str(error)
                log.error("k8s_endpoints: %s; edges stay as they are; checked again every %g s", error, _RECHECK)
        time.sleep(_RECHECK)
        options = engine_configuration(__opts__, "k8s_endpoints", options)  # type: ignore[name-defined]


def _has_slices(options: Options) -> bool:
    """Whether EndpointSlices are watched; asks the API for ``source: auto``, as long as it takes."""
    said = None
    while options.source == "auto":
        try:
            return kube.serves_endpointslices(_connect(options))
        except kube.ApiError as error:
            if error.condition != said:
                said = error.condition
                log.error("k8s_endpoints: %s; edges stay as they are", error)
        time.sleep(options.backoff_max / 3)
    return options.source == "endpointslices"


def _connect(options: Options) -> kube.Api:
    timeouts = kube.Timeouts(options.connect_timeout, options.read_timeout, options.watch_timeout)
    return kube.connect(kubeconfig=options.kubeconfig, context=options.context, timeouts=timeouts)
