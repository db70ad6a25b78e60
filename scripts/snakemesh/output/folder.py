"""The name of every file and folder in `output_directory`, said once.

multires/                       what is served
  info, <shard>.shard           or, unsharded, <label> and <label>.index
  segment_properties/info
_intermediate_scales.zarr/      the levels that are built, an OME-Zarr group
work/
  lock                          held while a run writes
  pyramid/levels.done           the group is there, with empty arrays
  pyramid/stage<n>/<box>.done   a super-chunk is filled
  mesh/lod<n>/<box>.done        a block is meshed, and its container is there:
  mesh/lod<n>/<box>.<made from>.fragments
  mesh_blocks.done              every block is
  shards/<shard>.npy            the summary of a shard
  cleanup.done                  nothing is left that was only there between jobs
logs/, benchmarks/              a file per job, by rule
"""

from dataclasses import dataclass

from snakemesh.job_records import Sharding

MULTIRES = "multires"
PYRAMID = "_intermediate_scales.zarr"
WORK = "work"
LOGS = "logs"
BENCHMARKS = "benchmarks"
# Folders that a run fills, and may remove again.
OWN_FOLDERS = (MULTIRES, WORK, PYRAMID, LOGS, BENCHMARKS)
# What every run leaves first of all.
LOCK = f"{WORK}/lock"


def shard_name(shard: int, sharding: Sharding) -> str:
    """How a shard is named: lower-case hexadecimal, padded to `ceil(shard_bits / 4)` digits.

    Format: https://github.com/google/neuroglancer/blob/master/src/datasource/precomputed/sharded.md
    """
    return f"{shard:x}".zfill(-(-sharding.shard_bits // 4))


@dataclass(frozen=True)
class OutputFolder:
    """The files of an output folder. Arguments may be wildcards of Snakemake, such as "{box}"."""

    root: str

    @property
    def multires(self) -> str:
        """The folder that is served."""
        return f"{self.root}/{MULTIRES}"

    @property
    def info(self) -> str:
        """The document that makes the meshes a layer."""
        return f"{self.multires}/info"

    @property
    def segment_properties(self) -> str:
        """The document of the segments' properties."""
        return f"{self.multires}/segment_properties/info"

    def shard(self, shard: str) -> str:
        """A shard."""
        return f"{self.multires}/{shard}.shard"

    @property
    def pyramid(self) -> str:
        """The group of the levels that are built."""
        return f"{self.root}/{PYRAMID}"

    @property
    def work(self) -> str:
        """The folder of what only jobs read."""
        return f"{self.root}/{WORK}"

    @property
    def pyramid_markers(self) -> str:
        """The folder of the markers of the levels that are built."""
        return f"{self.work}/pyramid"

    @property
    def levels_marker(self) -> str:
        """The marker of the group of the levels, with empty arrays."""
        return f"{self.pyramid_markers}/levels.done"

    def super_chunk_marker(self, stage: int | str, box: str) -> str:
        """The marker of a super-chunk."""
        return f"{self.pyramid_markers}/stage{stage}/{box}.done"

    @property
    def blocks(self) -> str:
        """The folder of the blocks: markers and containers."""
        return f"{self.work}/mesh"

    def block_marker(self, lod: int | str, box: str) -> str:
        """The marker of a block."""
        return f"{self.blocks}/lod{lod}/{box}.done"

    def container(self, lod: int | str, box: str, made_from: str) -> str:
        """The fragments of a block.

        made_from: a hash of what the meshes are made from. A job of an older configuration that a
        cluster still runs cannot replace a container of this one.
        """
        return f"{self.blocks}/lod{lod}/{box}.{made_from[:16]}.fragments"

    @property
    def blocks_marker(self) -> str:
        """The marker of all blocks together."""
        return f"{self.work}/mesh_blocks.done"

    @property
    def summaries(self) -> str:
        """The folder of the shards' summaries."""
        return f"{self.work}/shards"

    def summary(self, shard: str) -> str:
        """The summary of a shard."""
        return f"{self.summaries}/{shard}.npy"

    @property
    def cleanup_marker(self) -> str:
        """The marker of a run that has removed what was only there between jobs."""
        return f"{self.work}/cleanup.done"

    def log(self, job: str) -> str:
        """The log of a job, "rule" or "rule/box"."""
        return f"{self.root}/{LOGS}/{job}.log"

    def benchmark(self, job: str) -> str:
        """What Snakemake measured of a job, "rule" or "rule/box"."""
        return f"{self.root}/{BENCHMARKS}/{job}.tsv"
