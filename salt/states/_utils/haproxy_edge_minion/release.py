"""Which modules these are: one digest over all of them, so that an edge can tell with one question if it has them.

Asking the master for each file would cost every ``state.apply`` half a second. ``make modules-digest`` writes the
line below; a test fails when it was forgotten.
"""

MODULES = "986a9ea79ca6235e9f4dac3084540f04608bb6e5c35c1abfd2803ec46368c5f5"
