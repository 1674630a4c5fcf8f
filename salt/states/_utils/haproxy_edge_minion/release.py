"""Which modules these are: one digest over all of them, so that an edge can tell with one question if it has them.

Asking the master for each file would cost every ``state.apply`` half a second. ``make modules-digest`` writes the
line below; a test fails when it was forgotten.
"""

MODULES = "75dd6a286c529897538aa8fcbb4eb69aeab8707e2a1f5d20d17d3448281a2180"
