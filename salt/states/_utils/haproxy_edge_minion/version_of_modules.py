"""Which modules these are: one digest over all of them, so that an edge can tell with one question if it has them.

Asking the master for each file would cost every ``state.apply`` half a second. Salt copies modules in the order of
their names, and this one's is the last: an edge that was killed half-way, or whose disk was full, has the old digest or
none, and the next run copies again. It must never stay when a module changes: edges would go on with the old ones.
``make modules-digest`` writes the line below; a test fails when it was forgotten.
"""

MODULES = "80addf52b92aeeaec58961a444d445457f54dbda1880bc49f18b2a12a77179b4"
