"""Which services a host's pillar names; both halves read the same in it, and a bad pillar hurts only itself."""

from __future__ import annotations

import pytest
from haproxy_edge.frontends import services_of
from haproxy_edge_minion import spec
from hypothesis import given, reject
from hypothesis import strategies as st

TRAEFIK = ("default", "kube-system/traefik")
SSH = {"bind": "ipv4@:2222", "service": "gitea/gitea-ssh", "port": "ssh"}


@pytest.mark.parametrize(
    ("haproxy", "expected"),
    [
        pytest.param({"bind": "ipv6@:443"}, [TRAEFIK], id="bind"),
        pytest.param({"bind": ["ipv4@:443", "ipv6@:443"]}, [TRAEFIK], id="bind as a list"),
        pytest.param({"bind_insecure": ":80"}, [TRAEFIK], id="bind_insecure"),
        pytest.param({"bind": ":443", "bind_insecure": ":80"}, [TRAEFIK], id="both, named once"),
        pytest.param({"frontends": {"ssh": SSH}}, [("default", "gitea/gitea-ssh")], id="a frontend"),
        pytest.param({"frontends": {"tls": {"bind": ":443", "port": "websecure"}}}, [TRAEFIK], id="default service"),
        pytest.param(
            {"frontends": {"ssh": {**SSH, "cluster": "west"}}}, [("west", "gitea/gitea-ssh")], id="another cluster"
        ),
        pytest.param(
            {"bind": ":443", "frontends": {"ssh": SSH, "again": SSH}},
            [("default", "gitea/gitea-ssh"), TRAEFIK],
            id="short and long form, sorted, each once",
        ),
    ],
)
def test_the_services_of_short_and_long_form_are_found(haproxy, expected):
    assert services_of({"haproxy": haproxy}) == expected


@pytest.mark.parametrize(
    "pillar",
    [
        None,
        [],
        "haproxy",
        {},
        {"haproxy": None},
        {"haproxy": "ipv6@:443"},
        {"haproxy": []},
        {"haproxy": {}},
        {"haproxy": {"bind": None, "frontends": None}},
        {"haproxy": {"bind": "", "frontends": []}},
        {"haproxy": {"frontends": {"ssh": None, "web": [], 7: "x"}}},
    ],
    ids=repr,
)
def test_a_pillar_that_names_no_service_gives_none_and_raises_nothing(pillar):
    assert services_of(pillar) == []


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param({**SSH, "service": "gitea-ssh"}, id="service without namespace"),
        pytest.param({**SSH, "service": "../../etc/passwd"}, id="service that is a path"),
        pytest.param({**SSH, "service": None}, id="service null"),
        pytest.param({**SSH, "service": ["a/b"]}, id="service a list"),
        pytest.param({**SSH, "cluster": 7}, id="cluster a number"),
        pytest.param({**SSH, "cluster": "../keys"}, id="cluster that is a path"),
        pytest.param({**SSH, "cluster": "West"}, id="cluster in capitals"),
        pytest.param("gitea/gitea-ssh", id="a text"),
        pytest.param(None, id="null"),
    ],
)
def test_a_malformed_frontend_does_not_take_the_others_with_it(bad):
    assert services_of({"haproxy": {"bind": ":443", "frontends": {"bad": bad}}}) == [TRAEFIK]


words = st.sampled_from(["bind", "bind_insecure", "frontends", "service", "cluster", "a/b", ":443", "west", "x y"])
leaves = st.none() | st.booleans() | st.integers() | words | st.text(max_size=5)
anything = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4), max_leaves=12
)


@given(anything)
def test_no_pillar_whatever_raises(junk):
    assert services_of(junk) == []
    assert all(isinstance(text, str) for pair in services_of({"haproxy": junk}) for text in pair)


ports = st.integers(1024, 65535)
frontends = st.fixed_dictionaries(
    {"bind": ports.map(lambda n: f"ipv4@:{n}"), "port": st.just("tcp")},
    optional={"service": st.sampled_from(["a/b", "a/c", "kube-system/traefik"]), "cluster": st.sampled_from(["west"])},
)
good_pillars = st.fixed_dictionaries(
    {},
    optional={
        "bind": st.sampled_from(["ipv6@:443", ["ipv4@:443", "ipv6@:443"], None]),
        "bind_insecure": st.sampled_from([":80", None]),
        "frontends": st.dictionaries(st.sampled_from(["one", "two", "three"]), frontends, max_size=3),
    },
)


@given(good_pillars)
def test_both_halves_find_the_same_services_in_a_good_pillar(haproxy):
    try:
        resolved = spec.resolve(haproxy)
    except spec.SpecError:
        # too many of these, and hypothesis says so
        reject()
    assert services_of({"haproxy": haproxy}) == sorted({(one.cluster, one.service) for one in resolved.frontends})
