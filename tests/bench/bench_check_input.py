"""How long a run that plans looks at the chunks of its input.

    python tests/bench/bench_check_input.py [--side 59] [DIRECTORY]

Makes `side`^3 empty chunk files in a temporary folder of DIRECTORY, 205,379 by default, and looks
at all of them three times. On a network filesystem, name a folder there.
"""

import argparse
import tempfile
import time
from pathlib import Path

from snakemesh.boxes import indices
from snakemesh.chunk_files import ChunkFiles, stamps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", nargs="?", type=Path)
    parser.add_argument("--side", type=int, default=59)
    options = parser.parse_args()
    grid = (options.side,) * 3
    with tempfile.TemporaryDirectory(dir=options.directory) as root:
        files = ChunkFiles(root, grid, (1, 1, 1), "{i[0]}/{i[1]}/{i[2]}")
        for index in indices(grid):
            path = Path(files.path(index))
            if index[2] == 0:
                path.parent.mkdir(parents=True)
            path.touch()
        for _ in range(3):
            start = time.perf_counter()
            found = stamps(files, ((0, 0, 0), grid))
            seconds = time.perf_counter() - start
            assert found.all()
            print(f"{found.size:,} chunks in {seconds:.2f} s")


if __name__ == "__main__":
    main()
