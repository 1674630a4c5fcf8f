"""Which modules these are: one digest over all of them, so that an edge can tell with one question if it has them.

Asking the master for each file would cost every ``state.apply`` half a second. ``make modules-digest`` writes the
line below; a test fails when it was forgotten.
"""

MODULES = "b30ce405fce64aca435a6905c82d09cffad6c4a531f03840a601e8ed91d4ebdc"
