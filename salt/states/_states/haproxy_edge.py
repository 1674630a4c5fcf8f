"""States of an HAProxy edge. ``salt://haproxy`` puts them in order; the work is in execution module haproxy_edge.

They must never call a state right in which a problem stands, nor change anything with ``test=True``.

.. code-block:: yaml

    /etc/haproxy/haproxy.cfg:
      haproxy_edge.configured

    haproxy:
      haproxy_edge.serving

    haproxy_edge.reconcile:
      haproxy_edge.scheduled
"""

from __future__ import annotations

from typing import Any


def configured(name: str, template: str | None = None) -> dict[str, Any]:
    """The configuration file is what pillar and snapshots ask for, and HAProxy accepts it.

    False when any frontend's wish could not be met; those that could are in place all the same.
    """
    done = __salt__["haproxy_edge.configure"](test=__opts__["test"], **_given(template))
    comments = _problems(done["problems"]) + [
        f"{key}: plain HTTP is discouraged: what it carries can be read and changed on the way"
        for key in done["discouraged"]
    ]
    verb = "would change" if __opts__["test"] else "changed"
    comments.append(f"{name} {verb}" if done["changed"] else f"{name} stays as it is")
    changes = {"diff": done["diff"] or "the record of what was applied"} if done["changed"] else {}
    return _ret(name, done["problems"], changes, comments)


def serving(name: str, template: str | None = None) -> dict[str, Any]:
    """HAProxy is enabled, runs, and its worker serves the configuration file."""
    done = __salt__["haproxy_edge.serve"](test=__opts__["test"], **_given(template))
    comments = _problems(done["problems"])
    changes = {name: f"{done['action']}: {done['reason']}"} if done["action"] else {}
    if changes:
        verb = "would have to" if __opts__["test"] else "did"
        comments.append(f"{name}: {verb} {done['action']}: {done['reason']}")
        comments += [f"found: {difference}" for difference in done["found"]]
    elif not comments:
        comments.append(f"{name} serves the configuration")
    ret = _ret(name, done["problems"], changes, comments)
    # for the master's tracker; Salt passes keys it does not know through, and people's output leaves them out
    return ret if __opts__["test"] else {**ret, "ack": done["ack"]}


def scheduled(name: str) -> dict[str, Any]:
    """The minion calls ``haproxy_edge.reconcile`` by itself, with the master away, too."""
    done = __salt__["haproxy_edge.schedule"](test=__opts__["test"])
    verb = "would be" if __opts__["test"] else "was"
    changes = {name: f"{verb} scheduled"} if done["changed"] else {}
    comments = _problems(done["problems"]) or [changes[name] if changes else f"{name} is scheduled"]
    return _ret(name, done["problems"], changes, comments)


def cleaned(name: str) -> dict[str, Any]:
    """Nothing of ours is left; the configuration found at first apply is back."""
    done = __salt__["haproxy_edge.clean"](test=__opts__["test"])
    changes = {key: done[key] for key in ("removed", "restored") if done[key]}
    verb = "would be" if __opts__["test"] else "were"
    comments = _problems(done["problems"]) + [f"{', '.join(paths)} {verb} {key}" for key, paths in changes.items()]
    return _ret(name, done["problems"], changes, comments or ["nothing of ours is here"])


def _given(template: str | None) -> dict[str, str]:
    """Without one, the execution module knows where it is."""
    return {"template": template} if template else {}


def _problems(problems: list[str]) -> list[str]:
    return [f"{__grains__['id']}: {problem}" for problem in problems]


def _ret(name: str, problems: list[str], changes: dict[str, Any], comments: list[str]) -> dict[str, Any]:
    """Salt's return of a state: None means "would change"."""
    if problems:
        result: bool | None = False
    elif changes and __opts__["test"]:
        result = None
    else:
        result = True
    return {"name": name, "result": result, "changes": changes, "comment": "\n".join(comments)}
