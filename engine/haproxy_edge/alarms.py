"""Warnings for people and their own reactors: each condition once when it begins, not at every retry.

A warning that is repeated is soon read by nobody. It must never hold the engine up: the log has what the bus does not
take.
"""

from __future__ import annotations

import logging

from haproxy_edge.ordering import Bus
from haproxy_edge.reflector import Condition, Watch

log = logging.getLogger(__name__)


class Alarms:
    """One cluster's warnings. A bus that takes none holds nothing up: the log has them."""

    def __init__(self, cluster: str, bus: Bus) -> None:
        self._cluster = cluster
        self._bus = bus
        self._said: dict[tuple[str, str], tuple[str, ...]] = {}
        self.conditions: dict[Watch, Condition] = {}

    def view_of(self, watch: Watch, condition: Condition) -> None:
        """The view of a watch is good, or why it is not."""
        self.conditions[watch] = condition
        if condition.name == "ok":
            log.info("%s", condition.message)
            return
        log.warning("%s", condition.message)
        for service in watch.services:
            self._fire(service, condition.name, condition.message)

    def warn(self, service: str, condition: str, message: str) -> None:
        """Something happened to a service."""
        log.warning("%s: %s", service, message)
        self._fire(service, condition, f"{service}: {message}")

    def all_of(self, service: str, condition: str, messages: tuple[str, ...]) -> None:
        """Everything that is so now; what was so before is not said again."""
        before = self._said.get((service, condition), ())
        self._said[service, condition] = messages
        for message in messages:
            if message not in before:
                self.warn(service, condition, message)

    def _fire(self, service: str, condition: str, message: str) -> None:
        self._bus.warn({"cluster": self._cluster, "service": service, "condition": condition, "message": message})
