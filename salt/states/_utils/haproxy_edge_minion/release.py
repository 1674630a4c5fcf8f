"""Which modules these are: one digest over all of them, so that an edge can tell with one question if it has them.

Asking the master for each file would cost every ``state.apply`` half a second. ``make modules-digest`` writes the
line below; a test fails when it was forgotten.
"""

MODULES = "64f3ee480047e6c23a7a50a49324ab045b0caa0945a8b7a0b5b962f7f7e3aa17"
