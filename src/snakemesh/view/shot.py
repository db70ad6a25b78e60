"""What `snakemesh shot` does: choose segments, draw them, and write a still or a turntable."""

import argparse
from collections.abc import Sequence
from dataclasses import replace

from snakemesh.drawing.bodies import meshes_of, read_bodies, together
from snakemesh.drawing.image_files import refuse_unwritable, write_still, write_turntable
from snakemesh.drawing.still import drawn, scene_of, still_view, turntable_views
from snakemesh.drawing.views import bar_nm
from snakemesh.errors import UserError
from snakemesh.meshes.mesh_folder import open_meshes
from snakemesh.meshes.stored_meshes import StoredMesh
from snakemesh.segment_colours import segment_colours
from snakemesh.units import file_size, lengths
from snakemesh.view.limits import MOST_DRAWN
from snakemesh.view.look import chosen_segments, named_output, selection_of

# The most bytes of the fragments in a picture where no LOD is named: 12 million triangles, which
# take 1.2 GB of memory.
MAX_BYTES = 24_000_000


def shoot(parser: argparse.ArgumentParser, options: argparse.Namespace) -> str:
    """Write the file that the options ask for. Returns what the user is told.

    Raises UserError, before anything is drawn where it can be known before.
    """
    moves = options.turntable is not None
    refuse_unwritable(options.output, options.size, moves, options.background == "transparent")
    output = named_output(parser, options)
    if not output.meshes_are_finished():
        raise UserError(f"the meshes of {output.root} are not finished; run the workflow first")
    chosen = chosen_segments(output, replace(selection_of(options), most=MOST_DRAWN))
    folder = open_meshes(str(output.root))
    meshes = meshes_of(folder, chosen.labels)
    count, lod = _what_fits(meshes, options.lod)
    coarse = sum(mesh.manifest.num_lods <= lod for mesh in meshes[:count])
    colours_of = segment_colours if chosen.colours is None else chosen.colours.of
    scene = scene_of(read_bodies(folder, [(mesh, lod) for mesh in meshes[:count]]), colours_of)
    if moves:
        views = turntable_views(scene, options.view, options.size, options.turntable)
    else:
        views = [still_view(scene, options.view, options.size)]
    nm = views[0].nm_per_pixel
    faces = sum(len(solid.faces) for solid in scene.solids)
    which = f"{count:,} segments"
    if count < chosen.of:
        which = f"{count:,} {'long' if chosen.with_others else 'largest'} segments of {chosen.of:,}"
    said = (
        f"{which} at LOD {lod}, {faces:,} triangles; {nm:.4g} nm a pixel, "
        f"the bar is {lengths([bar_nm(nm * options.size[0])])} long"
    )
    if coarse:
        said += f"; {coarse:,} have no such LOD and are drawn at their coarsest"
    output.refuse_changed()
    images = (drawn(scene, view, options.background) for view in views)
    if moves:
        write_turntable(options.output, images)
    else:
        write_still(options.output, next(images), said)
    legend = "" if chosen.colours is None else f"\n{chosen.colours.legend}"
    return f"{options.output}: {said}{legend}"


def _what_fits(meshes: Sequence[StoredMesh], lod: int | None) -> tuple[int, int]:
    """How many of the meshes are drawn, from the first on, and at which LOD. Raises UserError."""
    if not meshes:
        raise UserError("there is no segment to draw")
    if lod is None:
        count, lod = together(meshes, MAX_BYTES)
        if not count:
            raise UserError(
                f"segment {meshes[0].label} has more than {file_size(MAX_BYTES)} at each LOD: "
                "name one with --lod, or other segments with --ids"
            )
        return count, lod
    lods = max(mesh.manifest.num_lods for mesh in meshes)
    if lod >= lods:
        raise UserError(f"--lod: found {lod}, expected 0 to {lods - 1}")
    return len(meshes), lod
