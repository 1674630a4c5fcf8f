"""Warnings for people and their own reactors: each condition once when it begins, not at every retry.

A warning that is repeated is soon read by nobody; so one engine warns, not one that waits for its turn beside it. It
must never hold the engine up: the log has what the bus does not take.
"""

from __future__ import annotations

import logging

from haproxy_edge.ordering import Bus
from haproxy_edge.reflector import Condition, Watch

log = logging.getLogger(__name__)


class Alarms:
    """One cluster's warnings, fired after `begin`. A bus that takes none holds nothing up: the log has them."""

    def __init__(self, cluster: str, bus: Bus) -> None:
        self._cluster = cluster
        self._bus = bus
        self._said: dict[tuple[str, str], tuple[str, ...]] = {}
        self._begun = False
        self.conditions: dict[Watch, Condition] = {}

    def begin(self) -> None:
        """It is this engine's turn to warn: of what holds now, and of what comes. Nothing new while it is."""
        if not self._begun:
            self._begun = True
            for watch, condition in self.conditions.items():
                self._fire_view(watch, condition)

    def end(self) -> None:
        """Another engine does it from now on."""
        self._begun = False

    def view_of(self, watch: Watch, condition: Condition) -> None:
        """The view of a watch is good, or why it is not."""
        self.conditions[watch] = condition
        log.log(logging.INFO if condition.name == "ok" else logging.WARNING, "%s", condition.message)
        if self._begun:
            self._fire_view(watch, condition)

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

    def _fire_view(self, watch: Watch, condition: Condition) -> None:
        for service in watch.services if condition.name != "ok" else ():
            self._fire(service, condition.name, condition.message)

    def _fire(self, service: str, condition: str, message: str) -> None:
        self._bus.warn({"cluster": self._cluster, "service": service, "condition": condition, "message": message})
