"""What stands behind the runner's other functions: history, resync, freeze, trusted addresses, questions to edges."""

from __future__ import annotations

import pytest
import yaml
from haproxy_edge import freezing, tables, traefik
from haproxy_edge.changes import limit_problems, newest_first
from haproxy_edge.installed import clusters, installed, options_now
from haproxy_edge.questions import ask
from haproxy_edge.resync import orders_for
from haproxy_edge.store import ALL, Store

from tests import reports
from tests.reports import GITEA, NOW, TRAEFIK
from tests.unit.engine.material import FakeCache
from tests.unit.runner.material import change, configuration, report

ENGINES = [{"k8s_endpoints": {"services": [TRAEFIK, GITEA]}}]


def engines(listed=None):
    return installed(configuration(engines=listed or ENGINES))


@pytest.mark.parametrize(
    "written",
    [
        [{"k8s_endpoints": {"services": [TRAEFIK]}}],
        {"k8s_endpoints": {"services": [TRAEFIK]}},
        [{"west": {"engine_module": "k8s_endpoints", "services": [TRAEFIK]}}, {"sqs_events": {}}, "stalekey"],
    ],
    ids=["list", "mapping", "named"],
)
def test_engines_are_found_however_they_are_written(written):
    (one,) = installed({"engines": written})
    assert (one.options.services, one.cluster) == ((TRAEFIK,), "default")


def test_an_engine_with_bad_options_is_found_with_its_problems():
    (one,) = installed({"engines": ["k8s_endpoints"]})
    assert (one.options, "services" in one.problems[0]) == (None, True)


def test_clusters_are_named_once_and_the_default_without_any_engine():
    listed = [{name: {"engine_module": "k8s_endpoints", "cluster": "west"}} for name in ("a", "b")]
    assert clusters({"engines": listed}) == ["west"]
    assert clusters({}) == ["default"]


@pytest.mark.parametrize(
    ("written", "mended"),
    [
        (
            [{"a": {"engine_module": "k8s_endpoints", "cluster": "east"}}, {"k8s_endpoints": {"cluster": "west"}}],
            "west",
        ),
        ([{"k8s_endpoints": {"cluster": "weest"}}], "weest"),
        ([{"k8s_endpoints": {"cluster": "a"}}, {"x": {"engine_module": "k8s_endpoints", "cluster": "b"}}], None),
        (None, None),
    ],
    ids=["of the same cluster", "the only one", "of several none", "unreadable"],
)
def test_a_waiting_engine_finds_its_mended_options(written, mended):
    given = {"cluster": "west", "servces": []}
    assert options_now({"engines": written}, given) == ({"cluster": mended} if mended else given)


def test_history_is_newest_first_with_the_first_and_the_last_edge():
    rows = [change(1), change(2, edges={"b": 0.4, "a": 0.1}, waiting=["c"], added=["p:10.0.0.1:80"])]
    newest, oldest = newest_first({"default": rows})
    assert (newest["first"], newest["last"], newest["last_edge"], newest["edges"]) == (0.1, 0.4, "b", 2)
    assert (newest["at"], newest["added"], newest["waiting"]) == ("1970-01-01T00:00:02Z", ["p:10.0.0.1:80"], ["c"])
    assert (oldest["first"], oldest["last"], oldest["last_edge"]) == (None, None, None)


def test_history_of_one_service_and_of_so_many():
    rows = [change(1), change(2, service=GITEA), change(3)]
    assert [row["generation"] for row in newest_first({"default": rows}, service=TRAEFIK)] == [3000, 1000]
    assert len(newest_first({"default": rows}, limit=1)) == 1


@pytest.mark.parametrize("limit", ["abc", 0, -1, 2.5, None, True])
def test_a_limit_that_is_no_number_of_changes_is_named(limit):
    (problem,) = limit_problems(limit)
    assert f"limit={limit}" in problem and "limit=5" in problem


FLEET = {"default": ["edge1", "edge2"]}


def test_a_resync_of_all_is_an_order_for_the_target():
    (order,), problems = orders_for(None, engines(), FLEET, {})
    assert (order["tgt"], order["tgt_type"], order["services"]) == ("roles:haproxy-edge", "grain", (TRAEFIK, GITEA))
    assert problems == []


def test_a_resync_of_an_edge_is_an_order_for_it_alone():
    (order,), _ = orders_for("edge2", engines(), FLEET, {})
    assert (order["tgt"], order["tgt_type"]) == ("edge2", "list")


def test_a_resync_of_a_service_goes_to_who_serves_it_and_to_all_where_that_is_not_known():
    known = {"default": report(edges={"edge1": reports.edge(), "edge2": reports.edge(applied={})})}
    (order,), _ = orders_for(TRAEFIK, engines(), FLEET, known)
    assert (order["tgt"], order["services"]) == ("edge1", (TRAEFIK,))
    (order,), _ = orders_for(TRAEFIK, engines(), FLEET, {"default": None})
    assert order["tgt"] == "roles:haproxy-edge"


@pytest.mark.parametrize(
    ("only", "known"), [("edge9", "edge1, edge2"), ("a/b", "gitea/gitea-ssh, kube-system/traefik")]
)
def test_a_resync_of_nobody_names_those_there_are(only, known):
    orders, problems = orders_for(only, engines(), FLEET, {})
    assert (orders, known in problems[0]) == ([], True)


def test_a_resync_without_an_engine_says_so():
    assert "no engine" in orders_for(None, [], {}, {})[1][0]


def test_a_freeze_is_kept_and_said_and_a_second_names_who_was_first():
    store = Store(FakeCache())
    freezing.freeze(store, engines(), TRAEFIK, by="ada", now=NOW)
    assert (store.frozen("default")[TRAEFIK].by, store.frozen("default")[TRAEFIK].since) == ("ada", NOW)
    again = freezing.freeze(store, engines(), TRAEFIK, by="bob", now=NOW + 1)
    assert "by ada" in again["said"][0]
    assert store.frozen("default")[TRAEFIK].by == "ada"


def test_a_thaw_without_a_name_lets_everything_go():
    store = Store(FakeCache())
    for service in (None, TRAEFIK):
        freezing.freeze(store, engines(), service, by="ada", now=NOW)
    assert set(store.frozen("default")) == {ALL, TRAEFIK}
    assert freezing.thaw(store, engines(), None)["problems"] == []
    assert store.frozen("default") == {}


def test_a_thaw_of_what_is_not_frozen_says_so():
    store = Store(FakeCache())
    assert freezing.thaw(store, engines(), None)["said"] == ["cluster default: nothing was frozen"]
    assert freezing.thaw(store, engines(), TRAEFIK)["said"] == [f"cluster default: {TRAEFIK} was not frozen"]


def test_a_thaw_of_one_while_all_are_frozen_is_said_to_change_nothing():
    store = Store(FakeCache())
    freezing.freeze(store, engines(), None, by="ada", now=NOW)
    assert "still is" in freezing.thaw(store, engines(), TRAEFIK)["problems"][0]


def test_a_freeze_of_a_service_nobody_follows_holds_nothing():
    store = Store(FakeCache())
    assert "known are" in freezing.freeze(store, engines(), "a/b", by="ada", now=NOW)["problems"][0]
    assert store.frozen("default") == {}


def test_trusted_addresses_are_single_ones_each_once_in_order():
    sources = {"edge2": ["192.0.2.12", "2001:db8::12"], "edge1": ["192.0.2.9", "192.0.2.12"]}
    assert traefik.trusted(sources) == ["192.0.2.9/32", "192.0.2.12/32", "2001:db8::12/128"]


def test_the_helm_chart_config_is_yaml_that_names_them_for_both_entry_points():
    config = yaml.safe_load(traefik.helm_chart_config(["192.0.2.9/32"]))
    assert (config["kind"], config["metadata"]) == ("HelmChartConfig", {"name": "traefik", "namespace": "kube-system"})
    ports = yaml.safe_load(config["spec"]["valuesContent"])["ports"]
    assert ports == {name: {"proxyProtocol": {"trustedIPs": ["192.0.2.9/32"]}} for name in ("websecure", "web")}


def test_an_edge_without_a_source_is_a_problem_and_not_left_out_in_silence():
    sources, problems = traefik.sources_told({"edge1": {"sources": {}, "problems": ["haproxy.bind: x"]}})
    assert (sources, len(problems)) == ({"edge1": []}, 2)


class Minions:
    """Answer at once with what they are given."""

    def __init__(self, **answers):
        self.answers = answers

    def ask(self, names, function, arguments, *, patience):
        return {name: self.answers[name] for name in names if name in self.answers}


TRACE = "Traceback (most recent call last):\n  File x\nOSError: [Errno 5] Input/output error\n"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "did not answer within"),
        ("'haproxy_edge.plan' is not available.", "state.apply haproxy brings them"),
        (TRACE, "OSError: [Errno 5] Input/output error"),
    ],
    ids=["silence", "no module", "traceback"],
)
def test_an_edge_without_an_answer_is_said_in_one_line(answer, words):
    minions = Minions(**({} if answer is None else {"edge1": answer}), edge2={"diff": ""})
    answers = ask(minions, ["edge1", "edge2"], "haproxy_edge.plan")
    assert list(answers.given) == ["edge2"]
    assert [words in problem and problem.startswith("edge1: ") for problem in answers.problems] == [True]
    assert "Traceback" not in answers.problems[0]


def test_nobody_is_asked_when_there_is_nobody():
    assert ask(Minions(), [], "haproxy_edge.plan").given == {}


def test_a_table_is_aligned_and_gone_without_rows():
    assert list(tables.table(("A", "B"), [("long", None), ("x", 1)])) == ["A     B", "long  -", "x     1"]
    assert list(tables.table(("A",), [])) == []


@pytest.mark.parametrize("data", [None, "text", {"function": "status"}, {"said": ["done"]}, {}], ids=repr)
def test_the_outputter_shows_whatever_it_is_given(data):
    assert isinstance(tables.text(data), str)
