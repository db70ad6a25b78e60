"""What the container of a block of LOD 0 holds of a contact between two labels."""

import numpy as np

# A part of a patch of contact: what one tile sees of it (`mesh.contacts`).
# label, other: the smaller and the larger label; a contact with the background has `other` 0.
# face: the first contact face that the tile sees of the part. link: another face of the patch,
# which another tile sees too; each has a row, after a first row in which `link` is `face`.
# faces: how many voxel faces of the part belong to the tile. area: of their walls, in units of
# (volume of a voxel)^(2/3) / AREA_STEPS. moment: the sum of the centres of these faces, x y z, in
# half voxels from the corner of the part of s0 that is meshed. These three are 0 in all but the
# first row, and their sums over all tiles are exact.
# The number of a face is 3 v + a: v is the number of its upper voxel, counted along x, y, then z,
# and a its axis, 0 to 2 for z y x.
CONTACT = np.dtype(
    [
        ("label", "<u8"),
        ("other", "<u8"),
        ("face", "<i8"),
        ("link", "<i8"),
        ("faces", "<i8"),
        ("area", "<i8"),
        ("moment", "<i8", (3,)),
    ]
)
NO_CONTACTS = np.zeros(0, CONTACT)
# The area of each quad is rounded to a whole number of these. 2^40 quads fit into 64 bits.
AREA_STEPS = 1 << 20
