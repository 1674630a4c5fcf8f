"""What load generators print is read as it is, and a failed request is no measurement."""

from __future__ import annotations

import json

import pytest

from bench import clients
from bench.clients import Shot, of_ab, of_wrk, require_tools, together
from lab.processes import LabError

AB = """\
Concurrency Level:      16
Time taken for tests:   2.000 seconds
Complete requests:      9500
Failed requests:        {failed}
Requests per second:    4750.00 [#/sec] (mean)
"""
PERCENTILES = "Percentage served,Time in ms\n0,0.412\n50,3.104\n98,7.000\n99,7.512\n"


def wrk(**over) -> str:
    told = {"requests": 60000, "seconds": 2.0, "p50_ms": 0.51, "p99_ms": 2.25, "failed": 0, **over}
    return f"Running 2s test\n  Latency 1.02ms\n\n{json.dumps(told)}\n"


def test_of_ab_the_rate_is_counted_and_the_percentiles_are_those_of_its_table():
    assert of_ab(AB.format(failed=0), PERCENTILES) == Shot(4750.0, 3.104, 7.512)


def test_of_wrk_the_last_line_counts():
    assert of_wrk(wrk()) == Shot(30000.0, 0.51, 2.25)


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (lambda: of_ab(AB.format(failed=3), PERCENTILES), "3 of 9500 requests failed"),
        (lambda: of_ab("apr_socket_recv: Connection refused", ""), "measured nothing: apr_socket_recv"),
        (lambda: of_wrk(wrk(failed=2)), "2 of 60000 requests failed"),
        (lambda: of_wrk(wrk(requests=0)), "0 of 0 requests failed"),
        (lambda: of_wrk("unable to connect"), "measured nothing: unable to connect"),
        (lambda: of_wrk(""), "measured nothing"),
    ],
)
def test_a_run_with_a_failed_request_or_none_at_all_is_no_measurement(read, said):
    with pytest.raises(LabError, match=said):
        read()


def test_rates_of_processes_add_up_and_their_times_do_not():
    assert together([Shot(100, 1.0, 4.0), Shot(300, 2.0, 8.0)]) == Shot(400, 1.5, 6.0)


def test_a_missing_load_generator_is_named_with_the_way_out(monkeypatch):
    monkeypatch.setattr(clients, "BENCH", (("/nowhere/ab", "apache2-utils"),))
    with pytest.raises(LabError, match="needs the packages apache2-utils: run lab/bootstrap bench"):
        require_tools()
