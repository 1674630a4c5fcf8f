"""Which modules these are: one digest over all of them, so that an edge can tell with one question if it has them.

Asking the master for each file would cost every ``state.apply`` half a second. ``make modules-digest`` writes the
line below; a test fails when it was forgotten.
"""

MODULES = "fef1c0e311d70458e4b8d3dfac9098fe24627af60e24887dc703bc67fd54a16a"
