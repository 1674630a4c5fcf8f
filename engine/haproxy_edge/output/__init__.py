"""Outputters that Salt finds through the entry point ``salt.loader``. Thin: the logic is in `haproxy_edge.tables`."""
