"""Which modules these are: one digest over all of them, so that an edge can tell with one question if it has them.

Asking the master for each file would cost every ``state.apply`` half a second. ``make modules-digest`` writes the
line below; a test fails when it was forgotten.
"""

MODULES = "0fced7fab4d882c1f835fa715b7be89b9a56ea26ef0e462bc7e906d822d5ee33"
