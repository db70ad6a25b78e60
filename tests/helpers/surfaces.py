"""Label volumes with known answers, and checks of surfaces that do not use the library's own."""

import DracoPy
import numpy as np
import trimesh

from snakemesh.fragments.octree import CELL_STEPS, OCTANT_PLANE
from snakemesh.halo import halo_voxels
from snakemesh.mesh.cell_cases import VOXEL_STEPS
from snakemesh.mesh.compact_labels import compact_labels
from snakemesh.mesh.lattice import to_lattice
from snakemesh.mesh.necks import neck_vertices
from snakemesh.mesh.net import label_nets
from snakemesh.mesh.pieces import Planes, cut_into_pieces, planes_of_tile
from snakemesh.mesh.smoothing import smooth
from snakemesh.mesh.surface import extract_surfaces


def noise(shape, n_labels, seed):
    """Every voxel is at random one of `n_labels` labels or background. No surface is worse."""
    return np.random.default_rng(seed).integers(0, n_labels + 1, shape).astype(np.uint32)


def voronoi(shape, n_labels, seed, voxel_size=(1, 1, 1)):
    """A dense volume: every voxel has the label of the nearest of `n_labels` random points.

    Every fifth point stands for background. Returns z y x, uint32.
    """
    rng = np.random.default_rng(seed)
    axes = np.meshgrid(*map(np.arange, shape), indexing="ij", sparse=True)
    nearest = np.full(shape, np.inf)
    labels = np.zeros(shape, np.uint32)
    for label, point in enumerate(rng.random((n_labels, 3)) * shape, 1):
        distance = sum((s * (a - p)) ** 2 for s, a, p in zip(voxel_size, axes, point, strict=True))
        labels[distance < nearest] = label if label % 5 else 0
        np.minimum(nearest, distance, out=nearest)
    return labels


def ball(shape, centre, radius):
    """A volume with label 1 in a ball; centre and radius in voxels. z y x, uint32."""
    axes = np.meshgrid(*map(np.arange, shape), indexing="ij", sparse=True)
    distance = sum((a - c) ** 2 for a, c in zip(axes, centre, strict=True))
    return (distance <= radius**2).astype(np.uint32)


def dense(labels, n_iter, voxel):
    """Vertices (N, 3), faces (M, 3) and owners (M,) of all dense surfaces, nothing merged.

    voxel: steps that a voxel is wide in the returned vertices.
    """
    nets = label_nets(compact_labels(labels))
    smooth(nets.vertices, nets.quads, n_iter)
    places, at_necks, on_sides = neck_vertices(nets.vertices, nets.quads, nets.necks)
    vertices = np.concatenate([nets.vertices, places])
    a, b, c, d = nets.vertices[nets.quads.T].astype(np.int64)
    turn = ((a - c) ** 2).sum(axis=1) > ((b - d) ** 2).sum(axis=1)
    quads = np.where(turn[:, None], np.roll(nets.quads, -1, axis=1), nets.quads)
    owners = np.repeat(np.arange(len(nets.labels)), np.diff(nets.quad_starts))
    plain = np.delete(quads, at_necks, axis=0)[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3)
    fans = [
        (owners[row], [polygon[0], *pair])
        for row, polygon in zip(
            at_necks, with_necks(nets.quads[at_necks], on_sides, len(nets.vertices)), strict=True
        )
        for pair in zip(polygon[1:], polygon[2:], strict=False)
    ]
    faces = np.concatenate([plain, np.array([face for _, face in fans], int).reshape(-1, 3)])
    owners = np.repeat(np.delete(owners, at_necks), 2).tolist() + [owner for owner, _ in fans]
    return vertices // (VOXEL_STEPS // voxel), faces, np.array(owners, np.int32)


def with_necks(quads, on_sides, n_vertices):
    """Quads with the vertices of necks on their sides, as lists that begin with one of these.

    quads: (Q, 4). on_sides: (Q, 4), from `neck_vertices`; vertices of necks come after n_vertices.
    """
    polygons = []
    for quad, sides in zip(quads.tolist(), on_sides.tolist(), strict=True):
        ring = []
        for corner, side in zip(quad, sides, strict=True):
            ring += [corner] if side < 0 else [corner, n_vertices + side]
        first = next(i for i, vertex in enumerate(ring) if vertex >= n_vertices)
        polygons.append(ring[first:] + ring[:first])
    return polygons


def planes_at(positions, seams=((False, False),) * 3):
    """Planes that cut at positions, and the boxes between them, numbered from 0, x fastest.

    positions: x y z, ascending numbers. seams: x y z, whether the first and the last of them is a
    seam, beyond which nothing is wanted.
    """
    boxes, stride = [], 1
    for places, (lower, upper) in zip(positions, seams, strict=True):
        box = np.arange(len(places) + 1) * stride
        stride *= len(places) + 1
        box[0] = -(1 << 28) if lower else box[0]
        box[-1] = -(1 << 28) if upper else box[-1]
        boxes.append(box)
    return Planes(tuple(np.array(p, np.int64) for p in positions), tuple(boxes), stride)


NO_PLANES = planes_at(((), (), ()))


def pieces_of(vertices, faces, owners, planes=NO_PLANES):
    """The pieces of the surfaces of owners 0, 1, ... The order of the faces may be any."""
    order = np.argsort(owners, kind="stable")
    starts = np.searchsorted(owners[order], np.arange(owners.max(initial=-1) + 2))
    return cut_into_pieces(vertices, faces[order], starts, np.ones(len(faces), np.float32), planes)


def face_pieces(pieces):
    """The piece of every face of pieces, (M,)."""
    return np.repeat(np.arange(len(pieces.owners), dtype=np.int32), np.diff(pieces.starts))


def shuffled(vertices, faces, owners, seed):
    """The same mesh with other vertex numbers, another order of faces, and other first corners."""
    rng = np.random.default_rng(seed)
    number = rng.permutation(len(vertices)).astype(np.int32)
    renumbered = np.empty_like(vertices)
    renumbered[number] = vertices
    order = rng.permutation(len(faces))
    turned = [np.roll(face, rng.integers(3)) for face in number[faces[order]]]
    return renumbered, np.array(turned, np.int32), owners[order]


def tile_pieces(labels, cell, begin, end, n_iter, has_octants):
    """The pieces of a tile as a job makes them, the label of each, and the planes of the tile.

    labels: z y x. Else all is x y z. cell: voxels in a cell. begin, end: cells of the tile. It has
    seams where it meets other tiles. Only the tile and its halo are looked at.
    """
    shape = np.array(labels.shape[::-1])
    low = np.maximum(np.multiply(begin, cell) - halo_voxels(n_iter), 0)
    high = np.minimum(np.multiply(end, cell) + halo_voxels(n_iter), shape)
    seen = labels[tuple(slice(a, b) for a, b in zip(low[::-1], high[::-1], strict=True))]
    origin = tuple((np.multiply(begin, cell) - low)[::-1].tolist())
    first_voxel = tuple(low[::-1].tolist())
    (surfaces,) = extract_surfaces(
        compact_labels(np.ascontiguousarray(seen)), origin, n_iter, first_voxel
    )
    n_cells = np.subtract(end, begin)
    is_seam = np.array([np.array(begin) > 0, np.multiply(end, cell) < shape]).T
    vertices = to_lattice(surfaces.vertices, np.multiply(cell, VOXEL_STEPS))
    vertices = np.maximum(vertices, np.where(is_seam[:, 0], vertices.min(initial=0), 0))
    upper = n_cells * CELL_STEPS
    vertices = np.minimum(vertices, np.where(is_seam[:, 1], vertices.max(initial=0), upper))
    seams = [
        (0 if at_lower else None, int(n) if at_upper else None)
        for (at_lower, at_upper), n in zip(is_seam, upper, strict=True)
    ]
    planes = planes_of_tile(tuple(n_cells.tolist()), seams, has_octants, upper)
    pieces = cut_into_pieces(
        vertices.astype(np.int32), surfaces.faces, surfaces.face_starts, surfaces.dense, planes
    )
    return pieces, surfaces.labels[pieces.owners], planes


def weld(triangles):
    """Vertices (N, 3) and faces (M, 3) of triangles (M, 3, 3). Equal corners become one vertex."""
    flat = triangles.reshape(-1, 3).astype(np.int64)
    offset = flat - flat.min(axis=0)
    assert offset.max() < 1 << 21
    _, first, number = np.unique(
        offset @ [1 << 42, 1 << 21, 1], return_index=True, return_inverse=True
    )
    return flat[first], number.reshape(-1, 3)


def unbalanced(faces):
    """Edges (E, 2) that faces do not run along equally often in both directions.

    faces: (M, 3). The smaller vertex of an edge comes first.
    """
    begin, end = faces.ravel().astype(np.int64), np.roll(faces, -1, axis=1).ravel()
    n = int(faces.max(initial=0)) + 1
    edges, number = np.unique(
        np.minimum(begin, end) * n + np.maximum(begin, end), return_inverse=True
    )
    net = np.bincount(number, weights=np.sign(end - begin), minlength=len(edges))
    return np.stack([edges // n, edges % n], axis=1)[net != 0]


def open_edges(triangles):
    """Ends (E, 2, 3) of the open edges of triangles (M, 3, 3)."""
    if len(triangles) == 0:
        return np.zeros((0, 2, 3), np.int64)
    vertices, faces = weld(triangles)
    return vertices[unbalanced(faces)]


def canonical(triangles):
    """Triangles (M, 3, 3) in a form that does not depend on their order or first corners.

    Returns rows (M, 3) with one number per corner.
    """
    assert np.abs(triangles).max(initial=0) < 1 << 20
    corners = (triangles.astype(np.int64) + (1 << 20)) @ [1 << 42, 1 << 21, 1]
    turned = np.concatenate([np.roll(corners, i, axis=1) for i in range(3)])
    rank = np.empty(len(turned), np.int64)
    rank[np.lexsort(turned.T[::-1])] = np.arange(len(turned))
    first = np.sort(rank.reshape(3, -1).min(axis=0))
    return turned[np.argsort(rank)][first]


def solid(triangles, unit=(1, 1, 1)):
    """A welded trimesh of triangles (M, 3, 3), with positions multiplied by `unit`."""
    vertices, faces = weld(triangles)
    return trimesh.Trimesh(vertices * np.array(unit, float), faces, process=False)


def fragments(records, blobs):
    """Yields each record with the positions (N, 3) and faces (M, 3) that DracoPy decodes."""
    for record, blob in zip(records, blobs, strict=True):
        mesh = DracoPy.decode(blob)
        yield record, mesh.points.astype(np.int64), mesh.faces


def decoded(records, blobs):
    """The triangles (M, 3, 3) of each label, on the lattice of the LOD."""
    found = {}
    for record, points, faces in fragments(records, blobs):
        corners = (points + record["cell"].astype(np.int64) * CELL_STEPS)[faces]
        found.setdefault(int(record["label"]), []).append(corners)
    return {label: np.concatenate(pieces) for label, pieces in found.items()}


def assert_sound(records, blobs, lod):
    """Assert what the format asks of fragments.

    There is one per label and cell, its positions are in range, and above LOD 0 no triangle
    crosses the middle of its cell, 2^15.
    """
    places = [(r["label"], *r["cell"]) for r in records]
    assert len(set(places)) == len(places)
    for record, points, faces in fragments(records, blobs):
        assert points.min() >= 0 and points.max() <= CELL_STEPS
        assert len(faces) == record["faces"] > 0
        if lod:
            low, high = points[faces].min(axis=1), points[faces].max(axis=1)
            assert ((low >= OCTANT_PLANE) | (high <= OCTANT_PLANE)).all()
