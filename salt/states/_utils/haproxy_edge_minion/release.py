"""Which modules these are: one digest over all of them, so that an edge can tell with one question if it has them.

Asking the master for each file would cost every ``state.apply`` half a second. ``make modules-digest`` writes the
line below; a test fails when it was forgotten.
"""

MODULES = "fc472c4ecb952baefd48b3585fe2ba942ec114944e608fa8be2a6166c2c0a8b4"
