"""`make fuzz`: what comes from outside, made up by hypothesis or real and mutated, against the code that takes it.

What must hold for every case, per target in `fuzz.targets`: no exception but the documented one, no accepted input
that the real ``haproxy -c`` refuses, no line in the configuration that nobody asked for.
"""
