"""`make chaos`: one fault after the other in the lab, under load, with what is promised about it and what it cost.

`fault` says what a fault is, `api`, `engine`, `master`, `edge` and `hostile` list them, `stage` is the lab with words
for what they do to it, `runner` runs one and measures, `report` prints and keeps the table of `docs/reliability.md`.
"""
