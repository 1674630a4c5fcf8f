"""Which modules these are: one digest over all of them, so that an edge can tell with one question if it has them.

Asking the master for each file would cost every ``state.apply`` half a second. ``make modules-digest`` writes the
line below; a test fails when it was forgotten.
"""

MODULES = "52ead6a7568d476b79f739e5ff6554505e8fcd20c265578355ff1fed98ffe3fc"
