"""Endpoints that nobody has: each with an address of its own, in the network edges have no way to."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from bench.far_endpoints import MOST, NETWORK, far_endpoint


def test_no_two_have_one_address_and_all_are_in_the_network():
    addresses = {far_endpoint(number).address for number in range(MOST)}
    assert len(addresses) == MOST
    assert all(ip_address(address) in ip_network(NETWORK) for address in addresses)


def test_after_the_last_address_the_first_one_is_taken_again():
    assert far_endpoint(MOST).address == far_endpoint(0).address
