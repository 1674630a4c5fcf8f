"""Which modules these are: one digest over all of them, so that an edge can tell with one question if it has them.

Asking the master for each file would cost every ``state.apply`` half a second. ``make modules-digest`` writes the
line below; a test fails when it was forgotten.
"""

MODULES = "ac1c7a2468698850fb7fdc9a327bf8dff77234c5e8b1e4d5a65060c7770808d7"
