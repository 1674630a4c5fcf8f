"""The engine's options: a mistake is one message with option and value, and every mistake is told at once."""

from __future__ import annotations

import math

import pytest
from haproxy_edge.options import TABLE, BadOptions, check

GOOD = {"services": ["kube-system/traefik"]}


def problems_of(**options):
    with pytest.raises(BadOptions) as refusal:
        check({**GOOD, **options})
    return refusal.value.problems


def test_services_alone_are_enough_and_the_rest_has_its_default():
    options = check(GOOD)
    defaults = {option.name: option.default for option in TABLE if option.name != "services"}

    assert {name: getattr(options, name) for name in defaults} == {**defaults, "allowed_networks": {}}


def test_the_defaults_are_good_values_themselves():
    assert [option.name for option in TABLE if option.problem(option.default)] == ["services"]


def test_every_option_can_be_set():
    given = {
        "services": ["kube-system/traefik", "gitea/gitea-ssh"],
        "cluster": "west",
        "target": "edge*",
        "target_type": "glob",
        "kubeconfig": "/etc/salt/kubeconfig",
        "context": "west",
        "source": "endpoints",
        "lane": "state",
        "allowed_networks": {"gitea/gitea-ssh": ["10.42.0.0/16", "fd42::/48"]},
        "metrics": "[::1]:9105",
        **{option.name: 7 for option in TABLE if option.unit == "s"},
    }
    options = check(given)

    assert {name: getattr(options, name) for name in given} == {
        **given,
        "services": tuple(given["services"]),
        "allowed_networks": {"gitea/gitea-ssh": ("10.42.0.0/16", "fd42::/48")},
    }
    assert set(given) == {option.name for option in TABLE}


@pytest.mark.parametrize("value", ["127.0.0.1:9105", "[::1]:9105", "0.0.0.0:1", "master.example:65535", None])
def test_metrics_are_served_at_an_address(value):
    assert check({"services": ["a/b"], "metrics": value}).metrics == value


@pytest.mark.parametrize(
    "value", ["9105", 9105, ":9105", "::1:9105", "127.0.0.1:0", "a:65536", "a b:1", "http://a:1", True]
)
def test_metrics_anywhere_else_are_refused(value):
    (problem,) = problems_of(metrics=value)

    assert problem.startswith(f"metrics: {value!r}: must be address:port")


def test_networks_of_a_service_that_is_not_followed_are_a_slip():
    (problem,) = problems_of(allowed_networks={"kube-system/treafik": ["10.42.0.0/16"]})

    assert problem == "allowed_networks: kube-system/treafik: is not one of services"


SECONDS = [option.name for option in TABLE if option.unit == "s"]


@pytest.mark.parametrize("value", ["5", None, True, -1, 86401, math.nan, math.inf, [1]], ids=repr)
@pytest.mark.parametrize("name", SECONDS)
def test_a_time_that_is_no_number_of_seconds_is_refused_with_option_and_value(name, value):
    (problem,) = problems_of(**{name: value})

    assert problem.startswith(f"{name}: {value!r}: must be a number of seconds")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("cluster", "West", id="cluster in capitals"),
        pytest.param("cluster", "../keys", id="cluster that is a path"),
        pytest.param("cluster", "", id="cluster empty"),
        pytest.param("cluster", None, id="cluster null"),
        pytest.param("cluster", "a\n", id="cluster with a newline"),
        pytest.param("target", "", id="target empty"),
        pytest.param("target", " ", id="target blank"),
        pytest.param("target", ["edge1"], id="target a list"),
        pytest.param("target_type", "grains", id="target_type unknown"),
        pytest.param("target_type", ["grain"], id="target_type a list"),
        pytest.param("kubeconfig", "", id="kubeconfig empty"),
        pytest.param("kubeconfig", 7, id="kubeconfig a number"),
        pytest.param("context", {}, id="context a mapping"),
        pytest.param("allowed_networks", ["10.42.0.0/16"], id="networks without service"),
        pytest.param("allowed_networks", {"kube-system/traefik": "10.42.0.0/16"}, id="networks no list"),
        pytest.param("allowed_networks", {"kube-system/traefik": []}, id="no network"),
        pytest.param("allowed_networks", {"kube-system/traefik": ["10.42.0.1/16"]}, id="host bits set"),
        pytest.param("allowed_networks", {"kube-system/traefik": [7]}, id="a number for a network"),
        pytest.param("source", "slices", id="source unknown"),
        pytest.param("source", None, id="source null"),
        pytest.param("connect_timeout", 0, id="no time to connect"),
        pytest.param("read_timeout", 0.5, id="no time to read"),
        pytest.param("watch_timeout", 0, id="no time to watch"),
        pytest.param("backoff_min", 0, id="retries without a pause"),
        pytest.param("backoff_max", 0, id="retries without an end to them"),
    ],
)
def test_a_bad_value_is_refused_with_option_and_value(name, value):
    (problem,) = problems_of(**{name: value})

    assert problem.startswith(f"{name}: {value!r}: must be ")


@pytest.mark.parametrize("name", ["min_interval", "empty_grace", "resync"])
def test_zero_switches_waiting_off(name):
    assert getattr(check({**GOOD, name: 0}), name) == 0


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="none given"),
        pytest.param({"services": None}, id="null"),
        pytest.param({"services": []}, id="an empty list"),
        pytest.param({"services": "kube-system/traefik"}, id="a text"),
        pytest.param({"services": {"kube-system": "traefik"}}, id="a mapping"),
    ],
)
def test_without_a_service_the_way_out_is_shown(options):
    with pytest.raises(BadOptions, match=r"services: .*\[kube-system/traefik\]"):
        check(options)


@pytest.mark.parametrize(
    "service",
    [
        "traefik",
        "a/b/c",
        "/b",
        "a/",
        "A/b",
        "a/b.c",
        "a_b/c",
        "a/b\n",
        "-a/b",
        "a/b-",
        " a/b",
        "a/" + "b" * 64,
        7,
        None,
    ],
    ids=repr,
)
def test_a_malformed_service_is_named_among_the_good_ones(service):
    (problem,) = problems_of(services=["kube-system/traefik", service])

    assert f"{service!r} is not namespace/name" in problem


def test_services_named_twice_are_followed_once_in_the_order_given():
    assert check({"services": ["b/b", "a/a", "b/b"]}).services == ("b/b", "a/a")


def test_an_unknown_option_is_refused_and_the_nearest_is_named():
    (problem,) = problems_of(resinc=60)

    assert problem == "resinc: 60: no such option; did you mean resync?"


def test_an_option_like_no_other_is_refused_and_all_are_named():
    (problem,) = problems_of(qqq=1)

    assert all(option.name in problem for option in TABLE)


def test_every_problem_is_told_at_once():
    problems = problems_of(services=["x"], resync="often", nonsense=1)

    assert sorted(problem.split(":")[0] for problem in problems) == ["nonsense", "resync", "services"]


def test_the_message_holds_every_problem():
    with pytest.raises(BadOptions) as refusal:
        check({"services": ["x"], "resync": "often"})

    assert all(problem in str(refusal.value) for problem in refusal.value.problems)
