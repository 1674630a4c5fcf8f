"""Which modules these are: one digest over all of them, so that an edge can tell with one question if it has them.

Asking the master for each file would cost every ``state.apply`` half a second. ``make modules-digest`` writes the
line below; a test fails when it was forgotten.
"""

MODULES = "6a816a68948a3c6bb47bcbc1243b99854a8f148f16bd8c15d7b7eff33a9767cf"
