"""List what a container holds, to find out what became of a block; write one fragment as PLY.

    python scripts/list_container.py CONTAINER [--label 17 --cell X_Y_Z --ply fragment.ply]

Containers are in `work/mesh/` of an output directory; they are kept with keep_fragments: true.
Every byte that is read is checked against the container's checksums.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from snakemesh.errors import DamagedError
from snakemesh.multires.container import read_section
from snakemesh.multires.payload import payload_blocks


def fragments(path: Path) -> Iterator[tuple[np.void, bytes]]:
    """The record (FRAGMENT) and the Draco bytes of every fragment of a container, shard by shard.

    Raises DamagedError where the container is damaged, gone, or none.
    """
    for shard in range(read_section(path, 0).num_shards):
        section = read_section(path, shard)
        for first, last, data in payload_blocks(section):
            begin = 0
            for record in section.records[first:last]:
                yield record, bytes(data[begin : begin + record["size"]])
                begin += record["size"]


def cell_name(record: np.void) -> str:
    """The cell of a record, "x_y_z" at the container's LOD."""
    return "_".join(map(str, record["cell"].tolist()))


def write_ply(path: Path, draco: bytes) -> None:
    """Write a fragment as PLY, its vertices in steps of the lattice: 0 to 65535 across its cell."""
    import DracoPy
    import trimesh

    mesh = DracoPy.decode(draco)
    trimesh.Trimesh(mesh.points, mesh.faces, process=False).export(path)


def main(arguments: list[str] | None = None) -> None:
    """List a container. `arguments` are those of the command line by default."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("container", type=Path, metavar="CONTAINER")
    add("--label", type=int, help="list fragments of this label alone")
    add("--cell", help="list fragments in this cell alone, X_Y_Z at the container's LOD")
    add("--ply", type=Path, help="write the one fragment that is listed to this file")
    options = parser.parse_args(arguments)
    try:
        found = [
            (record, draco)
            for record, draco in fragments(options.container)
            if options.label in (None, int(record["label"]))
            and options.cell in (None, cell_name(record))
        ]
    except (DamagedError, OSError) as error:
        sys.exit(str(error))
    print("label cell faces bytes octants volume/nm3 area/nm2")
    for record, _ in found:
        measures = f"{record['volume']:.6g} {record['area']:.6g}"
        numbers = f"{record['faces']} {record['size']} {record['octants']:08b}"
        print(f"{record['label']} {cell_name(record)} {numbers} {measures}")
    if options.ply is not None:
        if len(found) != 1:
            parser.error(f"--ply takes one fragment, found {len(found)}; give --label and --cell")
        write_ply(options.ply, found[0][1])


if __name__ == "__main__":
    main()
