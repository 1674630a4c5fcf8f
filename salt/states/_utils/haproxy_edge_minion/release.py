"""Which modules these are: one digest over all of them, so that an edge can tell with one question if it has them.

Asking the master for each file would cost every ``state.apply`` half a second. ``make modules-digest`` writes the
line below; a test fails when it was forgotten.
"""

MODULES = "466871b96a056c19e150afa66394f95603762a4eb97e61ee57abcbbe32b15e8d"
