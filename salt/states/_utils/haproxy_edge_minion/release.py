"""Which modules these are: one digest over all of them, so that an edge can tell with one question if it has them.

Asking the master for each file would cost every ``state.apply`` half a second. ``make modules-digest`` writes the
line below; a test fails when it was forgotten.
"""

MODULES = "1a1a01cd3e4f769d62a3afcdf752ddda51fdfc5494e1e25c45447815494386af"
