"""Metrics, alert rules and their unit tests, judged by Prometheus' own tool."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from haproxy_edge import metrics
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import CollectorRegistry

from tests import reports

FOLDER = Path(__file__).parents[2] / "deploy/prometheus"

pytestmark = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool: `lab/bootstrap tests` as root installs it"
)


def promtool(*arguments, folder=FOLDER, given=None):
    return subprocess.run(
        ["promtool", *arguments], cwd=folder, input=given, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_rules_are_rules():
    done = promtool("check", "rules", "haproxy-edge.rules.yml")
    assert done.returncode == 0, done.stderr


def test_every_alert_fires_when_it_has_to_and_is_silent_otherwise():
    done = promtool("test", "rules", "haproxy-edge.test.yml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("example", ["scrape.example.yml", "scrape-in-cluster.example.yml"])
def test_an_example_is_a_configuration_of_prometheus(example):
    done = promtool("check", "config", example)
    assert done.returncode == 0, done.stdout + done.stderr


def test_names_and_kinds_of_metrics_are_as_prometheus_wants_them():
    registry = CollectorRegistry(auto_describe=False)
    registry.register(metrics.Collector(reports.report, lambda: reports.NOW))
    done = promtool("check", "metrics", given=generate_latest(registry).decode())
    assert done.returncode == 0 and done.stderr == "", done.stderr


def test_a_rule_that_never_fires_does_not_pass(tmp_path):
    rules = yaml.safe_load((FOLDER / "haproxy-edge.rules.yml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            rule["expr"] = "vector(0) > 1"
    (tmp_path / "haproxy-edge.rules.yml").write_text(yaml.safe_dump(rules))
    shutil.copy(FOLDER / "haproxy-edge.test.yml", tmp_path)
    done = promtool("test", "rules", "haproxy-edge.test.yml", folder=tmp_path)
    assert done.returncode != 0
    missed = [rule["alert"] for group in rules["groups"] for rule in group["rules"] if rule["alert"] not in done.stderr]
    assert missed == []
