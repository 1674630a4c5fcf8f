"""Which modules these are: one digest over all of them, so that an edge can tell with one question if it has them.

Asking the master for each file would cost every ``state.apply`` half a second. ``make modules-digest`` writes the
line below; a test fails when it was forgotten.
"""

MODULES = "709117c32108a540fe4c115a5ddf0e5182d043e195dd92c7640e1d526f18ed0d"
