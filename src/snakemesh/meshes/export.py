"""Finished meshes in the files of other programs: each label as one closed mesh, or all in one."""

import argparse
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import trimesh
from tqdm import tqdm
from trimesh.exchange.stl import export_stl

from snakemesh.errors import UserError
from snakemesh.meshes.chosen_labels import labels_where, named_labels
from snakemesh.meshes.formats import FORMATS, UNITS_NM
from snakemesh.meshes.glb import glb
from snakemesh.meshes.mesh_folder import MeshFolder
from snakemesh.meshes.obj import obj
from snakemesh.meshes.part import Part, is_blurred, together
from snakemesh.meshes.ply import ply
from snakemesh.meshes.stored_meshes import (
    StoredMesh,
    all_places,
    fragment_bytes,
    places_of,
    stored_meshes,
)
from snakemesh.meshes.vtp import vtp
from snakemesh.meshes.whole_mesh import WholeMesh, whole_mesh
from snakemesh.output.atomic import sync_filesystem, write_file
from snakemesh.segment_colours import segment_colours

_MAX_NAMED = 10
ColoursOf = Callable[[np.ndarray], np.ndarray]


@dataclass
class Tally:
    """What the user is told at the end.

    written: how many meshes. The others are labels: without a mesh at the LOD, with a mesh that is
    not watertight, and with vertices that the format cannot tell apart.
    """

    written: int = 0
    without: list[int] = field(default_factory=list)
    leaky: list[int] = field(default_factory=list)
    blurred: list[int] = field(default_factory=list)

    def add(self, part: Part, form: str) -> None:
        """Count a mesh in a file of a format."""
        self.written += 1
        if not trimesh.Trimesh(part.vertices, part.faces, process=False).is_watertight:
            self.leaky.append(part.label)
        # positions that the format stores as float32
        short = {"stl": part.vertices, "glb": part.vertices - part.centre}
        if form in short and is_blurred(short[form], part.step):
            self.blurred.append(part.label)


def chosen_format(name: str | None, scene: Path | None) -> str:
    """The format of the files. Raises UserError if the name of the scene says another one."""
    if scene is None:
        return name or "ply"
    suffix = scene.suffix[1:].lower()
    if suffix not in FORMATS or name not in (None, suffix):
        expected = " or ".join(f".{known}" for known in ([name] if name else FORMATS))
        raise UserError(f"--scene: found '{scene}', expected a file whose name ends in {expected}")
    return suffix


def refuse_existing(targets: Iterable[Path]) -> None:
    """Raise UserError if one of the files that are to be written exists."""
    for target in targets:
        if os.path.lexists(target):
            raise UserError(f"{target} exists; --overwrite replaces it, --output names a folder")


def with_lod(
    meshes: Iterable[StoredMesh], lod: int, tally: Tally, is_needed: bool
) -> Iterator[StoredMesh]:
    """The meshes that have an LOD; the labels of the others go into `tally`.

    Raises UserError for one without it if `is_needed`.
    """
    for mesh in meshes:
        lods = mesh.manifest.num_lods
        if lod < lods and mesh.manifest.sizes[lod].any():
            yield mesh
            continue
        if is_needed:
            has = "1 LOD: --lod 0" if lods == 1 else f"{lods} LODs: --lod 0 to {lods - 1}"
            raise UserError(f"--lod: label {mesh.label} has no mesh at LOD {lod}, it has {has}")
        tally.without.append(mesh.label)


def part_of(label: int, mesh: WholeMesh, unit: str, colours_of: ColoursOf) -> Part:
    """A mesh in the unit of the files, in its colour."""
    vertices, step = mesh.vertices / UNITS_NM[unit], mesh.step_nm / UNITS_NM[unit]
    colour = colours_of(np.array([label], np.uint64))[0]
    return Part(label, vertices, mesh.faces, step, colour)


def encoded(parts: list[Part], form: str, unit: str) -> bytes:
    """Meshes as a file of a format."""
    if form == "glb":
        return glb(parts, UNITS_NM[unit] * 1e-9)
    if form == "stl":
        vertices, faces, _ = together(parts)
        return bytes(export_stl(trimesh.Trimesh(vertices, faces, process=False)))
    return {"ply": ply, "obj": obj, "vtp": vtp}[form](parts, unit)


def wanted_places(folder: MeshFolder, options: argparse.Namespace) -> np.ndarray:
    """Where the manifests of the labels that are meant are: dtype PLACE. Raises UserError."""
    if options.where is not None:
        places = places_of(folder, labels_where(folder, options.where))
    elif (labels := named_labels(options.ids)) is not None:
        places = places_of(folder, labels)
    else:
        places = all_places(folder)
    if not len(places):
        raise UserError(f"{folder.where} has no meshes")
    return places


def export(
    folder: MeshFolder, options: argparse.Namespace, colours_of: ColoursOf = segment_colours
) -> Tally:
    """Write the files that the options ask for. Raises UserError, before a file is written where
    it can be known before.

    colours_of: gives the colours of labels, uint64 (n,), as RGB, uint8 (n, 3).
    """
    form = chosen_format(options.format, options.scene)
    places = wanted_places(folder, options)

    def target(label: int) -> Path:
        return Path(options.output) / f"{label}.{form}"

    if not options.overwrite:
        each = map(target, places["label"].tolist())
        refuse_existing(each if options.scene is None else [options.scene])
    tally, are_named = Tally(), options.ids not in (None, "all")
    meshes = with_lod(stored_meshes(folder, places), options.lod, tally, are_named)
    if are_named:
        meshes = iter(list(meshes))  # all that was named is there, or nothing is written
    into = Path(options.output) if options.scene is None else options.scene.parent
    into.mkdir(parents=True, exist_ok=True)

    scene = []
    found = fragment_bytes(folder, meshes, options.lod)
    # None: a bar only on a terminal
    for stored, data in tqdm(found, total=len(places), unit=" labels", disable=None):
        whole = whole_mesh(folder, stored, options.lod, data)
        if not len(whole.faces):
            tally.without.append(stored.label)
            continue
        part = part_of(stored.label, whole, options.unit, colours_of)
        tally.add(part, form)
        if options.scene is not None:
            scene.append(part)
        else:
            write_file(target(part.label), encoded([part], form, options.unit))
    if not tally.written:
        raise UserError(f"--lod: no label of {folder.where} has a mesh at LOD {options.lod}")
    if options.scene is not None:
        write_file(options.scene, encoded(scene, form, options.unit))
    sync_filesystem(into)
    return tally


def said(tally: Tally, options: argparse.Namespace) -> str:
    """What the user is told at the end, in one line."""
    where = f"{options.output}/" if options.scene is None else options.scene
    lines = [f"{_counted(tally.written, 'mesh', 'meshes')} of LOD {options.lod} in {where}"]
    if tally.leaky:
        lines.append(f"not watertight: {_named(tally.leaky)}")
    else:
        lines.append("all watertight")
    if tally.without:
        missing = _counted(len(tally.without), "label has", "labels have")
        lines.append(f"{missing} no mesh at this LOD")
    if tally.blurred:
        found = "vertices that fall together in this format (ply, obj and vtp keep them apart)"
        lines.append(f"{found}: {_named(tally.blurred)}")
    return "; ".join(lines)


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _named(labels: list[int]) -> str:
    named = ", ".join(map(str, labels[:_MAX_NAMED]))
    return f"{len(labels):,} ({named}{', ...' if len(labels) > _MAX_NAMED else ''})"
