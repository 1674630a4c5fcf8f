"""Which modules these are: one digest over all of them, so that an edge can tell with one question if it has them.

Asking the master for each file would cost every ``state.apply`` half a second. ``make modules-digest`` writes the
line below; a test fails when it was forgotten.
"""

MODULES = "1ca13ee88180138e662ee849fd39b0d60d0d10e5537b986d93d15cf00800e464"
