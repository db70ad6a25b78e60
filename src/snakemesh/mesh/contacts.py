"""Where the labels of a tile touch: the patches of contact, and the areas of their walls.

A contact face (`contact_faces`) belongs to the tile of its lower voxel, so tiles together have each
face once. A tile also looks at one more layer of voxels behind its upper sides:

    +-------------+-+
    | A           |*|         * is seen from A and from B
    +-------------+-+
                  +-+-----------+
                  |*|         B |
                  +-+-----------+

Both sides find the same patches within such a layer alone. Each tile lists them by their first
face, as links of its own patches. Parts of a patch in two tiles share a link, or lie in tiles whose
neighbours do.

The area is that of the smoothed nets (`surface`) before simplification. A contact face has a quad
on the nets of both labels, and the mean of the two counts. Its area is rounded to an integer, so no
order of sums matters.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snakemesh.boxes import Index, Shape, triple
from snakemesh.fragments.contact import AREA_STEPS, CONTACT
from snakemesh.kernels.compiled import njit
from snakemesh.mesh.cell_cases import VOXEL_STEPS
from snakemesh.mesh.compact_labels import CompactLabels
from snakemesh.mesh.contact_faces import ContactFaces, contact_faces, patch_at
from snakemesh.mesh.smoothing import corners


@dataclass(frozen=True)
class Contacts:
    """The contacts of the labels of a tile, while its nets are smoothed.

    labels: of the tile with its halo. origin: z y x, the voxel of that array where the tile begins.
    first: z y x, the voxel of the volume where it begins. shape: z y x, the tile. volume: z y x,
    the whole volume. faces: of the tile and the layers behind its upper sides. scales: (3,)
    float64, by axis x y z of its normal, what the area of half a quad is in `AREA_STEPS`, if it is
    1 in steps of the vertices. with_background: whether background is a label here. areas: (P,)
    int64, what `add` has added up so far for each patch.
    """

    labels: CompactLabels
    origin: Index
    first: Index
    shape: Shape
    volume: Shape
    faces: ContactFaces
    scales: np.ndarray
    with_background: bool
    areas: np.ndarray

    def patches_of(self, vertices: np.ndarray, quads: np.ndarray) -> np.ndarray:
        """The patch of each quad of nets, (M,) int32; -1 for no contact face of this tile.

        vertices: (N, 3) int32, x y z, before they are smoothed, in 1/4096 voxel from the lower
        corner of the tile. quads: (M, 4) int32.
        """
        found = np.empty(len(quads), np.int32)
        faces = self.faces
        _patches_of_quads(
            vertices, quads, faces.patches, faces.segments, *faces.shape, *self.shape, found
        )
        return found

    def add(
        self,
        vertices: np.ndarray,
        quads: np.ndarray,
        patches: np.ndarray,
        at_ends: Sequence[tuple[int, int, np.ndarray]],
    ) -> None:
        """Add the areas of quads to those of their patches.

        vertices: as for `patches_of`, but smoothed. patches: what that returned. at_ends: the
        vertices at the ends of the volume (`volume_ends.rows_at_ends`), which count as flat there.
        """
        smoothed = [vertices[rows, axis] for axis, _, rows in at_ends]
        for axis, end, rows in at_ends:
            vertices[rows, axis] = end * VOXEL_STEPS
        _add_areas(vertices, quads, patches, self.scales, self.areas)
        for (axis, _, rows), places in zip(at_ends, smoothed, strict=True):
            vertices[rows, axis] = places

    def rows(self) -> np.ndarray:
        """CONTACT of all patches: a row for each, and one for each of its links."""
        faces, firsts = self.faces, self.faces.firsts
        found = np.zeros(len(firsts), CONTACT)
        upper, axes = faces.places(firsts)
        found["face"] = found["link"] = self._numbers(upper, axes)
        numbers = self.labels.box(self.origin, faces.shape)
        lower = upper.copy()
        lower[np.arange(len(axes)), axes] -= 1
        pair = self.labels.names[np.stack([numbers[tuple(of.T)] for of in (upper, lower)])]
        smaller, larger = pair.min(axis=0), pair.max(axis=0)
        with_nothing = smaller == 0
        found["label"] = np.where(with_nothing, larger, smaller)
        found["other"] = np.where(with_nothing, 0, larger)
        # the background has no net of its own
        found["area"] = np.where(with_nothing, 2, 1) * self.areas
        sums = np.zeros((len(firsts), 4), np.int64)
        _add_faces(faces.keys, faces.patches, *faces.shape[1:], *self.shape, sums)
        found["faces"] = sums[:, 0]
        found["moment"] = sums[:, 1:] + 2 * np.array(self.first[::-1]) * sums[:, :1]
        patches, links = self._links()
        more = np.zeros(len(patches), CONTACT)
        for field in ("label", "other", "face"):
            more[field] = found[field][patches]
        more["link"] = links
        return np.concatenate([found, more[more["link"] != more["face"]]])

    def _links(self) -> tuple[np.ndarray, np.ndarray]:
        """The links of patches: the patch of each, and the number of its face."""
        patches, links = [np.zeros(0, np.int32)], [np.zeros(0, np.int64)]
        for axis in range(3):
            for side in (0, self.shape[axis]):
                is_end = side == self.faces.shape[axis] or self.first[axis] + side == 0
                if is_end:
                    continue
                begin, shape = list(self.origin), list(self.faces.shape)
                begin[axis] += side
                shape[axis] = 1
                box = triple(begin), triple(shape)
                within = contact_faces(self.labels, *box, self.with_background)
                upper, axes = within.places(within.firsts)
                upper[:, axis] += side
                patches.append(self.faces.patches_at(upper, axes))
                links.append(self._numbers(upper, axes))
        return np.concatenate(patches), np.concatenate(links)

    def _numbers(self, upper: np.ndarray, axes: np.ndarray) -> np.ndarray:
        """The numbers of faces in the volume (`fragments.contact`), int64, from their places."""
        z, y, x = (upper + np.array(self.first)).T
        number: np.ndarray = 3 * ((z * self.volume[1] + y) * self.volume[2] + x) + axes
        return number


def contacts_of(
    labels: CompactLabels,
    origin: Index,
    first: Index,
    shape: Shape,
    volume: Shape,
    voxel: Sequence[float],
    with_background: bool,
) -> Contacts:
    """The contacts of a tile, without areas yet. voxel: the size of a voxel, x y z, in any unit.

    The rest is as in `Contacts`, but the tile may go beyond the volume.
    """
    left = triple(end - begin for end, begin in zip(volume, first, strict=True))
    shape = triple(map(min, shape, left))
    seen = triple(min(n + 1, end) for n, end in zip(shape, left, strict=True))
    faces = contact_faces(labels, origin, seen, with_background)
    sides = np.array(voxel, np.float64)
    squares = np.array([sides[1] * sides[2], sides[2] * sides[0], sides[0] * sides[1]])
    # the cross product of a quad's diagonals is twice its area
    scales = squares / np.cbrt(sides.prod()) ** 2 / 4 * (AREA_STEPS / VOXEL_STEPS**2)
    areas = np.zeros(len(faces.firsts), np.int64)
    return Contacts(labels, origin, first, shape, volume, faces, scales, with_background, areas)


@njit(cache=True, nogil=True, allocates=False)
def _patches_of_quads(
    vertices, quads, patches, segments, nz, ny, nx, tile_z, tile_y, tile_x, found
):
    """Do what `Contacts.patches_of` says. patches, segments, nz, ny, nx: of `ContactFaces`.

    A vertex is less than half a voxel from the corner of voxels in the middle of its cell. So the
    face of a quad is the square between the corners of voxels that are next to two opposite
    vertices.
    """
    half = VOXEL_STEPS // 2
    for q in range(len(quads)):
        a, _, c, _ = corners(quads, q)
        xa, xc = (vertices[a, 0] + half) // VOXEL_STEPS, (vertices[c, 0] + half) // VOXEL_STEPS
        ya, yc = (vertices[a, 1] + half) // VOXEL_STEPS, (vertices[c, 1] + half) // VOXEL_STEPS
        za, zc = (vertices[a, 2] + half) // VOXEL_STEPS, (vertices[c, 2] + half) // VOXEL_STEPS
        axis = 0 if za == zc else (1 if ya == yc else 2)
        z, y, x = min(za, zc), min(ya, yc), min(xa, xc)
        # the upper voxel is z y x, and the lower one must lie in the tile
        is_ours = (z >= 0) & (y >= 0) & (x >= 0) & (z < nz) & (y < ny) & (x < nx)
        is_ours &= (z - (axis == 0) < tile_z) & (y - (axis == 1) < tile_y)
        is_ours &= x - (axis == 2) < tile_x
        found[q] = patch_at(patches, segments, z, y, x, axis) if is_ours else -1


@njit(cache=True, nogil=True, allocates=False)
def _add_areas(vertices, quads, patches, scales, areas):
    """Add half the area of each quad to that of its patch. scales: as in `Contacts`."""
    for q in range(len(quads)):
        if patches[q] < 0:
            continue
        a, b, c, d = corners(quads, q)
        ux, vx = vertices[c, 0] - vertices[a, 0], vertices[d, 0] - vertices[b, 0]
        uy, vy = vertices[c, 1] - vertices[a, 1], vertices[d, 1] - vertices[b, 1]
        uz, vz = vertices[c, 2] - vertices[a, 2], vertices[d, 2] - vertices[b, 2]
        x = (uy * vz - uz * vy) * scales[0]
        y = (uz * vx - ux * vz) * scales[1]
        z = (ux * vy - uy * vx) * scales[2]
        areas[patches[q]] += np.int64(np.sqrt(x * x + y * y + z * z) + 0.5)


@njit(cache=True, nogil=True, allocates=False)
def _add_faces(keys, patches, ny, nx, tile_z, tile_y, tile_x, sums):
    """Add the faces of the tile to the sums of their patches, (P, 4) int64.

    These are the number of faces, and x, y and z of their centres in half voxels from the lower
    corner of the tile. keys, patches: of `ContactFaces`, in a box of ny nx voxels along y and x.
    """
    for face in range(len(keys)):
        # 32 bits, because these are divided much faster
        voxel, axis = np.uint32(keys[face]) >> np.uint32(2), keys[face] & 3
        row = voxel // np.uint32(nx)
        layer = row // np.uint32(ny)
        x = np.int64(voxel - row * np.uint32(nx))
        y = np.int64(row - layer * np.uint32(ny))
        z = np.int64(layer)
        is_z, is_y, is_x = axis == 0, axis == 1, axis == 2
        if (z - is_z < tile_z) & (y - is_y < tile_y) & (x - is_x < tile_x):
            patch = patches[face]
            sums[patch, 0] += 1
            sums[patch, 1] += 2 * x + (not is_x)
            sums[patch, 2] += 2 * y + (not is_y)
            sums[patch, 3] += 2 * z + (not is_z)
