"""An API that answers from a script, for the tests of the reflector."""

from __future__ import annotations


def item(name, version="1"):
    return {"metadata": {"name": name, "resourceVersion": version}}


def event(kind, name, version):
    return {"type": kind, "object": item(name, version)}


def page(*names, version="10", more=None):
    metadata = {"resourceVersion": version, **({"continue": more} if more else {})}
    return {"kind": "EndpointSliceList", "metadata": metadata, "items": [item(name) for name in names]}


class ScriptEnded(Exception):
    """Nothing more was scripted."""


class ScriptedApi:
    """Answers list by list and watch by watch what it was given; an exception in it is raised, a number of seconds in a
    watch is given to ``passes``."""

    passes = staticmethod(lambda seconds: None)

    def __init__(self, *, lists, watches=()):
        self.lists, self.watches = list(lists), list(watches)
        self.queries = []

    def get(self, path, query=None):
        self.queries.append(("list", dict(query or {})))
        return self._next(self.lists)

    def watch(self, path, query):
        self.queries.append(("watch", dict(query)))
        for one in self._next(self.watches):
            if isinstance(one, Exception):
                raise one
            if isinstance(one, float):
                self.passes(one)
            else:
                yield one

    def _next(self, script):
        if not script:
            raise ScriptEnded
        answer = script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def versions(self):
        return [query["resourceVersion"] for verb, query in self.queries if verb == "watch"]
