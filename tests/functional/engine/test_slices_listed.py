"""Slices as a cluster has them, over a real HTTPS connection: many at once, of every kind, null, and changing hands."""

from __future__ import annotations

import pytest

from lab.cluster_objects import Endpoint, endpoint_slice
from tests.functional.engine.following import SERVICE, SLICES, slice_of

OLD, NEW, OTHER = "10.42.0.7", "10.42.0.8", "10.42.0.9"
TRAEFIK_1 = f"{SLICES}/traefik-1"


def of_family(family, *addresses, name, port=8443):
    """A slice of that address type."""
    listed = [Endpoint(f"traefik-{number}", address) for number, address in enumerate(addresses)]
    return endpoint_slice(SERVICE, listed, name=name, ports={"websecure": port}, family=family)


@pytest.mark.field_failure("only some of the slices, or some twice")
def test_slices_that_overlap_of_both_families_with_two_numbers_and_names_are_one_set(api, follow):
    api.client.create(SLICES, slice_of(OLD, NEW, name="traefik-2"))
    api.client.create(SLICES, of_family("IPv4", NEW, name="traefik-3", port=9443))
    api.client.create(SLICES, of_family("IPv6", "fd42::7", name="traefik-4"))
    api.client.create(SLICES, of_family("FQDN", "traefik.example", name="traefik-5"))
    follower = follow()
    follower.until_addresses(OLD, NEW, "fd42::7")

    assert follower.places() == [f"{OLD}:8443", f"{NEW}:8443", f"{NEW}:9443", "fd42::7:8443"]
    assert follower.sizes == [3]


@pytest.mark.field_failure("only some of the slices, or some twice")
def test_twelve_hundred_endpoints_in_twelve_slices_are_all_there(api, follow):
    everywhere = [f"10.42.{number // 250}.{number % 250 + 1}" for number in range(1200)]
    api.client.delete(TRAEFIK_1)
    for at in range(0, 1200, 100):
        api.client.create(SLICES, slice_of(*everywhere[at : at + 100], name=f"traefik-{at}"))
    follower = follow()
    follower.until_addresses(*everywhere)

    assert follower.sizes == [1200]


@pytest.mark.field_failure("only some of the slices, or some twice")
def test_an_endpoint_that_moves_to_another_slice_is_there_all_the_time(api, follower):
    """As the slice controller writes it: first the slice that gets it, then the one that loses it."""
    api.client.create(SLICES, slice_of(OLD, name="traefik-2"))
    api.client.replace(TRAEFIK_1, slice_of(NEW))
    follower.until_addresses(OLD, NEW)
    api.client.replace(f"{SLICES}/traefik-2", slice_of(name="traefik-2"))
    follower.until_addresses(NEW)

    assert follower.sizes == [1, 1, 2, 1]
    assert min(follower.sizes) == 1


@pytest.mark.field_failure("null where a list was expected")
@pytest.mark.parametrize(
    "nulls",
    [
        {"endpoints": None},
        {"endpoints": None, "ports": None},
        {"endpoints": [{"addresses": None, "conditions": None}]},
        {"endpoints": [None]},
    ],
    ids=["endpoints", "endpoints and ports", "addresses", "an endpoint"],
)
def test_a_slice_of_nulls_is_empty_and_followed_on(api, follower, nulls):
    api.force({**slice_of(), **nulls})
    follower.until_addresses()
    api.force(slice_of(NEW))
    follower.until_addresses(NEW)

    assert follower.conditions == ["ok"]
