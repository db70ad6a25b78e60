#!/usr/bin/env python3
"""Make docs/pictures/elsewhere.png: the same segments by snakemesh shot and other programs.

usage: python docs/draw_elsewhere.py OUTPUT IDS --blender PYTHON --paraview PVPYTHON --napari PYTHON

OUTPUT is an output directory, IDS are labels such as 17,4711. PYTHON has the package bpy (Blender
as a module) or napari and trimesh; PVPYTHON is the Python of ParaView. Each runs the code of its
section of docs/how-to.md, and then the lines below that draw a picture. ParaView and napari need a
display: run this with `xvfb-run` on a machine without one.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent))

from make_pictures import ROOT, save

SIDE = 360
HOW_TO = (ROOT / "docs/how-to.md").read_text()
DRAWN = {
    "blender": """
from mathutils import Vector
scene = bpy.context.scene
bpy.data.objects["Cube"].hide_render = True
bpy.context.view_layer.update()
cells = bpy.data.objects["metres"].children
corners = [cell.matrix_world @ Vector(corner) for cell in cells for corner in cell.bound_box]
ends = [Vector(map(end, *corners)) for end in (min, max)]
middle, size = (ends[0] + ends[1]) / 2, (ends[1] - ends[0]).length
scene.camera.location = middle + size * Vector((0.7, -1.3, 0.5))
scene.camera.rotation_euler = (middle - scene.camera.location).to_track_quat("-Z", "Y").to_euler()
sun = bpy.data.lights.new("sun", "SUN")
sun.energy, sun.angle = 2, 0.2
bpy.data.objects["Light"].data = sun
bpy.data.objects["Light"].rotation_euler = (0.6, 0.3, 0.4)
scene.world.node_tree.nodes["Background"].inputs[0].default_value = (0.5, 0.5, 0.5, 1)
scene.render.film_transparent = True
scene.render.engine, scene.cycles.samples = "CYCLES", 32
scene.view_settings.view_transform = "Standard"
scene.render.resolution_x = scene.render.resolution_y = 800
scene.render.filepath = "picture.png"
bpy.ops.render.render(write_still=True)
""",
    "paraview": """
view = GetActiveView()
view.ViewSize, view.OrientationAxesVisibility = [800, 800], 0
view.UseColorPaletteForBackground, view.Background = 0, [1, 1, 1]
view.CameraPosition, view.CameraFocalPoint = [0.6, -0.5, -1.1], [0, 0, 0]
view.CameraViewUp = [0, -1, 0]
ResetCamera(view)
GetActiveCamera().Dolly(1.15)
Render(view)
SaveScreenshot("picture.png", view, ImageResolution=[800, 800])
""",
    "napari": """
viewer.window.resize(900, 900)
viewer.theme = "light"
viewer.camera.angles = (0, -25, 25)
viewer.fit_to_view(margin=0.15)
viewer.scale_bar.visible = True
viewer.screenshot("picture.png")
""",
}


def code_of(program: str) -> str:
    """The Python of the section of docs/how-to.md on a program."""
    (section,) = re.findall(rf"^## {program}\n(.+?)(?=^## )", HOW_TO, re.M | re.S | re.I)
    blocks = re.findall(r"(?:^    .+\n)+", section, re.M)
    (code,) = (block for block in blocks if not block.startswith("    .venv"))
    return re.sub(r"^    ", "", code, flags=re.M)


def picture(program: str, python: str, output: Path, ids: str) -> np.ndarray:
    """What a program shows of an exported scene: RGB, uint8 (SIDE, SIDE, 3)."""
    suffix = {"blender": "glb", "paraview": "vtp", "napari": "ply"}[program]
    with tempfile.TemporaryDirectory() as folder:
        scene = [str(output), "--ids", ids, "--unit", "um", "--scene", f"cells.{suffix}"]
        command = [sys.executable, "-m", "snakemesh", "export", *scene]
        subprocess.run(command, cwd=folder, check=True)
        code = code_of(program).replace("napari.run()\n", "") + DRAWN[program]
        (Path(folder) / "draw.py").write_text(code)
        subprocess.run([python, "draw.py"], cwd=folder, check=True)
        return tile(Path(folder) / "picture.png")


def shot(output: Path, ids: str) -> np.ndarray:
    """What `snakemesh shot` draws, as of `picture`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        options = ["--ids", ids, "--size", "800x800", "--output", str(path)]
        subprocess.run(
            [sys.executable, "-m", "snakemesh", "shot", str(output), *options], check=True
        )
        return tile(path)


def tile(path: Path) -> np.ndarray:
    """The middle of a picture on white: RGB, uint8 (SIDE, SIDE, 3)."""
    with Image.open(path) as picture:
        drawn = picture.convert("RGBA")
    drawn = Image.alpha_composite(Image.new("RGBA", drawn.size, "white"), drawn).convert("RGB")
    edge = min(drawn.size)
    left, top = (drawn.width - edge) // 2, (drawn.height - edge) // 2
    square = drawn.crop((left, top, left + edge, top + edge))
    return np.asarray(square.resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("ids")
    for program in DRAWN:
        parser.add_argument(f"--{program}", required=True)
    options = vars(parser.parse_args())
    output = options["output"].resolve()
    tiles = [picture(name, options[name], output, options["ids"]) for name in DRAWN]
    names = ("snakemesh shot", "Blender", "ParaView", "napari")
    save("elsewhere", [shot(output, options["ids"]), *tiles], names)


if __name__ == "__main__":
    main()
