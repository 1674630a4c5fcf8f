"""Which modules these are: one digest over all of them, so that an edge can tell with one question if it has them.

Asking the master for each file would cost every ``state.apply`` half a second. ``make modules-digest`` writes the
line below; a test fails when it was forgotten.
"""

MODULES = "da387f62e1a5eaa8fc3c93230abb8d166d9b6929c64951974cd5070727df1865"
