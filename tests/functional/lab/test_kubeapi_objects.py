"""What a Kubernetes API promises about objects, lists and watches; on the embedded API or on a real kube-apiserver."""

from __future__ import annotations

import itertools

import pytest

from lab.kubeapi.client import ApiFailure
from lab.kubeapi.under_test import api_under_test

SOON = 30.0  # seconds of silence before a watch counts as mute


@pytest.fixture(scope="module")
def api():
    with api_under_test() as started:
        yield started


@pytest.fixture
def admin(api):
    return api.admin


@pytest.fixture
def namespace(api):
    return api.namespace()


@pytest.fixture
def slices(namespace):
    return f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"


@pytest.fixture
def config_maps(namespace):
    return f"/api/v1/namespaces/{namespace}/configmaps"


def a_slice(name="one", service="web", **changed):
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.42.0.7"], "conditions": {"ready": True}}],
        "ports": [{"name": "web", "port": 8000}],
        **changed,
    }


def a_config_map(name, **labels):
    return {"metadata": {"name": name, "labels": labels}, "data": {"key": "old"}}


def version(item):
    return item["metadata"]["resourceVersion"]


def names(items):
    return [item["metadata"]["name"] for item in items]


def watched(client, path, count, **query):
    """The first events of a watch."""
    return list(itertools.islice(client.watch(path, query, timeout=SOON), count))


def refused(call, *arguments, **options):
    with pytest.raises(ApiFailure) as caught:
        call(*arguments, **options)
    return caught.value


# writing


def test_a_created_object_gets_identity_and_defaults(admin, slices):
    created = admin.create(slices, a_slice())

    assert {"uid", "creationTimestamp", "resourceVersion"} <= set(created["metadata"])
    assert created["metadata"]["generation"] == 1
    assert created["ports"] == [{"name": "web", "port": 8000, "protocol": "TCP"}]


def test_a_slice_keeps_its_null_lists(admin, slices):
    created = admin.create(slices, a_slice(endpoints=None, ports=None))

    assert (created["endpoints"], created["ports"]) == (None, None)


def test_a_second_object_of_a_name_is_refused(admin, slices):
    admin.create(slices, a_slice())

    failure = refused(admin.create, slices, a_slice())

    assert (failure.code, failure.reason) == (409, "AlreadyExists")


def test_a_name_is_generated(admin, config_maps):
    created = admin.create(config_maps, {"metadata": {"generateName": "some-"}})

    assert created["metadata"]["name"].startswith("some-")
    assert len(created["metadata"]["name"]) == len("some-") + 5


def test_an_object_needs_its_namespace(admin):
    path = "/apis/discovery.k8s.io/v1/namespaces/no-such/endpointslices"

    assert refused(admin.create, path, a_slice()).code == 404


def test_an_update_from_an_old_version_is_a_conflict(admin, config_maps):
    old = admin.create(config_maps, a_config_map("one"))
    admin.patch(f"{config_maps}/one", {"data": {"key": "new"}})

    failure = refused(admin.replace, f"{config_maps}/one", old)

    assert (failure.code, failure.reason) == (409, "Conflict")


def test_an_update_that_changes_nothing_is_no_new_version(admin, config_maps):
    first = admin.create(config_maps, a_config_map("one"))

    assert version(admin.patch(f"{config_maps}/one", {"data": {"key": "old"}})) == version(first)


@pytest.mark.parametrize(
    ("change", "generation"),
    [
        pytest.param({"metadata": {"annotations": {"a": "b"}}}, 1, id="annotation"),
        pytest.param({"metadata": {"labels": {"a": "b"}}}, 2, id="label"),
        pytest.param({"ports": []}, 2, id="content"),
    ],
)
def test_the_generation_counts_changes_of_content_and_labels(admin, slices, change, generation):
    admin.create(slices, a_slice())

    assert admin.patch(f"{slices}/one", change)["metadata"]["generation"] == generation


def test_null_removes_in_a_merge_patch(admin, config_maps):
    admin.create(config_maps, {"metadata": {"name": "one"}, "data": {"a": "1", "b": "2"}})

    assert admin.patch(f"{config_maps}/one", {"data": {"a": None}})["data"] == {"b": "2"}


def test_a_json_patch_edits_by_path(admin, config_maps):
    admin.create(config_maps, a_config_map("one"))
    operations = [{"op": "replace", "path": "/data/key", "value": "new"}]

    patched = admin.patch(f"{config_maps}/one", operations, content_type="application/json-patch+json")

    assert patched["data"] == {"key": "new"}


def test_an_unknown_patch_is_an_unsupported_media_type(admin, config_maps):
    admin.create(config_maps, a_config_map("one"))

    assert refused(admin.patch, f"{config_maps}/one", {}, content_type="application/json").code == 415


def test_what_is_deleted_is_gone(admin, config_maps):
    admin.create(config_maps, a_config_map("one"))
    admin.delete(f"{config_maps}/one")

    assert refused(admin.get, f"{config_maps}/one").reason == "NotFound"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        pytest.param({"addressType": ""}, "addressType", id="no address type"),
        pytest.param({"addressType": "IPv5"}, "addressType", id="unknown address type"),
        pytest.param({"endpoints": [{"addresses": []}]}, "endpoints[0].addresses", id="no address"),
        pytest.param({"endpoints": [{"addresses": ["fd00::1"]}]}, "endpoints[0].addresses[0]", id="other family"),
        pytest.param({"endpoints": [{"addresses": ["127.0.0.1"]}]}, "endpoints[0].addresses[0]", id="loopback"),
        pytest.param({"endpoints": [{"addresses": ["10.0.0.1"]}] * 1001}, "endpoints", id="too many endpoints"),
        pytest.param({"ports": [{"name": "No_Label", "port": 1}]}, "ports[0].name", id="port name"),
        pytest.param({"ports": [{"name": "a"}, {"name": "a"}]}, "ports[1].name", id="port name twice"),
        pytest.param({"ports": [{"name": "a", "protocol": "QUIC"}]}, "ports[0].protocol", id="protocol"),
    ],
)
def test_an_invalid_slice_is_refused_naming_the_field(admin, slices, changed, field):
    failure = refused(admin.create, slices, a_slice(**changed))

    assert (failure.code, failure.reason) == (422, "Invalid")
    assert field in [cause["field"] for cause in failure.status["details"]["causes"]]


def test_the_address_type_never_changes(admin, slices):
    admin.create(slices, a_slice(endpoints=[]))

    assert refused(admin.patch, f"{slices}/one", {"addressType": "IPv6"}).code == 422


def test_a_value_of_the_wrong_type_is_a_bad_request(admin, slices):
    assert refused(admin.create, slices, a_slice(endpoints="many")).code == 400


# lists


def test_a_list_has_the_version_a_watch_goes_on_from(admin, config_maps):
    listed = admin.get(config_maps)
    admin.create(config_maps, a_config_map("later"))

    (event,) = watched(admin, config_maps, 1, resourceVersion=version(listed))

    assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "later")


def test_items_of_a_list_carry_no_kind(admin, slices):
    admin.create(slices, a_slice())
    listed = admin.get(slices)

    assert listed["kind"] == "EndpointSliceList"
    assert "kind" not in listed["items"][0]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("tier=front", ["a"]),
        ("tier==front", ["a"]),
        ("tier!=front", ["b", "c"]),
        ("tier in (front, back)", ["a", "b"]),
        ("tier notin (front)", ["b", "c"]),
        ("tier", ["a", "b"]),
        ("!tier", ["c"]),
        ("tier in (front,back),tier!=back", ["a"]),
    ],
)
def test_label_selectors_choose(admin, config_maps, selector, expected):
    for name, labels in (("a", {"tier": "front"}), ("b", {"tier": "back"}), ("c", {})):
        admin.create(config_maps, a_config_map(name, **labels))

    found = names(admin.items(config_maps, labelSelector=selector))

    # a cluster with its controllers adds kube-root-ca.crt
    assert [name for name in found if name in "abc"] == expected


def test_a_field_selector_chooses_by_name_over_all_namespaces(admin, config_maps, namespace):
    admin.create(config_maps, a_config_map("one"))
    selector = f"metadata.name=one,metadata.namespace={namespace}"

    assert names(admin.items("/api/v1/configmaps", fieldSelector=selector)) == ["one"]


@pytest.mark.parametrize("query", [{"labelSelector": "a in b"}, {"fieldSelector": "spec.nothing=1"}])
def test_a_selector_that_is_none_is_a_bad_request(admin, config_maps, query):
    assert refused(admin.items, config_maps, **query).code == 400


def test_chunks_are_of_one_moment(admin, config_maps):
    for name in ("a", "b", "c"):
        admin.create(config_maps, a_config_map(name, mine="yes"))
    first = admin.request("GET", config_maps, query={"limit": 2, "labelSelector": "mine"})
    admin.delete(f"{config_maps}/c")
    admin.create(config_maps, a_config_map("d", mine="yes"))

    query = {"limit": 2, "labelSelector": "mine", "continue": first["metadata"]["continue"]}
    second = admin.request("GET", config_maps, query=query)

    assert (names(first["items"]), names(second["items"])) == (["a", "b"], ["c"])
    assert version(first) == version(second)
    assert not second["metadata"].get("continue")


def test_a_made_up_continue_is_a_bad_request(admin, config_maps):
    assert refused(admin.items, config_maps, **{"limit": 1, "continue": "no-such"}).code == 400


# watches


def test_a_watch_without_version_begins_with_what_there_is(admin, config_maps):
    admin.create(config_maps, a_config_map("one", mine="yes"))

    (event,) = watched(admin, config_maps, 1, labelSelector="mine")

    assert event["type"] == "ADDED"


def test_a_watch_replays_what_came_after_its_version(admin, config_maps):
    before = version(admin.get(config_maps))
    admin.create(config_maps, a_config_map("one"))
    admin.patch(f"{config_maps}/one", {"data": {"key": "new"}})
    admin.delete(f"{config_maps}/one")

    events = watched(admin, config_maps, 3, resourceVersion=before)

    assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED"]
    versions = [int(version(event["object"])) for event in events]
    assert versions == sorted(set(versions))


def test_an_object_enters_and_leaves_a_watch_with_its_label(admin, config_maps):
    before = version(admin.get(config_maps))
    admin.create(config_maps, a_config_map("one"))
    admin.patch(f"{config_maps}/one", {"metadata": {"labels": {"mine": "yes"}}})
    admin.patch(f"{config_maps}/one", {"metadata": {"labels": {"mine": None}}})

    events = watched(admin, config_maps, 2, resourceVersion=before, labelSelector="mine")

    assert [event["type"] for event in events] == ["ADDED", "DELETED"]


def test_the_server_ends_a_watch_in_its_time_with_a_bookmark_before(admin, config_maps):
    before = version(admin.get(config_maps))
    created = admin.create(config_maps, a_config_map("unseen"))
    query = {"resourceVersion": before, "fieldSelector": "metadata.name=no-such", "allowWatchBookmarks": "true"}

    events = list(admin.watch(config_maps, {**query, "timeoutSeconds": 4}, timeout=20))

    assert [event["type"] for event in events] == ["BOOKMARK"] * len(events)
    assert int(version(events[-1]["object"])) >= int(version(created))


def test_no_bookmark_comes_unasked(admin, config_maps):
    before = version(admin.get(config_maps))

    assert list(admin.watch(config_maps, {"resourceVersion": before, "timeoutSeconds": 1}, timeout=20)) == []


def test_a_version_too_old_is_gone(admin, slices):
    (event,) = watched(admin, slices, 1, resourceVersion="1")

    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)


def test_a_watch_of_one_object_sees_no_other(admin, config_maps):
    before = version(admin.get(config_maps))
    for name in ("other", "one"):
        admin.create(config_maps, a_config_map(name))

    (event,) = watched(admin, config_maps, 1, resourceVersion=before, fieldSelector="metadata.name=one")

    assert event["object"]["metadata"]["name"] == "one"
