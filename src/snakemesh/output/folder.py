"""The names of all files and folders in `output_directory`.

multires/                               what is served:
  info, <shard>.shard                   or, unsharded, <label> and <label>.index
  segment_properties/info
  segments.parquet                      what is known of every segment
  snakemesh.json                        what made them
_intermediate_scales.zarr/              the levels that are built, an OME-Zarr group
snakemesh.json                          what the latest run makes, and from what
work/
  lock                                  held while a run writes
  lock.<n>                              who holds it, and that it lives
  submitted.jsonl                       the jobs of a cluster that a run has submitted
  input.npz                             the input's files, as they were when the run was planned
  target_ids.npy, exclude_ids.npy       the labels that these keys list
  label_map/<hash>.npy, <hash>.index.npy  the table of bodies as jobs read it, its marker:
  label_map/<hash>.done
  label_map/seen/<kind>/<box>.<hash>.<token>.npz  which labels a super-chunk or a block has seen
  label_map.npz                         the table of bodies, as it was when the run was planned
  pyramid/levels.<hash>.done            the group is there, with empty arrays
  pyramid/stage<n>/<box>.<hash>.done    a super-chunk is filled
  mesh/lod<n>/<box>.<hash>.fragments    the container of a block
  mesh/lod<n>/<box>.<hash>.finished     the same, while its job goes on with other blocks
  mesh/bundles/lod<n>/<number>.<hash>.fragments   the containers of many blocks as one
  mesh/blocks.<hash>.done               every block is meshed
  shards/<shard>.<hash>.done            a shard is written, and its summary:
  shards/<shard>.<hash>.npy
  documents.<hash>.done                 the documents beside the shards are written
  result.<hash>.done                    nothing is left that was only there between jobs
  verify/                               what is found while the output is verified
  verify.<hash>.done                    the output was verified, and nothing failed
verify.parquet                          what the last verification found of each label
report/<hash>/                          pictures, plots, tables and the first page of the report
logs/, benchmarks/                      a file per job, by rule
logs/lsf/, logs/slurm/                  what the cluster says of jobs, until they have succeeded
logs/failures.jsonl                     a line for each attempt at a job that failed

<hash> stands for the fingerprint of a product, of what it is made from (`products.fingerprints`).
A product of another configuration or of another state of the input has another name: it is never
taken for the one that is wanted.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from snakemesh.job_records import Sharding

MULTIRES = "multires"
PYRAMID = "_intermediate_scales.zarr"
WORK = "work"
LOGS = "logs"
BENCHMARKS = "benchmarks"
REPORT = "report"
FAILURES = f"{LOGS}/failures.jsonl"
# A run fills these folders, and may remove them again.
OWN_FOLDERS = (MULTIRES, WORK, PYRAMID, LOGS, BENCHMARKS, REPORT)
# The first file that a run makes. It shows that an output directory belongs to snakemesh.
LOCK = f"{WORK}/lock"
RUN_DOCUMENT = "snakemesh.json"
SEGMENTS = "segments.parquet"
VERIFY_TABLE = "verify.parquet"


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

    @property
    def segments(self) -> str:
        """The table of all segments."""
        return f"{self.multires}/{SEGMENTS}"

    @property
    def served_document(self) -> str:
        """The document of what made the meshes, which goes where they go."""
        return f"{self.multires}/{RUN_DOCUMENT}"

    @property
    def run_document(self) -> str:
        """The document of what the latest run makes, and from what."""
        return f"{self.root}/{RUN_DOCUMENT}"

    @property
    def input_state(self) -> str:
        """The input's files, as they were when the run was planned."""
        return f"{self.work}/input.npz"

    @property
    def submitted(self) -> str:
        """The jobs of a cluster that a run has submitted (`plan.submitted_jobs`)."""
        return f"{self.work}/submitted.jsonl"

    def label_list(self, key: str) -> str:
        """The labels that a key of the configuration lists."""
        return f"{self.work}/{key}.npy"

    @property
    def label_map_state(self) -> str:
        """The table of bodies, as it was when the run was planned."""
        return f"{self.work}/label_map.npz"

    @property
    def label_maps(self) -> str:
        """The folder of the table of bodies as jobs read it, and of which labels they have seen."""
        return f"{self.work}/label_map"

    def label_map(self, fingerprint: str) -> str:
        """The table of bodies, sorted."""
        return f"{self.label_maps}/{fingerprint}.npy"

    def label_map_marker(self, fingerprint: str) -> str:
        """The marker that says the sorted table of bodies and its index are there."""
        return f"{self.label_maps}/{fingerprint}.done"

    def seen(self, kind: str, box: str, fingerprint: str) -> str:
        """Where it is recorded which labels a job has seen, without token and suffix.

        kind: "stage", of a super-chunk, or "lod", of a block.
        """
        return f"{self.label_maps}/seen/{kind}/{box}.{fingerprint}"

    def shard(self, shard: str) -> str:
        """The shard file of the shard that `shard_name` names."""
        return f"{self.multires}/{shard}.shard"

    def label_files(self, label: int) -> tuple[str, str]:
        """The fragments and the manifest of a label, where meshes are not in shards."""
        return f"{self.multires}/{label}", f"{self.multires}/{label}.index"

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

    def levels_marker(self, fingerprint: str) -> str:
        """The marker that says the group of the levels and its empty arrays exist."""
        return f"{self.pyramid_markers}/levels.{fingerprint}.done"

    def super_chunk_marker(self, stage: int | str, box: str, fingerprint: str) -> str:
        """The marker that says a super-chunk of a stage is filled."""
        return f"{self.pyramid_markers}/stage{stage}/{box}.{fingerprint}.done"

    @property
    def blocks(self) -> str:
        """The folder of the containers of all blocks."""
        return f"{self.work}/mesh"

    def container(self, lod: int | str, box: str, fingerprint: str) -> str:
        """The container of a block of an LOD."""
        return f"{self.blocks}/lod{lod}/{box}.{fingerprint}.fragments"

    def bundle(self, lod: int | str, number: int | str, fingerprint: str) -> str:
        """The containers of the blocks of a bundle of an LOD, as one."""
        return f"{self.blocks}/bundles/lod{lod}/{number}.{fingerprint}.fragments"

    def blocks_marker(self, fingerprint: str) -> str:
        """The marker that says all blocks are meshed, and lists what the shards read."""
        return f"{self.blocks}/blocks.{fingerprint}.done"

    @property
    def summaries(self) -> str:
        """The folder of the summaries of all shards."""
        return f"{self.work}/shards"

    def summary(self, shard: str, fingerprint: str) -> str:
        """The summary of a shard."""
        return f"{self.summaries}/{shard}.{fingerprint}.npy"

    def shard_marker(self, shard: str, fingerprint: str) -> str:
        """The marker that says a shard and its summary are written."""
        return f"{self.summaries}/{shard}.{fingerprint}.done"

    def documents_marker(self, fingerprint: str) -> str:
        """The marker that says the documents beside the shards are written."""
        return f"{self.work}/documents.{fingerprint}.done"

    def result_marker(self, fingerprint: str) -> str:
        """The marker that says the files that only jobs needed are removed."""
        return f"{self.work}/result.{fingerprint}.done"

    @property
    def verify(self) -> str:
        """The folder of what is found while the output is verified."""
        return f"{self.work}/verify"

    def verify_counts(self, box: str, fingerprint: str) -> str:
        """The labels of a box of s0, counted afresh."""
        return f"{self.verify}/voxels/{box}.{fingerprint}.npy"

    def verify_levels(self, box: str, fingerprint: str) -> str:
        """What was found of the input's own levels in a box of s0."""
        return f"{self.verify}/voxels/{box}.{fingerprint}.levels.npz"

    def verify_pieces(self, box: str, fingerprint: str) -> str:
        """The pieces of the labels of a box, and how they go on in its neighbours."""
        return f"{self.verify}/voxels/{box}.{fingerprint}.pieces.npz"

    def verify_counts_marker(self, fingerprint: str) -> str:
        """The marker that says all of s0 is counted, and lists the counts."""
        return f"{self.verify}/voxels.{fingerprint}.done"

    def verify_findings(self, shard: str, fingerprint: str) -> str:
        """What was found in a shard."""
        return f"{self.verify}/{shard}.{fingerprint}.npz"

    def verify_marker(self, fingerprint: str) -> str:
        """The marker that says the output was verified, and nothing failed."""
        return f"{self.work}/verify.{fingerprint}.done"

    @property
    def verify_table(self) -> str:
        """The table of what the last verification found of each label."""
        return f"{self.root}/{VERIFY_TABLE}"

    @property
    def report(self) -> str:
        """The folder of the report."""
        return f"{self.root}/{REPORT}"

    def report_facts(self, fingerprint: str) -> str:
        """What there is to report."""
        return self.report_file("facts.json", fingerprint)

    def report_file(self, name: str, fingerprint: str) -> str:
        """A picture, a table or the first page of the report."""
        return f"{self.report}/{fingerprint}/{name}"

    def log(self, job: str) -> str:
        """The log of a job; `job` is "rule" or "rule/box"."""
        return f"{self.root}/{LOGS}/{job}.log"

    def cluster_logs(self, scheduler: str) -> str:
        """The folder of what a cluster writes of jobs; `scheduler` is "lsf" or "slurm"."""
        return f"{self.root}/{LOGS}/{scheduler}"

    @property
    def failures(self) -> str:
        """The list of attempts at jobs that failed, in all runs so far: a JSON object per line."""
        return f"{self.root}/{FAILURES}"

    def rule_of_logs(self, paths: Iterable[str]) -> str | None:
        """The rule whose job has these logs; None for a job of another workflow.

        Another workflow that uses this one as a module may call the rule otherwise.
        """
        folder = f"{self.root}/{LOGS}/"
        names = (path.removeprefix(folder) for path in paths if path.startswith(folder))
        return next((re.split("[/.]", name)[0] for name in names), None)

    def benchmark(self, job: str) -> str:
        """Snakemake's measurements of a job; `job` is "rule" or "rule/box"."""
        return f"{self.root}/{BENCHMARKS}/{job}.tsv"
