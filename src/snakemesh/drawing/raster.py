"""Triangles drawn into a picture: a z-buffer on the CPU, which needs neither a display nor a GPU.

A picture is drawn several times larger than it is wanted (`SAMPLES`), and averaged.
"""

from dataclasses import dataclass

import numpy as np

from snakemesh.drawing.views import View
from snakemesh.kernels.compiled import njit

# Samples of a pixel in each direction. More of them make edges smoother; time and memory grow with
# their square.
SAMPLES = 3
# Towards the light, in the axes of a view: right, down, towards the viewer.
LIGHT = np.array([-0.35, -0.55, 0.76])
# The light on a face that is turned away from it, as a part of the most.
AMBIENT = 0.3
# A corner of a triangle is shaded as the triangle is, and not as its vertex, if their normals are
# farther apart than 32 degrees: else the light of one side would run over a sharp edge.
CREASE = 0.85
# A sample is darker by at most this part if something nearer is beside it, so that outlines show
# what is in front; and the difference of depth, in pixels, from which on it is that much darker.
# Source: C. Boucheny's eye-dome lighting.
DARKENING, DEPTH = 0.55, 40.0
# The light on the edge of a triangle, where edges are shown.
EDGE_LIGHT = 0.45


@dataclass(frozen=True)
class Canvas:
    """What is seen at each sample of a picture: arrays (height, width), SAMPLES as large as it.

    view: of the samples. nearness: in samples, -inf where nothing is. owner: the number of the
    mesh. light: from 0 to about 1.
    """

    view: View
    nearness: np.ndarray
    owner: np.ndarray
    light: np.ndarray


def new_canvas(view: View) -> Canvas:
    """An empty canvas for a picture as `view` shows it."""
    width, height = (SAMPLES * n for n in view.size)
    fine = View(view.axes, view.centre, view.nm_per_pixel / SAMPLES, (width, height))
    shape = height, width
    nearness = np.full(shape, -np.inf, np.float32)
    return Canvas(fine, nearness, np.zeros(shape, np.int32), np.zeros(shape, np.float32))


def draw(
    canvas: Canvas,
    number: int,
    vertices: np.ndarray,
    normals: np.ndarray,
    faces: np.ndarray,
    line_width: float = 0.0,
) -> None:
    """Draw a closed surface, of which only faces that are turned to the viewer are seen.

    number: of the mesh, from 0. vertices: (n, 3), x y z in nm. normals: (n, 3), of the vertices.
    faces: (m, 3), outward. line_width: of the edges of triangles, in pixels; 0 shows none.
    """
    points = canvas.view.project(vertices)
    seen = normals @ canvas.view.axes.T.astype(normals.dtype)
    half = line_width * SAMPLES / 2
    _fill(canvas.nearness, canvas.owner, canvas.light, number, points, seen, faces, half)


def picture(canvas: Canvas, colours: np.ndarray) -> np.ndarray:
    """The picture, RGBA, uint8 (height, width, 4): alpha is the part of a pixel that is covered.

    colours: of the meshes, RGB, uint8 (n, 3).
    """
    width, height = (n // SAMPLES for n in canvas.view.size)
    found = np.zeros((height, width, 4), np.uint8)
    _average(found, canvas.nearness, canvas.owner, canvas.light, colours, SAMPLES)
    return found


@njit(cache=True, nogil=True, allocates=False)
def _fill(nearness, owners, lights, number, points, normals, faces, half_line):
    """Fill the samples that lie in a triangle and see nothing nearer.

    points: (n, 3), samples to the right and down, and nearness. normals: (n, 3), in the same axes.
    """
    height, width = owners.shape
    for face in range(len(faces)):
        i, j, k = faces[face, 0], faces[face, 1], faces[face, 2]
        a = points[i, 0], points[i, 1], points[i, 2]
        b = points[j, 0], points[j, 1], points[j, 2]
        c = points[k, 0], points[k, 1], points[k, 2]
        # the axes of a view are left-handed: the product of faces towards the viewer is negative
        double = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        left = max(int(np.ceil(min(a[0], b[0], c[0]) - 0.5)), 0)
        right = min(int(np.floor(max(a[0], b[0], c[0]) - 0.5)), width - 1)
        top = max(int(np.ceil(min(a[1], b[1], c[1]) - 0.5)), 0)
        bottom = min(int(np.floor(max(a[1], b[1], c[1]) - 0.5)), height - 1)
        if double >= 0 or left > right or top > bottom:
            continue
        across_x = (b[1] - a[1]) * (c[2] - a[2]) - (b[2] - a[2]) * (c[1] - a[1])
        across_y = (b[2] - a[2]) * (c[0] - a[0]) - (b[0] - a[0]) * (c[2] - a[2])
        length = -np.sqrt(across_x**2 + across_y**2 + double**2)
        normal = across_x / length, across_y / length, double / length
        light = (
            _corner_light(normals, i, normal),
            _corner_light(normals, j, normal),
            _corner_light(normals, k, normal),
        )
        box = left, right, top, bottom
        _fill_box(nearness, owners, lights, number, a, b, c, double, light, box, half_line)


@njit(cache=True, nogil=True, allocates=False)
def _corner_light(normals, i, normal):
    """The light on a corner of a triangle. normal: of the triangle, in the axes of the view."""
    own = normals[i, 0], normals[i, 1], normals[i, 2]
    if own[0] * normal[0] + own[1] * normal[1] + own[2] * normal[2] < CREASE:
        own = normal
    towards = 0.5 + 0.5 * (LIGHT[0] * own[0] + LIGHT[1] * own[1] + LIGHT[2] * own[2])
    return AMBIENT + (1 - AMBIENT) * max(towards, 0.0) ** 1.5 * 1.1


@njit(cache=True, nogil=True, allocates=False)
def _fill_box(nearness, owners, lights, number, a, b, c, double, light, box, half_line):
    """Fill the samples in a triangle. a, b, c, light: its corners. box: the samples around it."""
    # the height of the triangle over each side, in samples: a barycentric coordinate of 1
    over_a = -double / np.hypot(c[0] - b[0], c[1] - b[1])
    over_b = -double / np.hypot(a[0] - c[0], a[1] - c[1])
    over_c = -double / np.hypot(b[0] - a[0], b[1] - a[1])
    nearest = max(a[2], b[2], c[2])
    left, right, top, bottom = box
    for row in range(top, bottom + 1):
        y = row + 0.5
        for column in range(left, right + 1):
            if nearest <= nearness[row, column]:
                continue
            x = column + 0.5
            of_a = ((b[0] - x) * (c[1] - y) - (b[1] - y) * (c[0] - x)) / double
            of_b = ((c[0] - x) * (a[1] - y) - (c[1] - y) * (a[0] - x)) / double
            of_c = 1 - of_a - of_b
            # of_c is rounded, so that a sample on a side could belong to no triangle
            if of_a < 0 or of_b < 0 or of_c < -1e-9:
                continue
            near = of_a * a[2] + of_b * b[2] + of_c * c[2]
            if near <= nearness[row, column]:
                continue
            nearness[row, column] = near
            owners[row, column] = number
            shade = of_a * light[0] + of_b * light[1] + of_c * light[2]
            if min(of_a * over_a, of_b * over_b, of_c * over_c) < half_line:
                shade *= EDGE_LIGHT
            lights[row, column] = shade


@njit(cache=True, nogil=True, allocates=False)
def _average(found, nearness, owners, lights, colours, samples):
    """Average the samples of each pixel, of which each is darker beside what is nearer."""
    height, width = owners.shape
    for row in range(found.shape[0]):
        for column in range(found.shape[1]):
            red, green, blue, covered = 0.0, 0.0, 0.0, 0
            for y in range(row * samples, (row + 1) * samples):
                for x in range(column * samples, (column + 1) * samples):
                    near = nearness[y, x]
                    if near == -np.inf:
                        continue
                    hidden = 0.0
                    for step in range(4):
                        beside_y = y + samples * ((step == 0) - (step == 1))
                        beside_x = x + samples * ((step == 2) - (step == 3))
                        if 0 <= beside_y < height and 0 <= beside_x < width:
                            above = nearness[beside_y, beside_x] - near
                            hidden += min(max(above / (DEPTH * samples), 0.0), 1.0)
                    light = lights[y, x] * (1 - DARKENING * min(hidden, 1.0))
                    owner = owners[y, x]
                    red += min(colours[owner, 0] * light, 255.0)
                    green += min(colours[owner, 1] * light, 255.0)
                    blue += min(colours[owner, 2] * light, 255.0)
                    covered += 1
            if covered:
                found[row, column, 0] = int(red / covered + 0.5)
                found[row, column, 1] = int(green / covered + 0.5)
                found[row, column, 2] = int(blue / covered + 0.5)
                found[row, column, 3] = int(255 * covered / (samples * samples) + 0.5)
