"""Which modules these are: one digest over all of them, so that an edge can tell with one question if it has them.

Asking the master for each file would cost every ``state.apply`` half a second. ``make modules-digest`` writes the
line below; a test fails when it was forgotten.
"""

MODULES = "97dc03618f405a2ca2f8eab19a772498c7857a156fe715d223e0a40c6821bda5"
