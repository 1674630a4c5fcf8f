"""The examples of the documentation are ones that the code takes."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from haproxy_edge.options import check
from haproxy_edge.store import ROOT as TAG_ROOT
from haproxy_edge_minion.spec import resolve

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
FENCE = re.compile(r"^( *)```yaml\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
INSTALLED_AT = "/srv/haproxy-edge/"


def examples() -> Iterator[Any]:
    for page in PAGES:
        for number, (_, text) in enumerate(FENCE.findall(page.read_text()), start=1):
            parsed = list(yaml.safe_load_all(textwrap.dedent(text)))
            for part in parsed:
                yield pytest.param(part, id=f"{page.name}-{number}")


def having(key: str) -> list[Any]:
    return [example for example in EXAMPLES if isinstance(example.values[0], dict) and key in example.values[0]]


EXAMPLES = list(examples())


@pytest.mark.parametrize("example", having("haproxy"))
def test_a_pillar_is_accepted_by_the_edge(example: dict[str, Any]):
    assert resolve(example["haproxy"]).frontends


@pytest.mark.parametrize("example", having("engines"))
def test_an_engine_is_accepted_by_the_options_check(example: dict[str, Any]):
    for engine in example["engines"]:
        assert check(engine["k8s_endpoints"]).services


@pytest.mark.parametrize("example", having("reactor"))
def test_the_reactor_is_mapped_from_every_doorbell_to_a_file_that_exists(example: dict[str, Any]):
    mapped = {tag: files for mapping in example["reactor"] for tag, files in mapping.items()}
    assert set(mapped) == {f"{TAG_ROOT}/doorbell/{lane}" for lane in ("hot", "state")}
    assert all((ROOT / path.removeprefix(INSTALLED_AT)).is_file() for files in mapped.values() for path in files)


@pytest.mark.parametrize("example", having("file_roots"))
def test_the_file_root_is_where_the_states_are(example: dict[str, Any]):
    ours = [path for path in example["file_roots"]["base"] if path.startswith(INSTALLED_AT)]
    assert [(ROOT / path.removeprefix(INSTALLED_AT) / "haproxy/init.sls").is_file() for path in ours] == [True]


def test_the_page_of_rights_says_what_the_role_grants():
    objects = list(yaml.safe_load_all((ROOT / "deploy/rbac.yaml").read_text()))
    page = (ROOT / "docs/rbac.md").read_text()
    (role,) = [item for item in objects if item["kind"] == "Role"]
    granted = {(resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}
    assert granted == {(kind, verb) for kind in ("endpointslices", "endpoints") for verb in ("get", "list", "watch")}
    assert all(f"| {item['kind']} |" in page for item in objects)
    (account,) = [item["metadata"] for item in objects if item["kind"] == "ServiceAccount"]
    assert f"system:serviceaccount:{account['namespace']}:{account['name']}" in page


def test_there_are_examples_of_each_kind():
    assert all(having(key) for key in ("haproxy", "engines", "reactor", "file_roots"))
