"""Which modules these are: one digest over all of them, so that an edge can tell with one question if it has them.

Asking the master for each file would cost every ``state.apply`` half a second. ``make modules-digest`` writes the
line below; a test fails when it was forgotten.
"""

MODULES = "68fd1c92cb011b14fd217000baf1c6658ecdf9a4d92ad48d44e63ce5f3203373"
