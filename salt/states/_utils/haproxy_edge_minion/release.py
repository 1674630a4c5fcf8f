"""Which modules these are: one digest over all of them, so that an edge can tell with one question if it has them.

Asking the master for each file would cost every ``state.apply`` half a second. ``make modules-digest`` writes the
line below; a test fails when it was forgotten.
"""

MODULES = "35801c7c8a2584f643c88fc844e1002fc432db50d9d2a3ce3584358c96d69df2"
