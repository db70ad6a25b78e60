"""The names of all files and folders in `output_directory`.

multires/                               what is served:
  info, <shard>.shard                   or, unsharded, <label> and <label>.index
  segment_properties/info
  segments.parquet                      what is known of every segment
  contacts.parquet                      what is known of all segments that touch
  lods.parquet                          what is known of every LOD of every segment
  overview/mesh.vtk.gz, centroids/      all segments as one mesh, and as points
  snakemesh.json                        what made them
_intermediate_scales.zarr/              the levels that are built, an OME-Zarr group
snakemesh.json                          what the latest run makes, and from what
work/
  lock                                  held while a run writes
  lock.<n>                              who holds it, and that it lives
  submitted.jsonl                       the jobs of a cluster that a run has submitted
  input.npz                             the input's files, as they were when the run was planned
  target_ids.npy, exclude_ids.npy       the labels that these keys list
  label_map/<hash>.npy, .index.npy, .done  the table of bodies as jobs read it, its marker
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
  shards/<shard>.<hash>.lods.npy        the summary of its LODs
  shards/<shard>.<hash>.contacts        which of its labels touch which others
  measured/<box>.<hash>.done            a block of LOD 0 is measured: thickness and components
  measured/<box>.<hash>.npy, <box>.<hash>.pieces.npz
  measured/<shard>.<hash>.done          the labels of a shard are measured: curvature
  measured/<shard>.<hash>.npy
  measured.<hash>.done                  all labels are measured, and the table of them:
  measured.<hash>.npy
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
WORK = "work"
PYRAMID = "_intermediate_scales.zarr"
LOGS = "logs"
BENCHMARKS = "benchmarks"
REPORT = "report"
# A run fills these folders, and may remove them again.
OWN_FOLDERS = (MULTIRES, WORK, PYRAMID, LOGS, BENCHMARKS, REPORT)
# The first file that a run makes. It shows that an output directory belongs to snakemesh.
LOCK = f"{WORK}/lock"
RUN_DOCUMENT = "snakemesh.json"
SEGMENTS = "segments.parquet"
LODS = "lods.parquet"
PROPERTIES = "segment_properties"
OVERVIEW = "overview"
OVERVIEW_MESH = f"{OVERVIEW}/mesh.vtk.gz"
CENTROIDS = "centroids"


def shard_name(shard: int, sharding: Sharding) -> str:
    """The name of a shard: lower-case hexadecimal, padded to `ceil(shard_bits / 4)` digits.

    Format: https://github.com/google/neuroglancer/blob/master/src/datasource/precomputed/sharded.md
    """
    return f"{shard:x}".zfill(-(-sharding.shard_bits // 4))


@dataclass
class OutputFolder:
    """The paths of the files and folders in the output directory `root`.

    Arguments of the methods may be wildcards of Snakemake, such as "{box}". A `box` is named after
    its index, z y x: "0_0_1" (see `boxes.box_name`).
    """

    root: str

    def __post_init__(self) -> None:
        # what is served
        self.multires = f"{self.root}/{MULTIRES}"
        self.info = f"{self.multires}/info"
        self.segment_properties = f"{self.multires}/{PROPERTIES}/info"
        self.segments = f"{self.multires}/{SEGMENTS}"
        self.lods = f"{self.multires}/{LODS}"
        self.contacts = f"{self.multires}/contacts.parquet"
        self.served_document = f"{self.multires}/{RUN_DOCUMENT}"
        # what people read besides
        self.run_document = f"{self.root}/{RUN_DOCUMENT}"
        self.pyramid = f"{self.root}/{PYRAMID}"
        self.verify_table = f"{self.root}/verify.parquet"
        self.report = f"{self.root}/{REPORT}"
        self.failures = f"{self.root}/{LOGS}/failures.jsonl"
        # files and folders that only jobs and later runs read
        self.work = f"{self.root}/{WORK}"
        self.input_state = f"{self.work}/input.npz"
        self.submitted = f"{self.work}/submitted.jsonl"
        self.label_map_state = f"{self.work}/label_map.npz"
        self.label_maps = f"{self.work}/label_map"
        self.pyramid_markers = f"{self.work}/pyramid"
        self.blocks = f"{self.work}/mesh"
        self.summaries = f"{self.work}/shards"
        self.measured_parts = f"{self.work}/measured"
        self.verify = f"{self.work}/verify"

    def label_list(self, key: str) -> str:
        """The labels that a key of the configuration lists."""
        return f"{self.work}/{key}.npy"

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

    def levels_marker(self, fingerprint: str) -> str:
        """The marker that says the group of the levels and its empty arrays exist."""
        return f"{self.pyramid_markers}/levels.{fingerprint}.done"

    def super_chunk_marker(self, stage: int | str, box: str, fingerprint: str) -> str:
        """The marker that says a super-chunk of a stage is filled."""
        return f"{self.pyramid_markers}/stage{stage}/{box}.{fingerprint}.done"

    def container(self, lod: int | str, box: str, fingerprint: str) -> str:
        """The container of a block of an LOD."""
        return f"{self.blocks}/lod{lod}/{box}.{fingerprint}.fragments"

    def bundle(self, lod: int | str, number: int | str, fingerprint: str) -> str:
        """The containers of the blocks of a bundle of an LOD, as one."""
        return f"{self.blocks}/bundles/lod{lod}/{number}.{fingerprint}.fragments"

    def blocks_marker(self, fingerprint: str) -> str:
        """The marker that says all blocks are meshed, and lists what the shards read."""
        return f"{self.blocks}/blocks.{fingerprint}.done"

    def summary(self, shard: str, fingerprint: str) -> str:
        """The summary of a shard."""
        return f"{self.summaries}/{shard}.{fingerprint}.npy"

    def lod_summary(self, shard: str, fingerprint: str) -> str:
        """The summary of the LODs of a shard's labels."""
        return f"{self.summaries}/{shard}.{fingerprint}.lods.npy"

    def pairs(self, shard: str, fingerprint: str) -> str:
        """The pairs of labels that touch, those whose smaller label is in the shard."""
        return f"{self.summaries}/{shard}.{fingerprint}.contacts"

    def shard_marker(self, shard: str, fingerprint: str) -> str:
        """The marker that says a shard, its summary and its pairs are written."""
        return f"{self.summaries}/{shard}.{fingerprint}.done"

    def measured(self, name: str, fingerprint: str, kind: str) -> str:
        """A file of what is measured. name: of a block or a shard; "" for all labels.

        kind: "done", "npy" or "pieces.npz".
        """
        place = f"{self.measured_parts}/{name}" if name else self.measured_parts
        return f"{place}.{fingerprint}.{kind}"

    def documents_marker(self, fingerprint: str) -> str:
        """The marker that says the documents beside the shards are written."""
        return f"{self.work}/documents.{fingerprint}.done"

    def result_marker(self, fingerprint: str) -> str:
        """The marker that says the files that only jobs needed are removed."""
        return f"{self.work}/result.{fingerprint}.done"

    def verify_counts(self, box: str, fingerprint: str) -> str:
        """The labels of a box of s0, counted afresh."""
        return f"{self.verify}/voxels/{box}.{fingerprint}.npy"

    def verify_levels(self, box: str, fingerprint: str) -> str:
        """What was found of the input's own levels in a box of s0."""
        return f"{self.verify}/voxels/{box}.{fingerprint}.levels.npz"

    def verify_pieces(self, box: str, fingerprint: str) -> str:
        """The pieces of the labels of a box, and where they continue in its neighbours."""
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

    def report_facts(self, fingerprint: str) -> str:
        """The facts that the report shows."""
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
