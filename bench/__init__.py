"""Commands that print figures: measured on real parts, for people first and for programs in the last line.

A figure that misses its goal is news, not a failure: only what could not be measured ends a command with an error.
"""
