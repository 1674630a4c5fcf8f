"""Which modules these are: one digest over all of them, so that an edge can tell with one question if it has them.

Asking the master for each file would cost every ``state.apply`` half a second. ``make modules-digest`` writes the
line below; a test fails when it was forgotten.
"""

MODULES = "e32ef80f974eacb70ebc8edbb5bfc71530df22bb85c95b21ba24d166d7994b20"
