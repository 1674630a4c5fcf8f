"""Skeleton and server lines make the file; equal input makes equal bytes and nothing can inject a line."""

import copy

import jinja2
import pytest
from haproxy_edge_minion import commands
from haproxy_edge_minion.diagnosis import explain, refused
from haproxy_edge_minion.files import Paths
from haproxy_edge_minion.renderer import SkeletonError, fill, seal, server_flags, server_line
from haproxy_edge_minion.snapshot import check
from haproxy_edge_minion.spec import TABLES, resolve

from fuzz.inputs import EVERY_KEY
from tests.unit.edge.material import TEMPLATE, server, snapshot


def spec_of(**pillar):
    return resolve({"bind": "ipv6@:443", **pillar})


def skeleton(spec):
    return jinja2.Template(TEMPLATE.read_text()).render(spec=spec)


def sealed_of(spec, replacing="", by=""):
    return seal(skeleton(spec).replace(replacing, by), spec, socket=Paths().socket)


# the edge's own; HAProxy never hears of them
NOT_IN_THE_FILE = {"drain_timeout", "reconcile_interval"}


def without(path, name):
    """A pillar of every key but this one."""
    pillar = copy.deepcopy(EVERY_KEY)
    _, *section = path.split(".")
    parts = [pillar] if not section else [pillar[section[0]]]
    for part in parts[0].values() if section[1:] else parts:
        part.pop(name, None)
    return pillar


def servers(*listed):
    return check(snapshot(*listed)).ports["websecure"]


def test_a_server_line_carries_name_place_weight_flags_and_its_node_as_a_comment():
    (one,) = servers(server("fd42::7"))
    flags = server_flags(spec_of(), spec_of().frontends[0])
    assert server_line(one, flags) == (
        "    server traefik-1:fd42::7:8443 [fd42::7]:8443 weight 100 "
        "send-proxy-v2 check-send-proxy check inter 2s fall 3 rise 2 # node k3s-1"
    )


@pytest.mark.field_failure("what runs is not what the file says")
def test_file_and_command_carry_the_same_flags():
    (one,) = servers(server(node=""))
    flags = server_flags(spec_of(), spec_of().frontends[0])
    command = commands.add("websecure", one, flags).text
    assert command.replace("add server websecure/", "    server ") == server_line(one, flags)


def test_the_file_ends_in_a_newline_and_has_what_keeps_connections():
    spec = spec_of()
    sealed, digest = sealed_of(spec)
    text = fill(sealed, spec, {"websecure": servers(server())})
    assert text.endswith("\n")
    for needed in ("retries 3", "option redispatch 1", "timeout connect 2s", "hard-stop-after 30m", digest):
        assert needed in text
    assert text.count("    server ") == 1


def test_connections_that_went_well_are_logged_only_where_all_are():
    assert "\n    option dontlog-normal\n" in skeleton(spec_of())
    assert "dontlog-normal" not in skeleton(spec_of(defaults={"log_connections": "all"}))


def test_balance_source_is_consistent():
    spec = resolve({"frontends": {"a": {"bind": ":1", "port": "a", "balance": "source"}}})
    assert "balance source\n    hash-type consistent" in skeleton(spec)


@pytest.mark.parametrize("pillar", [{"check": {"inter": "1s"}}, {"global": {"maxconn": 7}}, {"hard_stop_after": "1m"}])
def test_settings_and_server_flags_change_the_digest(pillar):
    one, other = spec_of(), spec_of(**pillar)
    assert sealed_of(one)[1] != sealed_of(other)[1]


@pytest.mark.parametrize(
    ("path", "name"),
    [(path, key.name) for path, keys in TABLES.items() for key in keys if key.problem(key.default) is None],
)
def test_every_key_that_may_be_left_out_reaches_haproxy(path, name):
    one, other = resolve(EVERY_KEY), resolve(without(path, name))
    changed = sealed_of(one)[1] != sealed_of(other)[1]
    lack = "EVERY_KEY has no value of it but the default, or neither haproxy.cfg.jinja nor server_flags has it"
    assert changed != (name in NOT_IN_THE_FILE), f"{path}.{name}: {lack}"


def test_servers_do_not_change_the_digest():
    spec = spec_of()
    sealed, digest = sealed_of(spec)
    one, other = (fill(sealed, spec, {"websecure": servers(*listed)}) for listed in ([server()], [server("fd42::7")]))
    assert one != other
    assert one.count(digest) == other.count(digest) == 1


@pytest.mark.parametrize(
    "lost",
    [
        "@haproxy-edge-skeleton-digest@",
        "frontend websecure\n",
        "# haproxy-edge: servers of websecure",
        "stats socket",
        "/run/haproxy/admin.sock",
        " level admin",
    ],
)
def test_a_sites_template_without_what_has_to_stay_is_refused(lost):
    assert lost in skeleton(spec_of())
    with pytest.raises(SkeletonError, match="the template must hold"):
        sealed_of(spec_of(), lost)


def test_a_sites_template_may_say_more_of_the_stats_socket():
    assert sealed_of(spec_of(), "/run/haproxy/admin.sock mode 660", "unix@/run/haproxy/admin.sock user root mode 600")


@pytest.mark.parametrize("bad", ["a;b", "a\nb", "a<<b", "a\\b", 'a"b', "a\x00"])
def test_no_value_can_end_a_command_and_begin_another(bad):
    with pytest.raises(ValueError, match="not sent to HAProxy"):
        commands.maintenance("websecure", bad)


def test_haproxys_message_is_brought_back_to_the_pillar_key():
    spec = resolve({"bind": ["ipv4@:443", "ipv6@443"]})
    text = skeleton(spec)
    line = text.splitlines().index("    bind ipv6@443") + 1
    said = f"[ALERT]    (7) : config : parsing [/x/haproxy.cfg:{line}] : 'bind' : missing port number\n"
    (problem,) = explain(said + "[ALERT]    (7) : config : Fatal errors found in configuration.\n", text, spec)
    assert problem == "haproxy.bind: 'ipv6@443': haproxy: 'bind' : missing port number"


@pytest.mark.parametrize(
    ("pillar", "line", "told"),
    [
        ({"global": {"tune": {"bufsize": "x"}}}, "    tune.bufsize x", "haproxy.global.tune.bufsize: 'x'"),
        ({"global": {"log": "nowhere"}}, "    log nowhere", "haproxy.global.log: 'nowhere'"),
        ({"global": {"extra": ["oops"]}}, "    oops", "haproxy.global.extra: 'oops'"),
        ({"defaults": {"extra": ["oops 2"]}}, "    oops 2", "haproxy.defaults.extra: 'oops 2'"),
        ({"defaults": {"timeouts": {"lunch": "1h"}}}, "    timeout lunch 1h", "haproxy.defaults.timeouts.lunch: '1h'"),
    ],
)
def test_a_refused_setting_is_named_by_its_pillar_key(pillar, line, told):
    spec = spec_of(**pillar)
    text = skeleton(spec)
    number = text.splitlines().index(line) + 1
    assert explain(f"[ALERT] (7) : config : parsing [x.cfg:{number}] : bad\n", text, spec) == [f"{told}: haproxy: bad"]


def test_a_haproxy_that_dies_of_a_value_blames_no_warning_it_gave_before():
    (told,) = refused(
        -11, "[WARNING]  (7) : config : log format ignored for frontend 'haproxy-edge.health'\n", "", spec_of()
    )
    assert told.startswith("haproxy.global: HAProxy itself died of this configuration (Segmentation fault); ")


@pytest.mark.parametrize(
    "said", ["", "[ALERT] (7) : config : global.tune.bufsize must be below 256 MB when HTTP is in use\n"]
)
def test_where_haproxy_blames_no_line_the_state_says_what_to_suspect(said):
    *_, last = refused(1, said, "", spec_of())
    assert last == (
        "haproxy.global: HAProxy blames no line; suspect are the values that only HAProxy judges: tune, extra and bind"
    )


def test_where_haproxy_blames_a_line_nothing_is_suspected():
    assert refused(1, "[ALERT] (7) : config : parsing [x.cfg:1] : bad\n", "oops", spec_of()) == [
        "line 1: 'oops': haproxy: bad"
    ]


def test_a_message_nobody_understands_is_passed_on():
    assert explain("[ALERT] (1) : something new\n", "", spec_of()) == ["haproxy: something new"]
