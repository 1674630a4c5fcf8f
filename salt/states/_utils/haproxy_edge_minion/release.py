"""Which modules these are: one digest over all of them, so that an edge can tell with one question if it has them.

Asking the master for each file would cost every ``state.apply`` half a second. ``make modules-digest`` writes the
line below; a test fails when it was forgotten.
"""

MODULES = "8ee0c715f3c16d6cdeb1492200ac06a77da54a8ab189e569e7825f69a2d4cade"
