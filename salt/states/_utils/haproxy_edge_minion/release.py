"""Which modules these are: one digest over all of them, so that an edge can tell with one question if it has them.

Asking the master for each file would cost every ``state.apply`` half a second. ``make modules-digest`` writes the
line below; a test fails when it was forgotten.
"""

MODULES = "fb6ffc558c920154df7eded4ef329601c5dfeb98f1785d8f1ff5c4ec98f47453"
