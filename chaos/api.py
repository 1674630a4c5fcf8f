"""Faults of the Kubernetes API and of what it says.

Each is what a kube-apiserver does on its worst day; only what a successful list says may ever take a pod away.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import yaml

from chaos.fault import MINUTE, Fault
from chaos.stage import Stage
from lab.cluster_objects import slices_by_family
from lab.master import CHECKOUT
from lab.processes import RUN
from lab.topology import SERVICE

_RBAC = CHECKOUT / "deploy/rbac.yaml"
_ACCOUNT = ("haproxy-edge", "kube-system")


def _met(condition: str, fault: Fault) -> Fault:
    """The same; and the engine has to have listed anew for that reason, or it never met the fault."""

    def begin(stage: Stage) -> None:
        stage.kept["relists"] = stage.relists(condition)
        fault.begin(stage)

    def holds(stage: Stage) -> None:
        stage.wait(lambda: stage.relists(condition) > stage.kept["relists"], f"the engine to have met {condition}")
        fault.holds(stage)

    return replace(fault, begin=begin, holds=holds)


def _switched(
    name: str, promise: str, kind: str, *, condition: str, lasts: float, short: bool = False, **options: Any
) -> Fault:
    """A fault the lab's API has a switch for."""
    fault = Fault(
        name,
        promise,
        begin=lambda stage: stage.cluster.fault(kind, **options),
        end=lambda stage: stage.cluster.clear_faults(),
        lasts=lasts,
        switched=True,
        short=short,
    )
    return _met(condition, fault)


def _answers(code: int, **options: Any) -> Fault:
    promise = "every edge stays as it is; the change arrives when the API answers again"
    name, condition = f"API answers {code}", f"http-{code}"
    return _switched(name, promise, "status", condition=condition, code=code, lasts=MINUTE, **options)


def _api_back(stage: Stage) -> None:
    """The lab's API has forgotten its objects; a real one would not have."""
    stage.cluster.start()
    stage.serve()
    stage.cluster.apply_file(_RBAC)
    stage.cluster.kubeconfig_of(*_ACCOUNT, RUN / "engine.kubeconfig")


def _rotate(stage: Stage) -> None:
    """The account is made anew: its old token is refused from now on."""
    objects = list(yaml.safe_load_all(_RBAC.read_text()))
    stage.cluster.delete(next(item for item in objects if item["kind"] == "ServiceAccount"))
    stage.cluster.apply_file(_RBAC)


def _roll_once_refused(stage: Stage) -> None:
    """A watch that is open goes on with the old token, until its timeout."""
    stage.wait(lambda: stage.relists("http-401") > stage.kept["relists"], "the old token to be refused")
    stage.roll()


def _empty(stage: Stage) -> None:
    """Scaled to 0, then the service is gone altogether."""
    stage.lab.serve([])
    for item in slices_by_family(SERVICE, []):
        stage.cluster.delete(item)


FAULTS = (
    _met(
        "unreachable",
        Fault(
            "API server killed and back",
            "every edge stays as it is; what changed meanwhile arrives when it is back",
            begin=lambda stage: stage.cluster.kill(),
            change=Stage.choose,
            end=_api_back,
            lasts=5,
        ),
    ),
    _answers(500, short=True),
    _answers(429, retry_after=30),
    _answers(401),
    _answers(403),
    _switched(
        "half-open watch",
        "a mute watch is torn down within read_timeout and listed anew",
        "stall",
        condition="timeout",
        lasts=12,
    ),
    _switched(
        "watch told 410",
        "a new list, and nothing is missed",
        "error_event",
        condition="http-410",
        lasts=3,
        verb="watch",
        code=410,
    ),
    _switched(
        "truncated list",
        "half an answer is no answer: every edge stays as it is",
        "truncate",
        condition="truncated",
        lasts=5,
    ),
    _switched(
        "list of another kind, empty",
        "it is no list: every edge stays as it is",
        "wrong_kind",
        condition="wrong-kind",
        lasts=5,
    ),
    _met(
        "http-401",
        Fault(
            "credentials rotated",
            "refused with the old token; the renewed kubeconfig is used without a restart",
            begin=_rotate,
            change=_roll_once_refused,
            end=lambda stage: stage.cluster.kubeconfig_of(*_ACCOUNT, RUN / "engine.kubeconfig"),
        ),
    ),
    Fault(
        "service emptied, deleted, recreated",
        "held for empty_grace: back within it, nobody noticed",
        begin=_empty,
        change=Stage.choose,
        end=Stage.serve,
        holds=lambda stage: stage.await_logged("no endpoint; edges keep its servers"),
        lasts=1,
        short=True,
    ),
)
