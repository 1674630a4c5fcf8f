"""Which modules these are: one digest over all of them, so that an edge can tell with one question if it has them.

Asking the master for each file would cost every ``state.apply`` half a second. ``make modules-digest`` writes the
line below; a test fails when it was forgotten.
"""

MODULES = "ee02b01ccca009e9d37d3f18fc84d4fd958574b33fbc7bbc5458bcb02bee82c6"
