"""The direction of a first view, for the command line, which must not wait for numpy."""

# How far a volume is turned about its vertical axis, and tilted up or down, in degrees.
TURN, TILT = 35.0, 25.0
