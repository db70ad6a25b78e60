"""The names of all files and folders in `output_directory`.

multires/                       what is served
  info, <shard>.shard           if unsharded: info, <label> and <label>.index
  segment_properties/info
_intermediate_scales.zarr/      the levels that are built: an OME-Zarr group
work/                           what only jobs read
  lock                          locked while a run writes
  pyramid/levels.done           marker: the group and its empty arrays exist
  pyramid/stage<n>/<box>.done   marker: a super-chunk is filled
  mesh/lod<n>/<box>.done        marker: a block is meshed, and its container exists
  mesh/lod<n>/<box>.<made from>.fragments   the container of a block
  mesh_blocks.done              marker: every block is meshed
  shards/<shard>.npy            the summary of a shard
  cleanup.done                  marker: what only jobs needed is removed
logs/, benchmarks/              one file per job: <rule> or <rule>/<box>
"""

from dataclasses import dataclass

from snakemesh.job_records import Sharding

MULTIRES = "multires"
PYRAMID = "_intermediate_scales.zarr"
WORK = "work"
LOGS = "logs"
BENCHMARKS = "benchmarks"
# A run fills these folders, and may remove them again.
OWN_FOLDERS = (MULTIRES, WORK, PYRAMID, LOGS, BENCHMARKS)
# The first file that a run makes. It shows that an output directory belongs to snakemesh.
LOCK = f"{WORK}/lock"


def shard_name(shard: int, sharding: Sharding) -> str:
    """The name of a shard: lower-case hexadecimal, padded to `ceil(shard_bits / 4)` digits.

    Format: https://github.com/google/neuroglancer/blob/master/src/datasource/precomputed/sharded.md
    """
    return f"{shard:x}".zfill(-(-sharding.shard_bits // 4))


@dataclass(frozen=True)
class OutputFolder:
    """The paths of the files and folders in the output directory `root`.

    Arguments may be wildcards of Snakemake, such as "{box}". A `box` is named after its index, z y
    x: "0_0_1" (see `boxes.box_name`).
    """

    root: str

    @property
    def multires(self) -> str:
        """The folder that is served."""
        return f"{self.root}/{MULTIRES}"

    @property
    def info(self) -> str:
        """The `info` document of the meshes."""
        return f"{self.multires}/info"

    @property
    def segment_properties(self) -> str:
        """The `info` document of the segment properties."""
        return f"{self.multires}/segment_properties/info"

    def shard(self, shard: str) -> str:
        """The shard file of the shard that `shard_name` names."""
        return f"{self.multires}/{shard}.shard"

    @property
    def pyramid(self) -> str:
        """The OME-Zarr group of the levels that are built."""
        return f"{self.root}/{PYRAMID}"

    @property
    def work(self) -> str:
        """The folder of the files that only jobs read."""
        return f"{self.root}/{WORK}"

    @property
    def pyramid_markers(self) -> str:
        """The folder of the markers of the levels that are built."""
        return f"{self.work}/pyramid"

    @property
    def levels_marker(self) -> str:
        """The marker that says the group of the levels and its empty arrays exist."""
        return f"{self.pyramid_markers}/levels.done"

    def super_chunk_marker(self, stage: int | str, box: str) -> str:
        """The marker that says a super-chunk of a stage is filled."""
        return f"{self.pyramid_markers}/stage{stage}/{box}.done"

    @property
    def blocks(self) -> str:
        """The folder of the markers and containers of all blocks."""
        return f"{self.work}/mesh"

    def block_marker(self, lod: int | str, box: str) -> str:
        """The marker that says a block of an LOD is meshed."""
        return f"{self.blocks}/lod{lod}/{box}.done"

    def container(self, lod: int | str, box: str, made_from: str) -> str:
        """The container of a block of an LOD.

        made_from: a hash of what the meshes are made from. Because the name contains it, a job of
        an older configuration that a cluster still runs cannot replace this configuration's
        container.
        """
        return f"{self.blocks}/lod{lod}/{box}.{made_from[:16]}.fragments"

    @property
    def blocks_marker(self) -> str:
        """The marker that says all blocks are meshed."""
        return f"{self.work}/mesh_blocks.done"

    @property
    def summaries(self) -> str:
        """The folder of the summaries of all shards."""
        return f"{self.work}/shards"

    def summary(self, shard: str) -> str:
        """The summary of a shard."""
        return f"{self.summaries}/{shard}.npy"

    @property
    def cleanup_marker(self) -> str:
        """The marker that says the files that only jobs needed are removed."""
        return f"{self.work}/cleanup.done"

    def log(self, job: str) -> str:
        """The log of a job; `job` is "rule" or "rule/box"."""
        return f"{self.root}/{LOGS}/{job}.log"

    def benchmark(self, job: str) -> str:
        """Snakemake's measurements of a job; `job` is "rule" or "rule/box"."""
        return f"{self.root}/{BENCHMARKS}/{job}.tsv"
