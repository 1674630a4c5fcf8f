"""A small Kubernetes API with the semantics a watcher depends on, for tests without a cluster.

HTTPS, tokens, RBAC, list and watch with true resourceVersions, selectors, bookmarks, 410 after compaction, and
switches for faults. It must never be more lenient than a real kube-apiserver where a client could come to rely on it:
the same tests run against both.

``storage`` and ``selectors`` and ``access`` hold the semantics without a socket; ``server`` speaks HTTP.
"""
