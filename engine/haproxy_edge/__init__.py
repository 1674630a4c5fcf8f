"""The master's half: watch Kubernetes, keep snapshots, order edges to apply them.

Layers, one way only (import-linter keeps it so)::

    loader modules   engines/ modules/ pillar/     what Salt calls; thin
    daemon           the engine's cycle: changes in, snapshots and orders out
    services         what the store shall have;  ordering: what the reactor shall publish
    report           the engine's word about itself
    tracker …        pure: who is behind, what is held, what is believed
    reflector        list, watch, relist for ever
    store, outbox    what survives a restart
    model            pure: slices, snapshots, options; no I/O

Only `kube` imports ``kubernetes`` and only `salt_adapter` and the loader modules import ``salt``.
"""

__version__ = "0.1.0"
