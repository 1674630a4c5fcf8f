"""What the engine's report says, as Prometheus metrics: one table, from which the answer and ``docs/metrics.md`` come.

Pure: a report goes in, samples come out; nothing is measured or decided here. It must never let a name that arrives
from outside become a label without bound: values of an open label are counted, and what is too odd or one too many
is "other".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from haproxy_edge.options import LANES
from haproxy_edge.report import RELOAD_CLASSES
from haproxy_edge.snapshot import STATES
from haproxy_edge.troubles import EMPTY, FROZEN, OUTSIDE, STALE

if TYPE_CHECKING:
    from prometheus_client.core import Metric as Family

Report = Mapping[str, Any]
Sample = tuple[tuple[str, ...], float]

HELD = (EMPTY, FROZEN, OUTSIDE, STALE)
# known from the start, at 0: an alert on their growth would miss the first one otherwise
RELISTS = ("dropped", "http-410", "timeout", "unreachable")
RELOADS = (*RELOAD_CLASSES.values(), "other")
FORGED = ("doorbell", "order", "replay", "return", "shape", "signature", "stranger", "warning", "other")
# values an open label may have
_MOST_VALUES = 24
_PLAIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")


@dataclass(frozen=True)
class Metric:
    """One row of the table. ``samples`` gives (label values, value) of a report at a wall time; None: a histogram."""

    name: str
    labels: tuple[str, ...]
    meaning: str
    samples: Callable[[Report, float], Iterable[Sample]] | None

    @property
    def kind(self) -> str:
        """As Prometheus calls it."""
        if self.samples is None:
            return "histogram"
        return "counter" if self.name.endswith("_total") else "gauge"


def bounded(counts: Mapping[str, float], known: tuple[str, ...]) -> dict[str, float]:
    """Counts by value of an open label: every known value, plain others up to a limit, and the rest as "other"."""
    rows: dict[str, float] = dict.fromkeys(known, 0)
    for value, count in sorted(counts.items()):
        fits = value in rows or (_PLAIN.fullmatch(value) and len(rows) < _MOST_VALUES)
        name = value if fits else "other"
        rows[name] = rows.get(name, 0) + count
    return rows


def _counter(key: str, known: tuple[str, ...]) -> Callable[[Report, float], Iterator[Sample]]:
    def samples(report: Report, now: float) -> Iterator[Sample]:
        for value, count in bounded(report["counters"][key], known).items():
            yield (value,), count

    return samples


def _by_service(value: Callable[[Mapping[str, Any]], float]) -> Callable[[Report, float], Iterator[Sample]]:
    def samples(report: Report, now: float) -> Iterator[Sample]:
        for service, row in report["services"].items():
            yield (service,), value(row)

    return samples


def _info(report: Report, now: float) -> Iterator[Sample]:
    yield (str(report["version"]),), 1


def _cycle_age(report: Report, now: float) -> Iterator[Sample]:
    yield (), max(0.0, now - report["cycled_at"])


def _contact_age(report: Report, now: float) -> Iterator[Sample]:
    for watch in report["watches"]:
        last = watch["last_contact"]
        yield (watch["path"],), float("inf") if last is None else max(0.0, now - last)


def _watch_ok(report: Report, now: float) -> Iterator[Sample]:
    for watch in report["watches"]:
        yield (watch["path"],), watch["condition"] == "ok"


def _relists(report: Report, now: float) -> Iterator[Sample]:
    for watch in report["watches"]:
        for reason, count in bounded(watch["relists"], RELISTS).items():
            yield (watch["path"], reason), count


def _endpoints(report: Report, now: float) -> Iterator[Sample]:
    for service, row in report["services"].items():
        for state in STATES:
            yield (service, state), row[state]


def _held(report: Report, now: float) -> Iterator[Sample]:
    for service, row in report["services"].items():
        for reason in HELD:
            yield (service, reason), row["held"] == reason


def _changes(report: Report, now: float) -> Iterator[Sample]:
    counts = report["counters"]["changes"]
    for service in report["services"]:
        yield (service,), counts.get(service, 0)


def _edges_expected(report: Report, now: float) -> Iterator[Sample]:
    yield (), len(report["edges"])


def _edges_behind(report: Report, now: float) -> Iterator[Sample]:
    yield (), sum(edge["behind_since"] is not None for edge in report["edges"].values())


def _edge_behind(report: Report, now: float) -> Iterator[Sample]:
    for name, edge in report["edges"].items():
        since = edge["behind_since"]
        yield (name,), 0.0 if since is None else max(0.0, now - since)


CONVERGENCE = Metric(
    "haproxy_edge_convergence_seconds",
    (),
    "from a change seen in the cluster until the last edge confirmed it",
    None,
)
TABLE: tuple[Metric, ...] = (
    Metric("haproxy_edge_engine_info", ("version",), "always 1; which engine answers", _info),
    Metric(
        "haproxy_edge_cycle_age_seconds",
        (),
        "since the engine last looked at everything; grows when it stands still",
        _cycle_age,
    ),
    Metric(
        "haproxy_edge_watch_last_contact_age_seconds",
        ("watch",),
        "since the API last answered this watch; `+Inf`: never yet",
        _contact_age,
    ),
    Metric("haproxy_edge_watch_ok", ("watch",), "1: the watch follows; 0: it does not, and edges stay", _watch_ok),
    Metric("haproxy_edge_relists_total", ("watch", "reason"), "new lists after a failure, by what failed", _relists),
    Metric(
        "haproxy_edge_service_generation",
        ("service",),
        "of the stored snapshot; Unix time in ms of its last change",
        _by_service(lambda row: row["generation"] or 0),
    ),
    Metric("haproxy_edge_endpoints", ("service", "state"), "servers in the stored snapshot, all ports", _endpoints),
    Metric(
        "haproxy_edge_endpoints_refused",
        ("service",),
        "endpoints outside of `allowed_networks`, which were left out of the snapshot; counted up to 11",
        _by_service(lambda row: len(row["refused"])),
    ),
    Metric(
        "haproxy_edge_service_held",
        ("service", "reason"),
        "1: edges keep what they have: it is `empty`, `frozen` by hand, has servers `outside` of the allowed networks, "
        "or its view is `stale`",
        _held,
    ),
    Metric("haproxy_edge_changes_total", ("service",), "changes of content stored", _changes),
    Metric("haproxy_edge_orders_total", ("lane",), "orders put into the outbox", _counter("orders", LANES)),
    Metric("haproxy_edge_doorbells_total", ("lane",), "doorbells rung for the reactor", _counter("doorbells", LANES)),
    Metric("haproxy_edge_published_total", ("lane",), "orders taken and published", _counter("published", LANES)),
    Metric("haproxy_edge_edges_expected", (), "edges the target matches", _edges_expected),
    Metric("haproxy_edge_edges_behind", (), "edges that have not confirmed what the store holds", _edges_behind),
    Metric(
        "haproxy_edge_edge_behind_seconds", ("edge",), "how long that edge has been behind; 0: it is not", _edge_behind
    ),
    Metric(
        "haproxy_edge_reloads_total",
        ("reason",),
        "reloads that edges confirmed, by class",
        _counter("reloads", RELOADS),
    ),
    Metric(
        "haproxy_edge_forged_total",
        ("kind",),
        "events refused because nobody entitled sent them, by why",
        _counter("forged", FORGED),
    ),
    CONVERGENCE,
)


class Source(Protocol):
    """Where the report of this moment comes from; it is only read."""

    def __call__(self) -> Report: ...


class Collector:
    """What `prometheus_client` asks at each scrape."""

    def __init__(self, source: Source, wall: Callable[[], float]) -> None:
        self._source = source
        self._wall = wall

    def collect(self) -> Iterator[Family]:
        """Every family of the table, and the histogram."""
        return families(self._source(), self._wall())


def families(report: Report, now: float) -> Iterator[Family]:
    """The whole answer to one scrape at wall time ``now``; each sample carries the cluster's name."""
    # imported when wanted: an engine without the option shall not pay for it
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    cluster = report["cluster"]
    for metric in TABLE:
        if metric.samples is None:
            yield _histogram(report["convergence"], cluster)
            continue
        make = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
        family = make(metric.name, metric.meaning, labels=("cluster", *metric.labels))
        for labels, value in metric.samples(report, now):
            family.add_metric((cluster, *labels), float(value))
        yield family


def _histogram(convergence: Mapping[str, Any], cluster: str) -> Family:
    from prometheus_client.core import HistogramMetricFamily

    family = HistogramMetricFamily(CONVERGENCE.name, CONVERGENCE.meaning, labels=("cluster",))
    buckets, below = [], 0
    for bound, count in zip(convergence["bounds"], convergence["counts"], strict=False):
        below += count
        buckets.append((str(float(bound)), below))
    buckets.append(("+Inf", convergence["count"]))
    family.add_metric((cluster,), buckets, sum_value=convergence["sum"])
    return family
