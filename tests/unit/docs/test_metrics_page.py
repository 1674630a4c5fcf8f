"""The pages of metrics and alerts say what the code, the rules and the dashboard say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from haproxy_edge import metrics

from tests.unit.docs.pages import anchors

ROOT = Path(__file__).parents[3]
RULES = ROOT / "deploy/prometheus/haproxy-edge.rules.yml"
TESTS = ROOT / "deploy/prometheus/haproxy-edge.test.yml"
DASHBOARD = ROOT / "deploy/grafana/haproxy-edge.json"
ALERTS = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
NAMES = [rule["alert"] for rule in ALERTS]
KNOWN = {row.name for row in metrics.TABLE} | {
    f"{metrics.CONVERGENCE.name}_{part}" for part in ("bucket", "sum", "count")
}


def expressions() -> list[str]:
    dashboard = json.loads(DASHBOARD.read_text())
    shown = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    return [rule["expr"] for rule in ALERTS] + shown


def test_rules_and_dashboard_ask_for_metrics_there_are():
    asked = {name for text in expressions() for name in re.findall(r"\bhaproxy_edge_[a-z_]+\b", text)}
    assert asked - KNOWN == set()


def test_every_metric_is_looked_at_by_the_dashboard_or_a_rule():
    asked = "\n".join(expressions())
    assert [
        row.name for row in metrics.TABLE if row.name not in asked and row.name != "haproxy_edge_service_generation"
    ] == []


@pytest.mark.parametrize("rule", ALERTS, ids=NAMES)
def test_an_alert_says_what_is_and_leads_to_what_to_do(rule):
    assert {"summary", "description", "runbook"} == set(rule["annotations"])
    assert rule["labels"]["severity"] in ("critical", "warning")
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert anchor == rule["alert"].lower()
    assert anchor in anchors(ROOT / page)


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_is_tested_to_fire_and_to_be_silent(name):
    cases = [case for test in yaml.safe_load(TESTS.read_text())["tests"] for case in test["alert_rule_test"]]
    own = [bool(case.get("exp_alerts")) for case in cases if case["alertname"] == name]
    assert {True, False} == set(own)


def test_no_alert_is_explained_that_there_is_not():
    page = (ROOT / "docs/alerts.md").read_text()
    assert re.findall(r"^## (HAProxyEdge\w+)$", page, re.MULTILINE) == list(dict.fromkeys(_in_order(page)))
    assert set(re.findall(r"HAProxyEdge\w+", page)) == set(NAMES)


def _in_order(page: str) -> list[str]:
    return [name for name in re.findall(r"^## (\w+)$", page, re.MULTILINE) if name in NAMES]


@pytest.mark.parametrize("kind", metrics.FORGED)
def test_every_kind_of_forgery_is_explained(kind):
    rows = [line for line in (ROOT / "docs/alerts.md").read_text().splitlines() if line.startswith("| `")]
    assert any(f"`{kind}`" in row.split(" | ")[0] for row in rows)


@pytest.mark.parametrize("reason", metrics.RELOADS)
def test_every_class_of_reload_is_explained(reason):
    assert reason == "other" or f"`{reason}`" in (ROOT / "docs/alerts.md").read_text()
