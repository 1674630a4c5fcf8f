"""The fault switches of the embedded API: each breaks what it says, for whom it says, and nothing else."""

from __future__ import annotations

import contextlib
import itertools
from concurrent.futures import ThreadPoolExecutor, wait
from http.client import RemoteDisconnected
from urllib.parse import urlsplit

import pytest

from lab.kubeapi.client import ApiClient, ApiFailure
from lab.kubeapi.embedded import EmbeddedApi
from lab.kubeapi.tcp_fault_proxy import TcpFaultProxy
from tests.functional.clock import Clock

CORE = "/api/v1/namespaces/kube-system"
MAPS = f"{CORE}/configmaps"
READER = "system:serviceaccount:kube-system:reader"
# seconds: until a test gives up on an answer, and after which one that does not come is missed
PATIENCE, SILENCE = 60.0, 0.3


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def api(clock):
    with EmbeddedApi(clock=clock) as started:
        yield started


@pytest.fixture
def reader(api):
    """A service account that may read everything."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader", "namespace": "kube-system"}}
    group = "rbac.authorization.k8s.io"
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": "kube-system"}],
    }
    for item in (account, binding):
        api.client.apply(item)
    token = api.client.token("reader", "kube-system")
    with contextlib.closing(ApiClient(api.url, ca_file=api.ca_file, token=token, timeout=PATIENCE)) as client:
        yield client


def a_map(name):
    return {"metadata": {"name": name}}


def asked(function, *arguments):
    """A future of what it returns: the connection itself is patient, with who waits for nothing in vain, too."""
    return ThreadPoolExecutor(1).submit(function, *arguments)


def is_missed(answer):
    return not wait([answer], SILENCE).done


def open_watch(client):
    """A watch that has already delivered one event, so it is known to be open."""
    events = client.watch(MAPS)
    first = next(events)
    assert first["type"] == "ADDED"
    return events


@pytest.mark.parametrize("code", [401, 403, 404, 500, 503])
def test_a_status_fault_answers_with_that_status(api, reader, code):
    api.fault("status", code=code, user=READER)

    with pytest.raises(ApiFailure) as caught:
        reader.get(MAPS)

    assert (caught.value.code, caught.value.status["kind"]) == (code, "Status")


def test_too_many_requests_says_when_to_come_back(api, reader):
    api.fault("status", code=429, retry_after=7, user=READER)

    with pytest.raises(ApiFailure) as caught:
        reader.get(MAPS)

    assert (caught.value.code, caught.value.headers["Retry-After"]) == (429, "7")


def test_a_fault_for_one_user_spares_the_others(api, reader):
    api.fault("status", code=500, user=READER)

    assert api.client.create(MAPS, a_map("written"))["metadata"]["name"] == "written"


def test_a_fault_is_limited_to_its_path_and_verb(api, reader):
    api.fault("status", code=500, path=MAPS, verb="list")

    assert reader.get(f"{CORE}/secrets")["kind"] == "SecretList"
    assert reader.create(MAPS, a_map("written"))
    with pytest.raises(ApiFailure):
        reader.get(MAPS)


def test_a_fault_counts_its_times_down(api, reader):
    api.fault("status", code=500, times=1, user=READER)

    with pytest.raises(ApiFailure):
        reader.get(MAPS)
    assert reader.get(MAPS)["kind"] == "ConfigMapList"


def test_cleared_faults_break_nothing(api, reader):
    api.fault("status", code=500)
    api.clear_faults()

    assert reader.get(MAPS)["kind"] == "ConfigMapList"


def test_a_dropped_request_gets_no_answer(api, reader):
    api.fault("drop", user=READER)

    with pytest.raises((ConnectionError, RemoteDisconnected)):
        reader.get(MAPS)


def test_a_stalled_request_gets_no_byte(api):
    api.fault("stall", path=MAPS)

    hasty = ApiClient(api.url, ca_file=api.ca_file, token=api.admin_token, timeout=SILENCE)
    with contextlib.closing(hasty), pytest.raises(TimeoutError):
        hasty.get(MAPS)


def test_an_open_watch_is_stalled_and_stays_mute(api, reader):
    api.client.create(MAPS, a_map("one"))
    events = open_watch(reader)
    api.fault("stall", user=READER)
    api.client.create(MAPS, a_map("two"))
    api.clear_faults()

    assert is_missed(asked(next, events))


def test_an_open_watch_is_dropped(api, reader):
    api.client.create(MAPS, a_map("one"))
    events = open_watch(reader)
    api.fault("drop", user=READER)

    # http.client tells no cut from an end
    assert list(events) == []


def test_an_open_watch_gets_an_error_event_and_ends(api, reader):
    api.client.create(MAPS, a_map("one"))
    events = open_watch(reader)
    api.fault("error_event", code=410, user=READER, times=1)

    assert [(event["type"], event["object"]["code"]) for event in events] == [("ERROR", 410)]
    assert reader.get(MAPS)


def test_a_new_watch_begins_with_the_error_event(api, reader):
    api.fault("error_event", code=500, verb="watch")

    events = list(reader.watch(MAPS))

    assert [(event["type"], event["object"]["code"]) for event in events] == [("ERROR", 500)]


def test_a_truncated_list_is_no_json(api, reader):
    api.fault("truncate", user=READER)

    with pytest.raises(KeyError):
        reader.items(MAPS)


def test_a_list_of_the_wrong_kind_is_valid_and_empty(api, reader):
    api.client.create(MAPS, a_map("one"))
    api.fault("wrong_kind", user=READER)

    listed = reader.get(MAPS)

    assert (listed["kind"], listed["items"]) == ("PodList", [])


def test_watches_from_before_a_compaction_are_told_410(api):
    before = api.client.get(MAPS)["metadata"]["resourceVersion"]
    api.client.create(MAPS, a_map("one"))
    api.compact()

    (event,) = api.client.watch(MAPS, {"resourceVersion": before})

    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


def test_a_half_read_list_is_gone_after_a_compaction(api):
    for name in ("a", "b"):
        api.client.create(MAPS, a_map(name))
    first = api.client.request("GET", MAPS, query={"limit": 1})
    api.compact()

    with pytest.raises(ApiFailure) as caught:
        api.client.request("GET", MAPS, query={"limit": 1, "continue": first["metadata"]["continue"]})

    assert (caught.value.code, caught.value.reason) == (410, "Expired")


def test_old_history_is_forgotten_by_itself():
    with EmbeddedApi(history=3) as api:
        before = api.client.get(MAPS)["metadata"]["resourceVersion"]
        for number in range(5):
            api.client.create(MAPS, a_map(f"map-{number}"))

        (event,) = api.client.watch(MAPS, {"resourceVersion": before})

    assert event["object"]["code"] == 410


def test_watches_end_on_demand(api, reader):
    api.client.create(MAPS, a_map("one"))
    events = open_watch(reader)

    assert api.end_watches(MAPS) == 1
    assert list(events) == []


def test_a_restart_keeps_objects_and_tokens_and_forgets_the_history(api, reader):
    before = api.client.get(MAPS)["metadata"]["resourceVersion"]
    api.client.create(MAPS, a_map("kept"))
    api.restart()

    assert [item["metadata"]["name"] for item in reader.items(MAPS)] == ["kept"]
    (event,) = reader.watch(MAPS, {"resourceVersion": before})
    assert event["object"]["code"] == 410


def test_a_token_ends_with_its_time(api, reader, clock):
    assert reader.get(MAPS)
    clock.ahead = 86_401

    with pytest.raises(ApiFailure) as caught:
        reader.get(MAPS)
    assert caught.value.code == 401


def test_a_token_ends_with_its_account(api, reader):
    api.client.delete(f"{CORE}/serviceaccounts/reader")

    with pytest.raises(ApiFailure) as caught:
        reader.get(MAPS)
    assert caught.value.code == 401


def test_bookmarks_come_in_their_interval():
    with EmbeddedApi(bookmark_seconds=0.02) as api:
        query = {"resourceVersion": api.client.get(MAPS)["metadata"]["resourceVersion"], "allowWatchBookmarks": "true"}
        events = list(itertools.islice(api.client.watch(MAPS, query, timeout=30), 2))

    assert [event["type"] for event in events] == ["BOOKMARK", "BOOKMARK"]


def test_the_switches_are_the_admins_alone(api, reader):
    with pytest.raises(ApiFailure) as caught:
        reader.request("PUT", "/_faults", {"faults": [{"kind": "drop"}]})

    assert caught.value.code == 403


def test_the_switches_can_be_thrown_over_http(api, reader):
    api.client.request("PUT", "/_faults", {"faults": [{"kind": "status", "code": 500, "user": READER}]})
    with pytest.raises(ApiFailure):
        reader.get(MAPS)
    api.client.request("DELETE", "/_faults")

    assert reader.get(MAPS)
    shown = api.client.get("/_faults")
    assert [entry["code"] for entry in shown["requests"] if entry["user"] == READER] == [500, 200]


def test_a_fault_that_is_none_is_refused(api):
    with pytest.raises(ApiFailure) as caught:
        api.client.request("PUT", "/_faults", {"faults": [{"kind": "no-such"}]})

    assert caught.value.code == 400


def test_ten_thousand_endpoints_are_listed_whole(api):
    path = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
    for number in range(100):
        endpoints = [{"addresses": [f"10.{number}.0.{last}"]} for last in range(1, 101)]
        api.client.create(path, {"metadata": {"name": f"s-{number}"}, "addressType": "IPv4", "endpoints": endpoints})

    assert sum(len(item["endpoints"]) for item in api.client.items(path)) == 10_000


def test_a_stalling_network_is_half_open_and_flows_again(api):
    parts = urlsplit(api.url)
    with TcpFaultProxy(str(parts.hostname), int(parts.port or 0)) as proxy:
        url = f"https://127.0.0.1:{proxy.port}"
        with contextlib.closing(ApiClient(url, ca_file=api.ca_file, token=api.admin_token, timeout=PATIENCE)) as client:
            assert client.get(MAPS)["kind"] == "ConfigMapList"
            proxy.stall()
            answer = asked(client.get, MAPS)
            assert is_missed(answer)
            proxy.flow()
            assert answer.result(PATIENCE)["kind"] == "ConfigMapList"
