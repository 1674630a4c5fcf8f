"""From a report to samples: every row of the table, bounded labels, and names that would break the format."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from haproxy_edge import metrics
from haproxy_edge.reflector import Freshness, Listed
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import CollectorRegistry

from tests import reports
from tests.reports import NOW, TRAEFIK
from tests.unit.engine.material import World, a_slice, endpoint


def scraped(told, now=NOW):
    """{(name, values of its labels but the cluster, by the labels' names): value} of what Prometheus would read."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(metrics.Collector(lambda: told, lambda: now))
    text = generate_latest(registry).decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = dict(sample.labels)
            assert labels.pop("cluster") == told["cluster"]
            found[sample.name, tuple(labels.values())] = sample.value
    return found


def test_every_row_of_the_table_has_a_sample_with_its_labels():
    families = {family.name: family for family in metrics.families(reports.report(), NOW)}
    for row in metrics.TABLE:
        samples = families[row.name.removesuffix("_total")].samples
        assert samples, row.name
        assert {tuple(label for label in sample.labels if label != "le") for sample in samples} == {
            ("cluster", *row.labels)
        }


def test_a_report_becomes_samples():
    found = scraped(reports.report())
    assert found["haproxy_edge_watch_last_contact_age_seconds", (reports.SLICES.format("kube-system"),)] == 3
    assert found["haproxy_edge_cycle_age_seconds", ()] == 1
    assert found["haproxy_edge_endpoints", (TRAEFIK, "ready")] == 6
    assert found["haproxy_edge_endpoints", (TRAEFIK, "draining")] == 1
    assert found["haproxy_edge_service_generation", (TRAEFIK,)] == (NOW - 40) * 1000
    assert found["haproxy_edge_endpoints_refused", (TRAEFIK,)] == 0
    assert found["haproxy_edge_changes_total", (TRAEFIK,)] == 14
    assert found["haproxy_edge_reloads_total", ("configuration",)] == 3
    assert found["haproxy_edge_edges_expected", ()] == 2
    assert found["haproxy_edge_edges_behind", ()] == 0


def test_an_edge_that_is_behind_is_counted_and_its_time_told():
    edges = {"edge1": reports.edge(), "edge2": reports.edge(behind_since=NOW - 30)}
    found = scraped(reports.report(edges=edges))
    assert found["haproxy_edge_edges_behind", ()] == 1
    assert found["haproxy_edge_edge_behind_seconds", ("edge1",)] == 0
    assert found["haproxy_edge_edge_behind_seconds", ("edge2",)] == 30


def test_a_watch_that_never_heard_anything_is_infinitely_old():
    watches = [reports.watch(last_contact=None, condition="starting")]
    found = scraped(reports.report(watches=watches))
    path = watches[0]["path"]
    assert math.isinf(found["haproxy_edge_watch_last_contact_age_seconds", (path,)])
    assert found["haproxy_edge_watch_ok", (path,)] == 0


@pytest.mark.parametrize("reason", metrics.HELD)
def test_a_held_service_is_held_for_one_reason(reason):
    services = {TRAEFIK: reports.service(held=reason, held_since=NOW)}
    found = scraped(reports.report(services=services))
    held = {why: found["haproxy_edge_service_held", (why, TRAEFIK)] for why in metrics.HELD}
    assert held == {why: float(why == reason) for why in metrics.HELD}


def test_what_has_never_happened_stands_at_zero_so_that_the_first_time_is_growth():
    found = scraped(reports.report(counters={name: {} for name in reports.report()["counters"]}))
    assert all(found["haproxy_edge_forged_total", (kind,)] == 0 for kind in metrics.FORGED)
    assert all(found["haproxy_edge_reloads_total", (reason,)] == 0 for reason in metrics.RELOADS)
    assert all(found["haproxy_edge_published_total", (lane,)] == 0 for lane in metrics.LANES)


def test_buckets_of_the_histogram_add_up():
    found = scraped(reports.report())
    bucket = "haproxy_edge_convergence_seconds_bucket"
    assert [found[bucket, (bound,)] for bound in ("0.1", "0.25", "0.5", "+Inf")] == [2, 11, 13, 14]
    assert found["haproxy_edge_convergence_seconds_sum", ()] == 3.4
    assert found["haproxy_edge_convergence_seconds_count", ()] == 14


def test_what_stands_at_zero_is_what_the_engine_counts():
    folder = Path(metrics.__file__).parent
    sources = "".join(module.read_text() for module in folder.glob("*.py"))
    kinds = re.findall(r"""(?:Forged|_forgeries\.count)\(("[a-z]+"[^,]*),""", sources)
    assert set(re.findall(r'"([a-z]+)"(?!:| ==)', " ".join(kinds))) == set(metrics.FORGED)


def test_a_made_report_has_the_shape_of_a_real_one():
    world = World()
    world.fleet = ["edge1"]
    world.say(Listed((a_slice(endpoint()),)))
    world.daemon.freshness[world.watches["kube-system"]] = Freshness(lambda: 0.0)
    real, made = world.daemon.report(), reports.report()
    assert set(real) == set(made)
    for part in ("services", "edges"):
        assert set(next(iter(real[part].values()))) == set(next(iter(made[part].values()))), part
    assert set(real["watches"][0]) == set(made["watches"][0])
    for part in ("options", "counters", "convergence"):
        assert set(real[part]) == set(made[part]), part
    assert set(world.daemon.history(1)[0]) == set(reports.change())


def test_no_flood_of_reasons_becomes_a_flood_of_series():
    counts = {f"reason-{number}": 1 for number in range(500)}
    rows = metrics.bounded(counts, ("known",))
    assert len(rows) <= metrics._MOST_VALUES + 1
    assert sum(rows.values()) == 500 and rows["known"] == 0 and rows["other"] > 400


@pytest.mark.parametrize("odd", ["", "A B", 'a"} 1\nhaproxy_edge_fake 1', "x" * 41, "ünïcode", "<b>"])
def test_an_odd_reason_is_other(odd):
    assert metrics.bounded({odd: 2, "plain": 1}, ()) == {"plain": 1, "other": 2}


@pytest.mark.parametrize("name", ['edge"1', "edge\\1", 'a"} 1\nhaproxy_edge_fake 1', "<script>", "ünïcode"])
def test_the_name_of_an_edge_cannot_break_the_format(name):
    found = scraped(reports.report(edges={name: reports.edge(behind_since=NOW - 5)}))
    assert found["haproxy_edge_edge_behind_seconds", (name,)] == 5
    assert not [key for key in found if key[0].startswith("haproxy_edge_fake")]
