"""Which modules these are: one digest over all of them, so that an edge can tell with one question if it has them.

Asking the master for each file would cost every ``state.apply`` half a second. ``make modules-digest`` writes the
line below; a test fails when it was forgotten.
"""

MODULES = "844eb063ee35e8748fa8f4bfcf8ad4319da7b0a970d5767ff7063a659aefeb15"
