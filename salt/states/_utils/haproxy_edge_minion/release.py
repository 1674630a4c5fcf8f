"""Which modules these are: one digest over all of them, so that an edge can tell with one question if it has them.

Asking the master for each file would cost every ``state.apply`` half a second. ``make modules-digest`` writes the
line below; a test fails when it was forgotten.
"""

MODULES = "444802b47244dfd8e6d1edbf7b8d48d102ce2e708038bce20c8790ada83ee010"
