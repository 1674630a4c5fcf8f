"""The edge's half: what one host should serve, what it serves, and how to get from one to the other.

One way only::

    returns, last_told, schedule, service   what Salt is told, and what it is asked to do
    edge       the order of steps: prepare, write, serve; sync; reconcile; verify
    loading, process, config_file, files, runtime   service, proof, files, HAProxy's socket: the rim
    planner    pure: (spec, servers, what runs) -> (commands, reason to reload, problems)
    running    pure: the process's answers -> what runs
    parity     pure: each difference by name
    renderer   pure: skeleton and server lines -> configuration text
    spec, snapshot   pure: what pillar and master say, checked as if they could be wrong

Standard library only. Salt syncs this package from ``_utils`` to every edge.
"""
