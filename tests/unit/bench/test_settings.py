"""What a note says of settings is what the lab was given, and nothing that is so by default."""

from __future__ import annotations

from bench.settings import settings
from lab.topology import Lab

FRONTENDS = {"tcp": {"bind": ":9000", "service": "kube-system/traefik", "port": "tcp"}}


def said(engine=None, **haproxy):
    return settings(Lab(engine=engine, pillar={"haproxy": {"frontends": FRONTENDS, **haproxy}}))


def test_an_option_that_is_as_by_default_is_not_told_and_any_other_is():
    told = said({"resync": 0, "empty_grace": 30, "min_interval": 0.2})
    assert "`resync: 0`" in told
    assert "empty_grace" not in told and "min_interval" not in told


def test_options_that_every_installation_gives_are_not_told():
    told = said({"kubeconfig": "/somewhere"})
    assert "kubeconfig" not in told and "services" not in told


def test_the_edges_settings_are_told_by_their_path():
    told = said(check={"inter": "10s", "fall": 1}, **{"global": {"maxconn": 4000}})
    assert told.endswith("beside frontends: `check.fall: 1`, `check.inter: 10s`, `global.maxconn: 4000`.")


def test_an_edge_that_was_given_frontends_alone_has_nothing_to_be_told():
    assert said().endswith("beside frontends: none.")
