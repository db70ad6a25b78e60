"""Pictures of meshes for people: framed, drawn, with a bar of known length."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

from snakemesh.drawing.bodies import Body
from snakemesh.drawing.raster import draw, new_canvas, picture
from snakemesh.drawing.views import MARGIN, View, bar_nm, turned
from snakemesh.errors import UserError
from snakemesh.meshes.normals import vertex_normals
from snakemesh.units import lengths

# Backgrounds, RGBA, each with the colour of the bar.
BACKGROUNDS = {
    "white": ((255, 255, 255, 255), (0, 0, 0, 255)),
    "black": ((0, 0, 0, 255), (255, 255, 255, 255)),
    "transparent": ((255, 255, 255, 0), (0, 0, 0, 255)),
}
# The height of the letters of the bar as a part of the picture's, and the least in pixels.
LETTERS, LEAST_LETTERS = 1 / 36, 11
# The strip below the meshes that the bar has to itself, in heights of its letters.
STRIP = 3.0


@dataclass(frozen=True)
class Solid:
    """A mesh to draw: vertices (n, 3), x y z in nm from the origin of the scene, and their normals,
    both float32; faces (m, 3), int32."""

    vertices: np.ndarray
    normals: np.ndarray
    faces: np.ndarray


@dataclass(frozen=True)
class Scene:
    """Meshes, and the colour of each, RGB, uint8 (n, 3)."""

    solids: list[Solid]
    colours: np.ndarray

    @property
    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """The corners of the box around all meshes."""
        solids = [solid.vertices for solid in self.solids]
        lower = np.min([vertices.min(axis=0) for vertices in solids], axis=0)
        upper = np.max([vertices.max(axis=0) for vertices in solids], axis=0)
        return lower.astype(float), upper.astype(float)


def scene_of(bodies: Iterable[Body], colours_of: Callable[[np.ndarray], np.ndarray]) -> Scene:
    """The scene of some bodies. Raises UserError if none of them has a face.

    colours_of: gives RGB, uint8 (n, 3), for labels, uint64 (n,).
    """
    solids: list[Solid] = []
    labels: list[int] = []
    origin = None
    for body in bodies:
        vertices, faces = body.mesh.vertices, body.mesh.faces
        if not len(faces):
            continue
        origin = vertices.mean(axis=0) if origin is None else origin
        labels.append(body.label)
        near = (vertices - origin).astype(np.float32)
        normals = vertex_normals(vertices, faces).astype(np.float32)
        solids.append(Solid(near, normals, faces.astype(np.int32)))
    if not solids:
        raise UserError("no segment has a triangle at this LOD")
    return Scene(solids, colours_of(np.array(labels, np.uint64)))


def still_view(scene: Scene, direction: tuple[float, float], size: tuple[int, int]) -> View:
    """The view that just holds the scene. direction: azimuth and elevation, see `turned`."""
    axes = turned(*direction)
    parts = [solid.vertices @ axes[:2].T.astype(np.float32) for solid in scene.solids]
    low = np.min([part.min(axis=0) for part in parts], axis=0)
    high = np.max([part.max(axis=0) for part in parts], axis=0)
    return _holding(axes, (low + high).astype(float) / 2, (high - low).astype(float), size)


def turntable_views(
    scene: Scene, direction: tuple[float, float], size: tuple[int, int], count: int
) -> list[View]:
    """Views once around the vertical axis through the middle, all of one scale.

    They hold the upright cylinder around the scene.
    """
    lower, upper = scene.ends
    centre = (lower + upper) / 2
    radius = max(
        float(np.linalg.norm((solid.vertices - centre)[:, ::2], axis=1).max())
        for solid in scene.solids
    )
    azimuth, elevation = direction
    tilt = np.radians(elevation)
    height = (upper - lower)[1] * abs(np.cos(tilt)) + 2 * radius * abs(np.sin(tilt))
    extent = np.array([2 * radius, height])
    found = []
    for k in range(count):
        axes = turned(azimuth + 360 * k / count, elevation)
        found.append(_holding(axes, (axes @ centre)[:2], extent, size))
    return found


def _holding(
    axes: np.ndarray, middle: np.ndarray, extent: np.ndarray, size: tuple[int, int]
) -> View:
    """The view of a rectangle of the plane, in nm, above the strip of the bar."""
    strip = STRIP * _letters(size)
    room = np.array([size[0], size[1] - strip]) / (1 + 2 * MARGIN)
    nm_per_pixel = max(float((extent / np.maximum(room, 1)).max()), 1e-9)
    centre = np.array([middle[0], middle[1] + strip / 2 * nm_per_pixel, 0.0])
    return View(axes, centre, nm_per_pixel, size)


def drawn(scene: Scene, view: View, background: str) -> Image.Image:
    """The picture of a scene: RGBA for a transparent background, RGB for the others."""
    canvas = new_canvas(view)
    nearness = [float((solid.vertices @ view.axes[2]).max()) for solid in scene.solids]
    # the nearest first, because what they hide is then skipped
    for number in np.argsort(nearness)[::-1].tolist():
        solid = scene.solids[number]
        draw(canvas, number, solid.vertices, solid.normals, solid.faces)
    ground, ink = BACKGROUNDS[background]
    meshes = Image.fromarray(picture(canvas, scene.colours), "RGBA")
    found = Image.alpha_composite(Image.new("RGBA", view.size, ground), meshes)
    add_bar(found, view, ink)
    return found if background == "transparent" else found.convert("RGB")


def add_bar(image: Image.Image, view: View, ink: Sequence[int]) -> float:
    """Draw a bar of known length at the lower left, exact to half a pixel. Returns nm."""
    letters = _letters(view.size)
    nm = bar_nm(view.nm_per_pixel * view.size[0])
    length, thickness = round(nm / view.nm_per_pixel), max(letters // 5, 2)
    left, bottom = letters, view.size[1] - letters // 2
    pen = ImageDraw.Draw(image)
    pen.rectangle((left, bottom - thickness, left + length - 1, bottom - 1), fill=tuple(ink))
    middle = left + length / 2, bottom - 1.5 * thickness
    # the font of Pillow has no µ
    font = ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", letters)
    pen.text(middle, lengths([nm]), fill=tuple(ink), font=font, anchor="md")
    return nm


def _letters(size: tuple[int, int]) -> int:
    return max(round(size[1] * LETTERS), LEAST_LETTERS)
