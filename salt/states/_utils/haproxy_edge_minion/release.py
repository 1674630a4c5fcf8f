"""Which modules these are: one digest over all of them, so that an edge can tell with one question if it has them.

Asking the master for each file would cost every ``state.apply`` half a second. ``make modules-digest`` writes the
line below; a test fails when it was forgotten.
"""

MODULES = "e0dc315d7e107cf7cbf286bc4788d9e39a63bd2664b326d8ed14a997534c964e"
