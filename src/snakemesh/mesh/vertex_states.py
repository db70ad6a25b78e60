"""The states that `seam_curves.thin_curves` gives to vertices: what may become of each later.

A vertex of a curve in which a plane cuts a surface is KEPT or DROPPED: the pieces on both sides of
the plane decide alike, so they still fit. A vertex outside these curves may stay or go. If it lies
in a plane all the same it is HELD and does not move; every other vertex is FREE to move.
"""

FREE, KEPT, DROPPED, HELD = 0, 1, 2, 3
