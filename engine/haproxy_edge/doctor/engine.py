"""The engine, its watches and the API it follows. Pure.

An engine that stands still looks, from an edge, as if nothing had changed; only its age and its process tell. What
was not tried is called unknown, never right.
"""

from __future__ import annotations

from collections.abc import Iterator

from haproxy_edge.doctor.facts import Api, Engine, Facts, Path
from haproxy_edge.doctor.finding import Finding, advice, ok, unknown, wrong
from haproxy_edge.report import options_row
from haproxy_edge.status import OLD_AFTER, for_people

_MENDS = {
    "kubeconfig": "check path, owner, mode and 'context'; the master's user has to read it",
    "unreachable": "check the network and 'server' in the kubeconfig; on the master: curl -k {host}/version",
    "timeout": "connected, then silence: check the network, a firewall, or the API server's load",
    "http-401": "the token is not valid or has run out: make a new one, docs/rbac.md",
    "http-403": "kubectl apply -f deploy/rbac.yaml, with Role and RoleBinding in that namespace; docs/rbac.md",
}
_OTHER = "docs/errors.md explains the condition"


def running(facts: Facts) -> Iterator[Finding]:
    """It has reported lately, and its process is there."""
    for engine in facts.engines:
        name = engine.name
        mend = "systemctl restart salt-master, then look into the master's log for k8s_endpoints"
        if engine.problem:
            yield wrong("engine-running", name, engine.problem, "disk, owner and mode of the master's cache directory")
        elif engine.report is None:
            yield wrong("engine-running", name, "it has never reported", mend)
        elif (age := facts.now - float(engine.report["at"])) > OLD_AFTER:
            yield wrong("engine-running", name, f"its last report is {for_people(age)} old", mend)
        elif engine.alive is False:
            yield wrong("engine-running", name, f"its process {engine.report['pid']} is gone", mend)
        else:
            yield ok("engine-running", name, f"pid {engine.report['pid']}, reported {for_people(age)} ago")


def current(facts: Facts) -> Iterator[Finding]:
    """What runs is what is configured and installed."""
    for engine in facts.engines:
        if engine.report is None or engine.installed.options is None:
            continue
        given, wanted = engine.report.get("options") or {}, options_row(engine.installed.options)
        other = sorted(key for key in wanted if key in given and given[key] != wanted[key])
        mend = "systemctl restart salt-master"
        if engine.report.get("version") != facts.version:
            found = f"{engine.report.get('version')} runs, {facts.version} is installed"
            yield wrong("engine-current", engine.name, found, mend)
        elif other:
            found = f"the configuration has another {', '.join(other)} than the engine that runs"
            yield wrong("engine-current", engine.name, found, mend)
        else:
            yield ok("engine-current", engine.name, f"version {facts.version}, options as configured")


def watches(facts: Facts) -> Iterator[Finding]:
    """Each watch follows."""
    for engine in facts.engines:
        for watch in (engine.report or {}).get("watches", ()):
            condition, subject = watch["condition"], ", ".join(watch["services"])
            if condition == "ok":
                heard = watch.get("last_contact")
                age = for_people(None if heard is None else max(0.0, facts.now - heard))
                yield ok("watch", subject, f"followed, last contact {age} ago")
            else:
                yield wrong("watch", subject, f"{condition}: {watch['message']}", _mend(condition, engine.api))


def api(facts: Facts) -> Iterator[Finding]:
    """The API answers the engine's account."""
    for engine in facts.engines:
        if engine.api is None:
            yield unknown("api-reachable", engine.name, "not tried: its options are not valid")
        elif engine.api.error:
            condition, message = engine.api.error
            yield wrong("api-reachable", engine.name, f"{condition}: {message}", _mend(condition, engine.api))
        else:
            yield ok("api-reachable", engine.name, engine.api.host)


def rights(facts: Facts) -> Iterator[Finding]:
    """Every list and every watch the engine makes is allowed: each was made."""
    for engine, path in _paths(facts):
        for verb, error in (("list", path.list_error), ("watch", path.watch_error)):
            subject = f"{verb} {path.path}"
            if error is None:
                yield ok("api-rights", subject, "allowed")
            else:
                yield wrong("api-rights", subject, error, _mend(error.partition(":")[0], engine.api))


def services(facts: Facts) -> Iterator[Finding]:
    """Each followed service exists in the cluster and has somebody ready."""
    for engine, path in _paths(facts):
        if path.list_error:
            yield from (unknown("service", service, "it could not be listed") for service in path.ports)
            continue
        for service, ports in path.ports.items():
            namespace, _, name = service.partition("/")
            if ports is None:
                found = f"{engine.name} has no endpoints of it"
                mend = f"is the name right? kubectl -n {namespace} get service,endpointslices; else mend 'services'"
                yield wrong("service", service, found, mend)
            elif not ports:
                found = "it exists, and no pod is ready"
                yield wrong("service", service, found, f"kubectl -n {namespace} describe service {name}")
            else:
                yield ok("service", service, f"ports with ready pods: {', '.join(port or repr('') for port in ports)}")


def held(facts: Facts) -> Iterator[Finding]:
    """What somebody, or a rule, holds as it is."""
    for engine in facts.engines:
        for service, frozen in engine.frozen.items():
            since = for_people(max(0.0, facts.now - frozen.since))
            found = f"frozen by {frozen.by or 'somebody'} {since} ago"
            yield advice("held", service, found, "salt-run haproxy_edge.thaw")
        for service, row in ((engine.report or {}).get("services") or {}).items():
            if row.get("held") and row["held"] != "frozen":
                yield advice("held", service, f"its servers are held as they were: {row['held']}", _OTHER)


def _paths(facts: Facts) -> Iterator[tuple[Engine, Path]]:
    for engine in facts.engines:
        for path in engine.api.paths if engine.api else ():
            yield engine, path


def _mend(condition: str, known: Api | None) -> str:
    return _MENDS.get(condition, _OTHER).format(host=known.host if known else "https://…")


CHECKS = (running, current, watches, api, rights, services, held)
