"""The whole chain, from the API to the pods, step by step: what is right, what is wrong, how to mend it.

`gathering` asks and never judges; the modules beside it judge and never ask: each check is a small pure function over
`facts`. A check that cannot be made, because an earlier step is wrong, says so instead of guessing.
Nothing is ever changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from haproxy_edge.doctor import configuration, edges, engine, traffic
from haproxy_edge.doctor.facts import Facts
from haproxy_edge.doctor.finding import Finding

Check = Callable[[Facts], Iterable[Finding]]

# in the order of the way of one change
CHECKS: tuple[Check, ...] = (*configuration.CHECKS, *engine.CHECKS, *edges.CHECKS, *traffic.CHECKS)


def examine(facts: Facts) -> list[Finding]:
    """Every check, in the order of the chain."""
    return [finding for check in CHECKS for finding in check(facts)]
