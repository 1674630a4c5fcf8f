"""The master's half: watch Kubernetes, keep snapshots, order edges to apply them.

Layers, one way only (import-linter keeps it so)::

    loader modules   engines/ modules/ pillar/ runners/ output/: what Salt calls; thin
    salt_adapter     Salt's cache, event bus and configuration
    metrics, doctor  and status, changes, tables: what is shown
    daemon           the engine's cycle: changes in, snapshots and orders out
    services         what the store shall have;  ordering: what the reactor shall publish
    report           the engine's word about itself
    tracker …        who is behind, what is held;  event_filter: what is believed;  outbox: what is due
    reflector        list, watch, relist for ever;  store: what survives a restart
    ack …            one acknowledgement, one connection, one payload: what needs nobody beside it
    slices           pure: what the API says;  options: what the configuration says
    snapshot         pure: what the edges receive

Only `kube` imports ``kubernetes`` and only `salt_adapter` and the loader modules import ``salt``.
"""

__version__ = "0.1.0"
