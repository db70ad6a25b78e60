"""Compile the functions of parts of the program: `python -m snakemesh.compiling CORES PART...`.

A run starts this before its first job.
"""

import sys

from snakemesh.compiling.compile import compile_parts

if __name__ == "__main__":
    compile_parts(sys.argv[2:], int(sys.argv[1]))
