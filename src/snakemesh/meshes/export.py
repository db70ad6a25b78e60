"""Finished meshes in the files of other programs: each label as one closed mesh, or all in one."""

import argparse
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from tqdm import tqdm

from snakemesh.errors import UserError
from snakemesh.meshes.formats import FORMATS, UNITS_NM
from snakemesh.meshes.mesh_folder import MeshFolder
from snakemesh.meshes.stored_meshes import (
    StoredMesh,
    all_places,
    fragment_bytes,
    places_of,
    stored_meshes,
)
from snakemesh.meshes.whole_mesh import WholeMesh, whole_mesh
from snakemesh.output.atomic import replacing, sync_filesystem

DIGITS = {"nm": 5, "um": 8}  # of a position in an OBJ, which is text: 1/100,000 nm
SINGLE = ("stl", "glb")  # formats whose positions are float32, as their standards say
MAX_LABEL = (1 << 64) - 1
_MAX_NAMED = 10


@dataclass
class Tally:
    """What is said at the end.

    written: how many meshes. The others are labels: without a mesh at the LOD, with a mesh that is
    not watertight, and with vertices that the format cannot tell apart.
    """

    written: int
    without: list[int]
    leaky: list[int]
    blurred: list[int]


def wanted_labels(text: str) -> np.ndarray | None:
    """The labels that `--ids` means, uint64, ascending, none twice; None for all.

    text: "all", labels with commas or blanks between them, or the path of a table. Raises
    UserError.
    """
    if text == "all":
        return None
    parts = text.replace(",", " ").split()
    if parts and all(re.fullmatch("[0-9]+", part) for part in parts):
        for part in parts:
            if not 1 <= int(part[:30]) <= MAX_LABEL:
                raise UserError(f"--ids: found {part}, expected ids from 1 to {MAX_LABEL}")
        labels = np.array([int(part) for part in parts], np.uint64)
    elif os.path.exists(text):
        from snakemesh.tables.read import read_labels

        labels = read_labels("--ids", text)
    else:
        expected = "ids such as 17,4711, all, or a CSV or Parquet file that lists them"
        raise UserError(f"--ids: found '{text}', expected {expected}")
    if not len(labels):
        raise UserError(f"--ids: {text} lists no ids")
    return np.unique(labels)


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


def as_trimesh(
    label: int, mesh: WholeMesh, unit: str, form: str, tally: Tally
) -> tuple[trimesh.Trimesh, np.ndarray]:
    """A mesh in the unit of the files, and the place, (3,), that its vertices are relative to.

    The place is 0 but for a GLB whose vertices would fall together: the format has nodes that say
    where a mesh is. What is to be said of the mesh goes into `tally`.
    """
    vertices, step = mesh.vertices / UNITS_NM[unit], mesh.step_nm / UNITS_NM[unit]
    place = np.zeros(3)
    if form == "glb" and _is_blurred(vertices, step):
        place = vertices.mean(axis=0).astype(np.float32).astype(float)
    found = trimesh.Trimesh(vertices - place, mesh.faces, process=False)
    tally.written += 1
    if not found.is_watertight:
        tally.leaky.append(label)
    if form in SINGLE and _is_blurred(vertices - place, step):
        tally.blurred.append(label)
    return found, place


def _is_blurred(vertices: np.ndarray, step: float) -> bool:
    """Whether vertices (n, 3) that are at least `step` apart fall together as float32."""
    rounded = vertices.astype(np.float32)
    if np.spacing(np.abs(rounded).max(initial=0)) < step / 2:
        return False
    return len(np.unique(rounded, axis=0)) < len(rounded)


def add_to(scene: trimesh.Scene, label: int, mesh: trimesh.Trimesh, place: np.ndarray) -> None:
    """Add a mesh to a scene, as a node that has its label for a name."""
    name, where = str(label), np.eye(4)
    where[:3, 3] = place
    scene.add_geometry(mesh, node_name=name, geom_name=name, transform=where)


def encoded(mesh: trimesh.Trimesh | trimesh.Scene, form: str, unit: str) -> bytes:
    """A mesh or a scene in a format."""
    if form == "ply":
        return ply(mesh.to_mesh() if isinstance(mesh, trimesh.Scene) else mesh)
    options: Any = {"include_normals": False, "digits": DIGITS[unit]} if form == "obj" else {}
    data: Any = mesh.export(file_type=form, **options)
    return data.encode() if isinstance(data, str) else bytes(data)


def ply(mesh: trimesh.Trimesh) -> bytes:
    """A mesh as binary PLY with float64 positions.

    trimesh writes float32, which changes the volume of small bodies by up to 4e-5 of it.
    Format: http://paulbourke.net/dataformats/ply
    """
    header = [
        "ply",
        "format binary_little_endian 1.0",
        f"element vertex {len(mesh.vertices)}",
        *(f"property double {axis}" for axis in "xyz"),
        f"element face {len(mesh.faces)}",
        "property list uchar int vertex_indices",
        "end_header\n",
    ]
    faces = np.empty(len(mesh.faces), [("corners", "u1"), ("rows", "<i4", 3)])
    faces["corners"] = 3
    faces["rows"] = mesh.faces
    return "\n".join(header).encode() + mesh.vertices.astype("<f8").tobytes() + faces.tobytes()


def write(target: Path, data: bytes) -> None:
    """Write a file, whole or not at all."""
    with replacing(target, durable=False) as temporary:
        temporary.write_bytes(data)


def export(folder: MeshFolder, options: argparse.Namespace) -> Tally:
    """Write the files that the options ask for. Raises UserError, before a file is written where
    it can be known before."""
    labels = wanted_labels(options.ids)
    form = chosen_format(options.format, options.scene)
    places = all_places(folder) if labels is None else places_of(folder, labels)
    if not len(places):
        raise UserError(f"{folder.where} has no meshes")

    def target(label: int) -> Path:
        return Path(options.output) / f"{label}.{form}"

    if not options.overwrite:
        each = map(target, places["label"].tolist())
        refuse_existing(each if options.scene is None else [options.scene])
    tally = Tally(0, [], [], [])
    meshes = with_lod(stored_meshes(folder, places), options.lod, tally, labels is not None)
    if labels is not None:
        meshes = iter(list(meshes))  # all that was named is there, or nothing is written
    into = Path(options.output) if options.scene is None else options.scene.parent
    into.mkdir(parents=True, exist_ok=True)

    scene = trimesh.Scene()
    parts = fragment_bytes(folder, meshes, options.lod)
    # None: a bar only on a terminal
    for stored, data in tqdm(parts, total=len(places), unit=" labels", disable=None):
        whole = whole_mesh(folder, stored, options.lod, data)
        mesh, place = as_trimesh(stored.label, whole, options.unit, form, tally)
        if options.scene is not None:
            add_to(scene, stored.label, mesh, place)
            continue
        found: trimesh.Trimesh | trimesh.Scene = mesh
        if place.any():
            found = trimesh.Scene()
            add_to(found, stored.label, mesh, place)
        write(target(stored.label), encoded(found, form, options.unit))
    if not tally.written:
        raise UserError(f"--lod: no label of {folder.where} has a mesh at LOD {options.lod}")
    if options.scene is not None:
        write(options.scene, encoded(scene, form, options.unit))
    sync_filesystem(into)
    return tally


def said(tally: Tally, options: argparse.Namespace) -> str:
    """What is said at the end, in one line."""
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
        found = "vertices that fall together in this format (ply and obj keep them apart)"
        lines.append(f"{found}: {_named(tally.blurred)}")
    return "; ".join(lines)


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _named(labels: list[int]) -> str:
    named = ", ".join(map(str, labels[:_MAX_NAMED]))
    return f"{len(labels):,} ({named}{', ...' if len(labels) > _MAX_NAMED else ''})"
