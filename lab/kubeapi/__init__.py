"""An embedded Kubernetes API: enough of the real one to be watched, written to, locked down and broken on purpose.

It exists because a reflector must be tried against what a kube-apiserver does on its worst day, and a machine without
one must still run the tests. It copies the documented behaviour of the API (resourceVersions, selectors, chunks,
bookmarks, 410, RBAC, validation) and is no more lenient than the original, so that what passes here passes there.

From the inside out: `resources`, `selectors`, `patching`, `validation` and `status` are pure; `store` holds the objects
and their history; `access` says who may do what; `service` answers one request; `watching` serves one watch; `faults`
decides what to break; `wire` and `server` speak HTTP; `embedded` runs it in a thread, `__main__` as a process.

It must never be reachable from outside the machine: it is a test double with one all-mighty token.
"""
