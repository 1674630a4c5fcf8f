"""Which modules these are: one digest over all of them, so that an edge can tell with one question if it has them.

Asking the master for each file would cost every ``state.apply`` half a second. ``make modules-digest`` writes the
line below; a test fails when it was forgotten.
"""

MODULES = "46618a5adeea4ce9027899db9dba686fad9d15dc052d64419a31e3a6c4dd3486"
