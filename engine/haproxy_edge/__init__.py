"""The master's half: watch Kubernetes, keep snapshots, order edges to apply them.

Layers, one way only (import-linter keeps it so)::

    loader modules   engines/ modules/ pillar/     what Salt calls; thin
    daemon           the engine's cycle: changes in, snapshots and orders out
    reflector        list, watch, relist for ever
    store, outbox    what survives a restart
    model            pure: slices, snapshots, options; no I/O

Only `kube` imports ``kubernetes`` and only `salt_adapter` and the loader modules import ``salt``.
"""

__version__ = "0.1.0"
