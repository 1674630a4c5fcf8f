"""A pillar is checked whole: every problem at once, each with key, value and way out."""

import dataclasses

import pytest
from haproxy_edge_minion.spec import TABLES, SpecError, resolve

from fuzz.inputs import EVERY_KEY


def problems(pillar):
    with pytest.raises(SpecError) as refusal:
        resolve(pillar)
    return refusal.value.problems


def frontend(**more):
    return {"frontends": {"ssh": {"bind": "ipv4@:2222", "service": "gitea/ssh", "port": "ssh", **more}}}


def test_the_short_form_is_traefik_by_proxy_protocol_v2():
    (found,) = resolve({"bind": "ipv6@:443"}).frontends
    assert (found.name, found.binds, found.service, found.port) == (
        "websecure",
        ("ipv6@:443",),
        "kube-system/traefik",
        "websecure",
    )
    assert (found.proxy_protocol, found.balance, found.cluster) == ("v2", "leastconn", "default")


def test_the_short_form_is_the_long_form_with_defaults():
    (short,) = resolve({"bind": "ipv6@:443"}).frontends
    (long,) = resolve({"frontends": {"websecure": {"bind": "ipv6@:443", "port": "websecure"}}}).frontends
    assert dataclasses.replace(short, key=long.key) == long


@pytest.mark.parametrize("path", TABLES)
def test_the_fuzz_begins_with_every_key(path):
    parts = {"haproxy": [EVERY_KEY], "haproxy.frontends.<name>": EVERY_KEY["frontends"].values()}
    given = {name for part in parts.get(path) or [EVERY_KEY[path.removeprefix("haproxy.")]] for name in part}
    missing = [key.name for key in TABLES[path] if key.name not in given]
    assert missing == [], f"fuzz/inputs.py: give {missing} of {path} in EVERY_KEY a value that HAProxy takes"


def test_an_insecure_bind_is_discouraged():
    spec = resolve({"bind": "ipv4@:443", "bind_insecure": "ipv4@:80"})
    assert [found.name for found in spec.frontends] == ["websecure", "web"]
    assert spec.discouraged == ("haproxy.bind_insecure",)


def test_the_long_form_takes_a_list_of_binds_and_its_defaults():
    (found,) = resolve(frontend(bind=["ipv4@:2222", "ipv6@:2222"])).frontends
    assert found.binds == ("ipv4@:2222", "ipv6@:2222")
    assert (found.service, found.port, found.proxy_protocol) == ("gitea/ssh", "ssh", "v2")


def test_timeouts_are_laid_over_the_defaults():
    timeouts = resolve({"bind": "ipv6@:443", "defaults": {"timeouts": {"client": "5m"}}}).defaults["timeouts"]
    assert timeouts == {"connect": "2s", "client": "5m", "server": "1h", "check": "2s"}


def test_every_problem_is_listed_at_once():
    found = problems({"bind": 443, "frontends": {"a b": {}, "ssh": {"port": 22}}, "gloabl": {}, "check": {"rise": 0}})
    told = "\n".join(found)
    for expected in ("haproxy.bind: 443", "haproxy.frontends.a b", "haproxy.frontends.ssh.bind", "ssh.port: 22"):
        assert expected in told
    assert "haproxy.gloabl: {}: no such key; did you mean global?" in found
    assert "haproxy.check.rise: 0: must be a whole number from 1 to 100" in found


@pytest.mark.parametrize("pillar", [None, {}, [], "ipv6@:443", 7])
def test_a_missing_pillar_says_what_to_write(pillar):
    assert "for example haproxy: {bind: 'ipv6@:443'}" in problems(pillar)[0]


def test_a_pillar_that_serves_nothing_is_a_problem():
    assert "nothing would be served" in problems({"global": {"maxconn": 10}})[0]


@pytest.mark.parametrize(
    ("pillar", "told"),
    [
        pytest.param({"bind": "ipv6@:443\nbackend x"}, "haproxy.bind", id="newline in bind"),
        pytest.param({"bind": "ipv6@:443 # x"}, "haproxy.bind", id="comment in bind"),
        pytest.param({"bind": "ipv6@:443\x00"}, "haproxy.bind", id="control character"),
        pytest.param({"bind": []}, "haproxy.bind", id="empty list"),
        pytest.param({"bind": ["ipv6@:443", None]}, "haproxy.bind", id="null in the list"),
        pytest.param({"bind": {"a": 1}}, "haproxy.bind", id="mapping"),
        pytest.param(frontend(service="gitea"), "namespace/name", id="service without namespace"),
        pytest.param(frontend(service=None), "namespace/name", id="service null"),
        pytest.param(frontend(proxy_protocol="v3"), "must be one of v2, v1, none", id="proxy protocol"),
        pytest.param(frontend(proxy_protocol=["v2"]), "must be one of v2, v1, none", id="proxy protocol a list"),
        pytest.param(frontend(balance="static-rr"), "use roundrobin", id="static-rr"),
        pytest.param(frontend(balance="fastest"), "must be one of", id="unknown balance"),
        pytest.param(frontend(cluster="a b"), "the name of a cluster", id="cluster"),
        pytest.param(frontend(colour="red"), "no such key", id="unknown key"),
        pytest.param({"frontends": [1]}, "must be a mapping", id="frontends a list"),
        pytest.param({"frontends": {"ssh": None}}, "must be a mapping", id="frontend null"),
        pytest.param({"bind": "ipv6@:443", "frontends": {"websecure": {}}}, "short form", id="name taken"),
        pytest.param({"bind": "ipv6@:443", "global": {"stats": {}}}, "stats socket", id="stats socket"),
        pytest.param(
            {"bind": "ipv6@:443", "global": {"extra": "stats socket /x"}}, "stats socket", id="stats in extra"
        ),
        pytest.param({"bind": "ipv6@:443", "global": {"maxconn": "many"}}, "haproxy.global.maxconn", id="maxconn"),
        pytest.param({"bind": "ipv6@:443", "global": 5}, "haproxy.global", id="global not a mapping"),
        pytest.param({"bind": "ipv6@:443", "global": {"log": "x\ny"}}, "haproxy.global.log", id="newline in log"),
        pytest.param({"bind": "ipv6@:443", "global": {"tune": {"a b": 1}}}, "haproxy.global.tune", id="tune"),
        pytest.param(
            {"bind": "ipv6@:443", "defaults": {"timeouts": {"client": "soon"}}}, "haproxy.defaults.timeouts", id="time"
        ),
        pytest.param(
            {"bind": "ipv6@:443", "defaults": {"timeouts": {"client": "1s\nx"}}},
            "haproxy.defaults.timeouts",
            id="inject",
        ),
        pytest.param(
            {"bind": "ipv6@:443", "defaults": {"log_connections": "none"}}, "must be one of failed, all", id="log"
        ),
        pytest.param({"bind": "ipv6@:443", "drain_timeout": "5m"}, "haproxy.drain_timeout", id="drain_timeout"),
        pytest.param({"bind": "ipv6@:443", "hard_stop_after": 0}, "haproxy.hard_stop_after", id="hard_stop_after"),
    ],
)
def test_a_bad_value_names_its_key(pillar, told):
    assert told in "\n".join(problems(pillar))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ipv6@:443", ":::443"),
        ("*:443", "ipv4@:443"),
        (":443", "0.0.0.0:443"),
        ("10.0.0.1:443", "ipv4@10.0.0.1:443 accept-proxy"),
        ("[fd00::1]:443", "fd00::1:443"),
        ("[2001:DB8::1]:443", "ipv6@[2001:db8:0::1]:443"),
        ("[0::0]:443", "ipv6@*:443"),
        (":443-445", "ipv4@*:443-445"),
        ("unix@/run/edge.sock", "unix@/run/edge.sock mode 660"),
        ("ipv4@:80,ipv4@:443", "ipv4@:443"),
    ],
)
def test_two_frontends_on_one_address_are_a_problem(one, other):
    assert "already listens there" in problems({**frontend(bind=other), "bind": one})[0]


def test_ipv4_and_ipv6_on_one_port_are_two_addresses():
    assert len(resolve({**frontend(bind="ipv4@:443"), "bind": "ipv6@:443"}).frontends) == 2


def test_a_problem_is_one_line_whatever_its_key_holds():
    for pillar in ({"a\nb": 1}, {"frontends": {"a\u2028b": {"c\rd": 1}}}):
        assert all(len(problem.splitlines()) == 1 for problem in problems(pillar))


@pytest.mark.parametrize("time", ["25d", "2147483648", "9999999999h"])
def test_a_time_longer_than_haproxy_can_count_is_refused_by_its_key(time):
    found = problems({"bind": ":443", "hard_stop_after": time, "defaults": {"timeouts": {"client": time}}})
    assert [problem.split(":")[0] for problem in found] == ["haproxy.hard_stop_after", "haproxy.defaults.timeouts"]
