"""A whole result to try things on."""

from __future__ import annotations

from typing import Any

from bench.result import Plot, Result, Series, Table
from lab.figures import figure

LOGLOG = Plot(
    "growth-endpoints",
    "One change among many",
    "loglog",
    "endpoints",
    "milliseconds",
    [
        Series("hot lane", [(3, 1.5), (30, 14.0), (300, 160.0)], fit={"k": 1.02, "a": 0.5}),
        Series("state lane", [(3, 40.0), (30, 44.0), (300, 60.0)]),
    ],
)
BARS = Plot("ways", "By way", "bars", "way", "ms", [Series("p50", [("hot", 140.0), ("ansible", 7600.0)])])
LINES = Plot("storm", "Memory", "lines", "minutes", "MB", [Series("engine", [(0, 90.0), (10, 90.5)])])
CDF = Plot("cdf", "Changes", "cdf", "ms", "share", [Series("hot", [(100.0, 0.0), (140.0, 0.5), (200.0, 1.0)])])
WATERFALL = Plot(
    "waterfall",
    "One change",
    "waterfall",
    "ms",
    "",
    [Series("Salt's", [("publish", 40.0)]), Series("ours", [("store", 3.0), ("save", 2.0)])],
    order=["store", "publish", "save"],
)


def result(**over: Any) -> Result:
    """Of the part "growth", one goal met and one missed."""
    given = {
        "part": "growth",
        "title": "How cost grows",
        "figures": [figure("endpoints, n^k", "<= 1.1", 1.02, "k"), figure("edges, n^k", "<= 1.1", 1.3, "k")],
        "notes": ["500 edges are stand-ins"],
        "tables": [Table("By size", ["servers", "ms"], [[3000, 1.5], [30, None]], note="medians")],
        "plots": [LOGLOG],
        "measured_at": "2026-01-01T00:00:00+00:00",
        "machine": {"kernel": "6.1"},
    }
    return Result(**{**given, **over})
