"""Which modules these are: one digest over all of them, so that an edge can tell with one question if it has them.

Asking the master for each file would cost every ``state.apply`` half a second. ``make modules-digest`` writes the
line below; a test fails when it was forgotten.
"""

MODULES = "880d3e5d311fd0db41370be4b20473fd9d40be63b75b314ef23145ac7a1a2b58"
