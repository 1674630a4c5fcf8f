"""The schedule is configuration of the minion: there at its next start, with the master away."""

import yaml
from haproxy_edge_minion.schedule import NAME, drop_in, job


def test_the_drop_in_holds_the_job_and_lets_it_run_without_a_master():
    read = yaml.safe_load(drop_in(60))
    assert read == {"scheduler_before_connect": True, "schedule": {NAME: job(60)}}


def test_the_job_is_splayed_runs_at_start_and_returns_nothing_to_the_master():
    assert job(5) == {
        "function": "haproxy_edge.reconcile",
        "seconds": 5,
        "splay": 1,
        "run_on_start": True,
        "return_job": False,
        "maxrunning": 1,
        "jid_include": True,
    }
