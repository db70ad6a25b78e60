"""What compiles all functions of a job: calls with next to nothing to do.

A stage needs no result of another one, so stages can be compiled side by side. The types of the
arguments are those of a job: tests/unit/kernels/test_compiling.py shows that a job finds nothing
left to compile.
"""

from collections.abc import Callable

import numpy as np

from snakemesh.measure.thickness import thickness_of
from snakemesh.mesh.collapsed import replace_collapsed
from snakemesh.mesh.compact_labels import CompactLabels, compact_labels
from snakemesh.mesh.contacts import contacts_of
from snakemesh.mesh.finer import first_in_place, halved
from snakemesh.mesh.folded import without_folded
from snakemesh.mesh.fragments import encode_fragments
from snakemesh.mesh.lattice import to_lattice
from snakemesh.mesh.net import Nets, label_nets
from snakemesh.mesh.pieces import Pieces, cut_into_pieces, planes_of_tile, push_back
from snakemesh.mesh.restore_volume import restore_volume
from snakemesh.mesh.rim_strips import strips_along_rims
from snakemesh.mesh.seam_curves import thin_curves
from snakemesh.mesh.simplified import Geometry, Mesh
from snakemesh.mesh.simplify import simplify
from snakemesh.mesh.small_components import small_components
from snakemesh.mesh.snapping import snap, snap_curves
from snakemesh.mesh.specks import without_specks
from snakemesh.mesh.strips import Companions, add_strips, borders_of, drawn_normals
from snakemesh.mesh.surface import batch
from snakemesh.mesh.untangling import untangle
from snakemesh.mesh.volume_ends import at_ends, volume_ends
from snakemesh.mesh.voxel_moments import voxel_moments
from snakemesh.pyramid.downsample import downsample
from snakemesh.tables import mapping
from snakemesh.verify.components import components

_LABELS = np.pad(np.ones((1, 1, 1), np.uint64), 1)
_STEP = np.ones(3)
_UPPER = np.full(3, 8, np.int32)
_SEAMS = np.zeros((3, 2), dtype=bool)
_STARTS = np.array([0, 12])
_OWNERS = np.zeros(12, np.int32)
_WANTED = np.array([[8.0, 32, 32, 32]])
_PLANES = planes_of_tile((1, 1, 1), [(None, None)] * 3, True, (1 << 16,) * 3)
# A cube of 2 voxels: its corners, its sides seen from outside, and two triangles of each.
_CORNERS = np.array([[x, y, z] for z in (3, 5) for y in (3, 5) for x in (3, 5)], np.int32)
_QUADS = np.array(
    [[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [2, 6, 7, 3], [0, 4, 6, 2], [1, 3, 7, 5]], np.int32
)
_FACES = _QUADS[:, [0, 1, 2, 0, 2, 3]].reshape(12, 3)


def _nets() -> None:
    labels = compact_labels(_LABELS)
    label_nets(labels)
    voxel_moments(labels, (0, 0, 0), (3, 3, 3))
    contacts = contacts_of(
        labels, (0, 0, 0), (0, 0, 0), (3, 3, 3), (3, 3, 3), (1.0, 1.0, 1.0), True
    )
    contacts.add(_CORNERS, _QUADS, contacts.patches_of(_CORNERS, _QUADS), ())
    contacts.faces.patches_at(*contacts.faces.places(contacts.faces.firsts))
    contacts.rows()


def _surface() -> None:
    clusters = np.zeros(8, np.int32), np.zeros(1, np.int32), np.array([0, 1])
    names, starts, necks = np.ones(1, np.uint64), np.array([[0, 8], [0, 6]]), _QUADS[:0]
    corners, quads = _CORNERS.copy(), _QUADS.copy()
    firsts = np.zeros(0, int)
    nets = Nets(names, corners, quads, starts[0], starts[1], *clusters, necks, firsts)
    labels = CompactLabels(np.zeros((3, 3, 3), np.uint32), np.arange(2, dtype=np.uint64))
    small = small_components(labels, nets, (0, 0, 0), (1, 1, 1))
    batch(nets, 0, 1, np.zeros(3, np.int32), 1, (), small=small)
    to_lattice(_CORNERS, np.full(3, 8))


def _pieces() -> None:
    dense = np.ones(12, np.float32)
    # the octants of a cell meet in the middle of it
    corners = _CORNERS + np.int32(_PLANES.positions[0][0] - 4)
    found = cut_into_pieces(corners, _FACES, _STARTS, dense, _PLANES)
    push_back(found.vertices, found.codes, _PLANES)


def _uncut() -> Pieces:
    codes = np.zeros(8, np.int32)
    return Pieces(
        _CORNERS.copy(),
        codes,
        _FACES,
        _STARTS,
        np.zeros(1, np.int32),
        np.zeros(1, int),
        np.ones(1),
        np.zeros((8, 3), np.int32),
    )


def _curves() -> None:
    thin_curves(_uncut(), _STEP, 1.0, 1.0)
    ends, steps = volume_ends(((0, 8),) * 3, (8,) * 3), np.ones(3, int)
    at_ends(_CORNERS, ends)
    snap_curves(_uncut(), np.zeros(8, np.uint8), _PLANES, ends, steps)
    boxes, cells = np.zeros(12, int), (1, 1, 1)
    snap(_CORNERS.copy(), _FACES, _OWNERS, boxes, cells, _PLANES, ends, steps)
    untangle(_CORNERS.copy(), _FACES, _OWNERS, boxes, _PLANES, ends, steps)
    mesh = Mesh(_CORNERS, _FACES, _OWNERS, boxes, np.zeros(8, np.uint8), np.zeros(1))
    geometry = Geometry(_STEP, _STEP, ends, _UPPER, _SEAMS, _PLANES, steps, 1.0)
    strips_along_rims(mesh, geometry, cells, (8, 8, 8))
    # one side of the cube is open at its rim
    side, groups = _FACES[:2], np.zeros(2, int)
    borders = borders_of(side, groups, np.ones(8, bool))
    drawn_normals(_CORNERS, side, groups, borders)
    moves, is_needed = np.ones((4, 3)), np.ones(4, bool)
    companions = Companions(moves, is_needed, -moves, 9 * moves, np.ones(3, int))
    add_strips(_CORNERS, side, groups, borders, companions)


def _simplify() -> None:
    is_free = np.zeros(8, np.uint8)
    simplify(_uncut(), is_free, is_free, _STEP, 0.5, 0.5)


def _volume() -> None:
    is_free, vertices = np.zeros(8, np.uint8), _CORNERS.copy()
    restore_volume(vertices, _FACES, _OWNERS, _WANTED, _STEP, _UPPER, _SEAMS, is_free)
    boxes = np.zeros(12, int)
    replace_collapsed(vertices, _FACES, _OWNERS, boxes, _WANTED, _STEP, _UPPER, _SEAMS, _PLANES)
    labels, cell, n_cells = np.ones(1, np.uint64), np.zeros(3, int), np.ones(3, int)
    encode_fragments(vertices, _FACES, _OWNERS, boxes, np.ones(12), labels, cell, n_cells, _STEP)


def _finer() -> None:
    widths = np.full(3, 8)
    ends = np.stack([widths, widths], axis=1)
    halved(_CORNERS, widths, ends)
    first_in_place(_CORNERS, np.array([0, 8]))
    without_folded(_FACES)
    without_specks(_CORNERS, _FACES, _OWNERS, _STEP, widths, 1)


def _bodies() -> None:
    labels, table = np.ones(8, np.uint64), np.zeros(1024, np.uint32)
    table, names, n = mapping.number(labels, table, np.zeros(512, np.uint64), 1)
    mapping.replace(labels, table, names, names, n, np.empty_like(labels))


def _vote_on_32_bits() -> None:
    downsample(_LABELS.astype(np.uint32), [(2, 2, 2)], "mode")


def _vote_on_64_bits() -> None:
    downsample(_LABELS, [(2, 2, 2)], "mode")


def _verify() -> None:
    components(_LABELS, 2)


def _measure() -> None:
    components(_LABELS, 3)
    thickness_of(compact_labels(_LABELS), (0, 0, 0), (3, 3, 3), (1, 1, 1))


# By part of the program: what compiles it. What takes longest comes first.
STAGES: dict[str, tuple[Callable[[], None], ...]] = {
    "mesh": (_simplify, _nets, _volume, _surface, _pieces, _curves, _finer),
    "pyramid": (_vote_on_64_bits, _vote_on_32_bits),
    "bodies": (_bodies,),
    "verify": (_verify,),
    "measure": (_measure,),
}
