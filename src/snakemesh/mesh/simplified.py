"""From the pieces of surfaces to simplified ones that fit, step by step.

Everything is x y z, in steps of the lattice from the lower corner of a tile or of an octant.
"""

from dataclasses import dataclass

import numpy as np

from snakemesh.mesh.collapsed import replace_collapsed
from snakemesh.mesh.crowded import split_crowded_edges
from snakemesh.mesh.pieces import Pieces, Planes, push_back
from snakemesh.mesh.restore_volume import restore_volume
from snakemesh.mesh.seam_curves import thin_curves
from snakemesh.mesh.simplify import simplify
from snakemesh.mesh.snapping import snap, snap_curves
from snakemesh.mesh.strips import with_faces
from snakemesh.mesh.untangling import untangle
from snakemesh.mesh.vertex_states import FREE, KEPT
from snakemesh.mesh.volume_ends import VolumeEnds, at_ends, clamp_to_volume

# How far thinning may move the curves in which planes cut a surface, and how far apart the vertices
# of a curve may be, in voxels of the level, where all faces are kept. With fewer faces both grow,
# as the faces do. On a ball of radius 102 voxels that is cut every 64, 16 % of the vertices then
# lie in the planes, and the normals there are 1.35 times as far off as elsewhere (docs/quality.md).
CURVE_ERROR = 0.08
MAX_CURVE_ERROR = 0.3
CURVE_SPACING = 1.8
# How far thinning may move the curves of an LOD that is made of the LOD below, in voxels of the
# level, with however few faces. Where the viewer draws cells of both LODs side by side, a crack is
# as wide as their curves are apart. Such an LOD appears where a pixel covers about 0.29 voxel of
# its level, so this is at most a sixth of a pixel. Twice as much leaves half as many crack pixels
# again and saves a third of the bytes that the curves take (docs/quality.md).
SHARED_CURVE_ERROR = 0.05


@dataclass(frozen=True)
class Geometry:
    """The geometry of a tile on the lattice.

    step: (3,) length of a step on each axis, in voxels of the level (the geometric mean of their
    axes). voxel: (3,) length of a voxel in the same measure. ends: of the volume. upper: (3,)
    int32, where the tile ends, or the volume if it ends before. is_seam: (3, 2) bool, whether the
    lower and the upper face of the tile is a seam. planes: that cut it. grain: (3,)
    int64, of `snapping`. voxel_nm: geometric mean of the sides of a voxel.
    """

    step: np.ndarray
    voxel: np.ndarray
    ends: VolumeEnds
    upper: np.ndarray
    is_seam: np.ndarray
    planes: Planes
    grain: np.ndarray
    voxel_nm: float


@dataclass(frozen=True)
class Curves:
    """How far the curves in which planes cut a surface may be changed.

    error: how far thinning may move the curves. spacing: the largest distance between vertices of a
    curve that stay. Both in voxels of the level. may_move: whether these vertices are smoothed and
    rounded.
    """

    error: float
    spacing: float
    may_move: bool

    @classmethod
    def of_voxels(cls, keep: float) -> "Curves":
        """The limits for a surface of voxels. keep: fraction of its faces to keep, 0 to 1."""
        root = keep**0.5
        return cls(min(CURVE_ERROR / root, MAX_CURVE_ERROR), CURVE_SPACING / root, True)

    @classmethod
    def of_fragments(cls, keep: float) -> "Curves":
        """The limits for a surface of fragments of the LOD below. Its curves stay nearly the same,
        so that no cracks are seen between the two LODs. keep: as above.
        """
        root = keep**0.5
        return cls(min(CURVE_ERROR / root, SHARED_CURVE_ERROR), CURVE_SPACING / root, False)


@dataclass(frozen=True)
class Mesh:
    """Simplified surfaces.

    vertices: (N, 3) int32. faces: (M, 3) int32, by owner, then box. owners: (M,) int32. boxes: (M,)
    int64, as `Planes` numbers them. states: (N,) uint8, as `thin_curves` gives them. moved: (P,)
    float64, how far each piece that it was made of has moved, as `simplify` gives it.
    """

    vertices: np.ndarray
    faces: np.ndarray
    owners: np.ndarray
    boxes: np.ndarray
    states: np.ndarray
    moved: np.ndarray


def with_strips(
    mesh: Mesh, vertices: np.ndarray, strips: list[np.ndarray], rows: list[np.ndarray]
) -> Mesh:
    """A mesh with more faces, in the same order.

    vertices: those of the mesh, and new ones after them. strips: arrays of new faces. rows: for
    each new face, the row of a face of the mesh with the same owner and box.
    """
    faces = with_faces(mesh.faces, mesh.owners, mesh.boxes, strips, rows)
    states = np.pad(mesh.states, (0, len(vertices) - len(mesh.states)), constant_values=FREE)
    return Mesh(vertices, *faces, states, mesh.moved)


def simplified(
    pieces: Pieces,
    wanted: np.ndarray,
    geometry: Geometry,
    n_cells: tuple[int, int, int],
    keep: float,
    max_error: float,
    curves: Curves,
) -> tuple[Mesh, np.ndarray, np.ndarray]:
    """Simplify pieces, and give their owners the volume that they should have.

    Returns the mesh, and the codes (C,) and normals (C, 3) of its first C vertices, as in `Pieces`.
    These are the vertices of the pieces that still have faces or are KEPT.

    pieces: changed in place. wanted: (O, 4) float64, the moments that each owner should enclose.
    n_cells: of the tile. keep: fraction of the dense faces to keep, 0 to 1. max_error: how far
    simplification may move a surface, in voxels of the level (the geometric mean of their axes).
    curves: the limits for the curves in the planes of `geometry`.
    """
    step, upper, is_seam, planes = geometry.step, geometry.upper, geometry.is_seam, geometry.planes
    states, held = thin_curves(pieces, step, curves.error, curves.spacing, curves.may_move)
    if curves.may_move:
        snap_curves(pieces, states, planes, geometry.ends, geometry.grain)
    in_ends = at_ends(pieces.vertices, geometry.ends)
    faces, of, moved, is_crowded = simplify(pieces, states, held, step, keep, max_error)
    # one vertex in ten is left, so the steps that follow take a tenth of the time
    is_left = states == KEPT
    is_left[faces] = True
    rows = np.flatnonzero(is_left)
    states, codes, normals = states[rows], pieces.codes[rows], pieces.normals[rows]
    numbers = np.cumsum(is_left, dtype=np.int32) - np.int32(1)
    vertices, all_codes, faces, of = split_crowded_edges(
        pieces.vertices[rows], codes, numbers[faces], of, is_crowded, states == KEPT, planes
    )
    states = np.pad(states, (0, len(vertices) - len(states)), constant_values=FREE)
    owners, boxes = pieces.owners[of], pieces.boxes[of]
    clamp_to_volume(vertices, geometry.ends)
    for axis, end, found in in_ends:
        vertices[numbers[found[is_left[found]]], axis] = end
    restore_volume(vertices, faces, owners, wanted, step, upper, is_seam, states)
    push_back(vertices, all_codes, planes)
    vertices, faces, owners, boxes = replace_collapsed(
        vertices, faces, owners, boxes, wanted, step, upper, is_seam, planes
    )
    snap(vertices, faces, owners, boxes, n_cells, planes, geometry.ends, geometry.grain)
    untangle(vertices, faces, owners, boxes, planes, geometry.ends, geometry.grain)
    states = np.pad(states, (0, len(vertices) - len(states)), constant_values=FREE)
    return Mesh(vertices, faces, owners, boxes, states, moved), codes, normals
