"""HAProxy's bind words are read as HAProxy reads them, and what is not understood is left to it."""

import pytest
from haproxy_edge_minion.binds import Place, identities, places


@pytest.mark.parametrize(
    ("bind", "wanted"),
    [
        ("ipv4@:443", [Place("ipv4", "", 443)]),
        ("ipv4@*:80", [Place("ipv4", "", 80)]),
        ("ipv6@:443 v6only", [Place("ipv6", "", 443, only=True)]),
        (":443", [Place("ipv4", "", 443)]),
        (":::443", [Place("ipv6", "", 443)]),
        ("[2001:DB8::1]:443,192.0.2.1:444", [Place("ipv6", "2001:db8::1", 443), Place("ipv4", "192.0.2.1", 444)]),
        ("ipv4@edge1.example:443", [Place("ipv4", "edge1.example", 443)]),
        ("unix@/run/x", []),
        ("/run/x", []),
        ("fd@7", []),
        ("abns@edge", []),
        ("*:8000-8010", []),
        ("ipv6@443", []),
        ("ipv6@:0", []),
        ("ipv6@:65536", []),
        ("ipv6@:99999", []),
        ("", []),
    ],
)
def test_the_places_of_a_bind(bind, wanted):
    assert list(places(bind)) == wanted


@pytest.mark.parametrize(
    ("one", "other"),
    [(":443", ":444"), ("ipv4@:443", "ipv6@:443"), ("unix@/run/x", "unix@/run/y"), ("fd@7", "fd@8"), (":1-2", ":1-3")],
)
def test_two_places_are_not_taken_for_one(one, other):
    assert set(identities(one)).isdisjoint(identities(other))
