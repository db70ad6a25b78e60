"""The settings of a run. `configuration` reads them once; nothing changes them afterwards."""

from dataclasses import dataclass

from snakemesh.boxes import Nanometres


@dataclass(frozen=True)
class Settings:
    """The keys of the configuration, in the order of its schema.

    `config/README.md` explains each key. All triples are z, y, x, in nm. roi: its begin and its
    end. index: axes and positions, by axis.
    """

    input_path: str
    output_directory: str
    num_lods: int | None
    roi: tuple[Nanometres, Nanometres] | None
    pyramid_alignment_mode: str
    voxel_size_nm: Nanometres | None
    translation_nm: Nanometres | None
    index: tuple[tuple[str, int], ...] | None
    background: tuple[int, ...] | None
    multires_strategy: str
    downsample_method: str
    use_existing_scales: bool | str
    delete_intermediate_scales: bool
    keep_fragments: bool
    check_input: bool | None
    input_version: str | int | None
    input_changed: bool
    n_smoothing_iter: int
    target_reduction: float
    decimation_factor: float
    max_error: float
    label_map: str | None
    label_map_rest: str
    target_ids: tuple[int, ...] | str | None
    exclude_ids: tuple[int, ...] | str | None
    min_voxels: int
    contacts: bool | str
    sharded: bool
    segment_properties_csv: str | None
    segment_colors: str | None
    max_properties: int | None
    measures: tuple[str, ...]
    verify: bool
    cell_size: int
    max_jobs: int
