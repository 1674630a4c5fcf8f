"""The edge's half: what one host should serve, what it serves, and how to get from one to the other.

One way only::

    edge       files, lock, haproxy and systemd: the rim
    planner    pure: (spec, servers, what runs) -> (text, reason to reload, problems)
    renderer   pure: skeleton and server lines -> configuration text
    runtime    HAProxy's socket
    snapshot, spec   pure: what master and pillar say, checked as if they could be wrong

Standard library only. Salt syncs this package from ``_utils`` to every edge.
"""
