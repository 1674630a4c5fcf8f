"""Endpoints on demand, or where the API has no EndpointSlices: one watch per service, by field selector."""

from __future__ import annotations

import pytest
from haproxy_edge import kube

from lab.cluster_objects import Endpoint, endpoints
from tests.functional.engine.following import SERVICE

ENDPOINTS = "/api/v1/namespaces/kube-system/endpoints"
OLD, NEW, OTHER = "10.42.0.7", "10.42.0.8", "10.42.0.9"


def of(*addresses, service=SERVICE):
    """The Endpoints object of a service."""
    return endpoints(service, [Endpoint(f"traefik-{address[-1]}", address) for address in addresses])


@pytest.mark.field_failure("null where a list was expected")
def test_a_service_is_followed_by_its_endpoints_through_change_emptiness_deletion_and_return(api, follow):
    api.client.create(ENDPOINTS, of(OLD))
    follower = follow(slices=False)
    follower.until_addresses(OLD)
    api.client.replace(f"{ENDPOINTS}/traefik", of(OLD, NEW))
    follower.until_addresses(OLD, NEW)
    # what a service scaled to 0 has: no subsets at all
    api.client.replace(f"{ENDPOINTS}/traefik", {**of(), "subsets": None})
    follower.until_addresses()
    api.client.delete(f"{ENDPOINTS}/traefik")
    api.client.create(ENDPOINTS, of(NEW))
    follower.until_addresses(NEW)


def test_the_endpoints_of_other_services_are_not_even_asked_for(api, follow):
    api.client.create(ENDPOINTS, of(OTHER, service="kube-system/other"))
    api.client.create(ENDPOINTS, of(OLD))
    follower = follow(slices=False)
    follower.until_addresses(OLD)
    api.client.replace(f"{ENDPOINTS}/other", of(OTHER, NEW, service="kube-system/other"))
    api.client.replace(f"{ENDPOINTS}/traefik", of(NEW))
    follower.until_addresses(NEW)

    assert follower.sizes == [1, 1]


def test_an_api_that_has_slices_is_seen_to_have_them(api, connect):
    assert kube.serves_endpointslices(connect()) is True
